"""Fetch a picture from an address a visitor gave, without being sent where he has no business.

A name is resolved once, every address it has is checked, and the connection goes to a checked
address: a name that answers differently the second time (DNS rebinding) gains nothing. Redirects
are followed here, so each one is checked the same way. HTTP itself is urllib3's.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

import mustache
import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection

from service import addresses, loops, sources
from service.addresses import Address
from service.errors import Problem

MAX_REDIRECTS = 10
MAX_HINTS = 20
TOTAL_SECONDS = 10
CONNECT_SECONDS = 3
REDIRECTS = {301, 302, 303, 307, 308}
# 203 is a 200 that a proxy on the way has changed.
WHOLE = {200, 203}
CHUNK = 1 << 16

# So that slow sources cannot take every thread that could serve a page.
slots = threading.BoundedSemaphore(2)


def fetch(url: str) -> bytes:
    """The bytes at `url`. Raises Problem: 400, 403, 413, 429, 502, 503 or 504."""
    address = addresses.parse(url)
    if not slots.acquire(blocking=False):
        raise Problem(429, "Too many pictures are being fetched right now.", retry_after=2)
    try:
        deadline = time.monotonic() + TOTAL_SECONDS
        for _ in range(MAX_REDIRECTS + 1):
            data, location = get(address, deadline)
            if location is None:
                return data
            address = addresses.redirected(address, location)
        raise Problem(502, "The source redirects too often.")
    finally:
        slots.release()


def get(address: Address, deadline: float) -> tuple[bytes, str | None]:
    """One request: its body, or where it redirects to."""
    reachable = sources.resolve(address.host, address.port, deadline)
    try:
        with connected(reachable, address.port, deadline) as connection:
            if address.scheme == "https":
                connection = tls().wrap_socket(connection, server_hostname=address.host)
            return exchange(connection, address, deadline)
    except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
        timed_out = isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError)
        raise Problem(504 if timed_out or time.monotonic() >= deadline else 502) from error


@contextmanager
def connected(reachable: list[str], port: int, deadline: float) -> Iterator[socket.socket]:
    """A connection that is cut at the deadline, whatever is being waited for then.

    A timeout alone would start anew with each byte that a slow source lets drip.
    """
    connection = connect(reachable, port, deadline)
    guard = connection.dup()  # stays ours when TLS takes the socket over
    timer = threading.Timer(deadline - time.monotonic(), cut, args=[guard])
    timer.start()
    try:
        yield connection
        if time.monotonic() >= deadline:
            raise TimeoutError
    finally:
        timer.cancel()
        timer.join()
        guard.close()
        connection.close()


def connect(reachable: list[str], port: int, deadline: float) -> socket.socket:
    """To the first that takes the connection."""
    failed: OSError = TimeoutError()
    for address in reachable:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            return socket.create_connection((address, port), timeout=min(CONNECT_SECONDS, left))
        except OSError as error:
            failed = error
    raise failed


def cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class FinalResponse(http.client.HTTPResponse):
    """The answer after all early hints: Python skips those with the status 100 only."""

    def begin(self) -> None:
        super().begin()
        for _ in range(MAX_HINTS):
            if not 102 <= self.status < 200:
                return
            self.headers = self.msg = None  # or begin() takes the hints' for the answer's
            super().begin()
        raise http.client.HTTPException("nothing but hints")


class Connection(HTTPConnection):
    response_class = FinalResponse


def exchange(
    connection: socket.socket, address: Address, deadline: float
) -> tuple[bytes, str | None]:
    left = max(0.01, deadline - time.monotonic())
    client = Connection(address.host, address.port, timeout=left)
    client.sock = connection
    headers = {
        "Host": address.host_header,
        "User-Agent": f"SimpleMustacheService/{mustache.__version__}",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "CDN-Loop": loops.header(),
        "Connection": "close",
    }
    client.request("GET", address.target, headers=headers, preload_content=False)
    response = client.getresponse()
    try:
        location = response.headers.getlist("Location")
        if response.status in REDIRECTS and location:
            return b"", location[0]
        if response.status not in WHOLE:
            raise Problem(502, f"The source answered {response.status}.")
        return read(response), None
    finally:
        response.close()


def read(response: urllib3.HTTPResponse) -> bytes:
    """The body, also of a source that compresses although asked not to."""
    if (response.length_remaining or 0) > settings.MAX_UPLOAD_BYTES:
        raise too_large()
    body = bytearray()
    for chunk in response.stream(CHUNK):
        body += chunk
        if len(body) > settings.MAX_UPLOAD_BYTES:
            raise too_large()
    return bytes(body)


def too_large() -> Problem:
    return Problem(413, f"The picture is over {settings.MAX_UPLOAD_BYTES // 1_000_000} MB.")


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    return ssl.create_default_context()
