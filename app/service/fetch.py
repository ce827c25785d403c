"""Fetch a picture from an address a visitor gave, without being sent where he has no business.

A name is resolved once, every address it has is checked, and the connection goes to a checked
address: a name that answers differently the second time (DNS rebinding) gains nothing. Redirects
are followed here, so each one is checked the same way.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Set
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit

import mustache
from django.conf import settings

from service import names
from service.errors import Problem

MAX_URL = 2000
MAX_REDIRECTS = 3
TOTAL_SECONDS = 10
CONNECT_SECONDS = 3
PORTS = {"http": 80, "https": 443}
REDIRECTS = {301, 302, 303, 307, 308}

# So that slow sources cannot take every thread that could serve a page.
slots = threading.BoundedSemaphore(2)


def fetch(url: str) -> bytes:
    """The bytes at `url`. Raises Problem: 400, 403, 413, 429, 502 or 504."""
    if not slots.acquire(blocking=False):
        raise Problem(429, "Too many pictures are being fetched right now.", retry_after=2)
    try:
        deadline = time.monotonic() + TOTAL_SECONDS
        for _ in range(MAX_REDIRECTS + 1):
            data, location = get(url, deadline)
            if location is None:
                return data
            url = urljoin(url, location)
        raise Problem(502, "The source redirects too often.")
    finally:
        slots.release()


def get(url: str, deadline: float) -> tuple[bytes, str | None]:
    """One request: its body, or where it redirects to."""
    scheme, host, port, target = parse(url)
    address = resolve(host, deadline)
    try:
        with connected(address, port, deadline) as connection:
            if scheme == "https":
                connection = tls().wrap_socket(connection, server_hostname=host)
            return exchange(connection, host_header(scheme, host, port), target)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= deadline or isinstance(error, TimeoutError):
            raise Problem(504) from error
        raise Problem(502) from error


@contextmanager
def connected(address: str, port: int, deadline: float) -> Iterator[socket.socket]:
    """A connection that is cut at the deadline, whatever is being waited for then.

    A timeout alone would start anew with each byte that a slow source lets drip.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection = socket.create_connection((address, port), timeout=min(CONNECT_SECONDS, left))
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


def cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def exchange(connection: socket.socket, host: str, target: str) -> tuple[bytes, str | None]:
    with closing(http.client.HTTPConnection(host)) as client:
        client.sock = connection
        client.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        client.putheader("Host", host)
        client.putheader("User-Agent", f"SimpleMustacheService/{mustache.__version__}")
        client.putheader("Accept", "image/*")
        client.putheader("Accept-Encoding", "identity")
        client.putheader("Connection", "close")
        client.endheaders()
        with client.getresponse() as response:
            if response.status in REDIRECTS and response.getheader("Location"):
                return b"", response.getheader("Location")
            if response.status != 200:
                raise Problem(502, f"The source answered {response.status}.")
            return read(response), None


def read(response: http.client.HTTPResponse) -> bytes:
    if (response.length or 0) > settings.MAX_UPLOAD_BYTES:
        raise too_large()
    body = response.read(settings.MAX_UPLOAD_BYTES + 1)
    if len(body) > settings.MAX_UPLOAD_BYTES:
        raise too_large()
    if response.length:
        raise Problem(502, "The source broke off.")
    return body


def too_large() -> Problem:
    return Problem(413, f"The picture is over {settings.MAX_UPLOAD_BYTES // 1_000_000} MB.")


def parse(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and request target of an address, or Problem(400)."""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        port = parts.port or PORTS[scheme]
        if not is_address(host):
            host = host.rstrip(".").encode("idna").decode("ascii")
    except (ValueError, KeyError) as error:
        raise bad_address() from error
    if not host or len(url) > MAX_URL or parts.username is not None or parts.password is not None:
        raise bad_address()
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise bad_address()
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return scheme, host, port, target


def bad_address() -> Problem:
    return Problem(400, "This is not the http or https address of a picture.")


def host_header(scheme: str, host: str, port: int) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port == PORTS[scheme] else f"{host}:{port}"


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def resolve(host: str, deadline: float) -> str:
    """An address of `host` to connect to, once all of its addresses are allowed."""
    if names.is_own(host):
        raise forbidden()
    addresses = names.lookup(host, deadline)
    own = names.own_addresses(deadline)
    if not addresses or not all(is_allowed(address, own) for address in addresses):
        raise forbidden()
    return addresses[0]


def forbidden() -> Problem:
    return Problem(403, "Pictures cannot be fetched from this source.")


def is_allowed(address: str, own: Set[str] = frozenset()) -> bool:
    """Whether a connection may go there: public unicast addresses that are not our `own`."""
    ip = ipaddress.ip_address(address)
    # ::ffff:10.0.0.1, 2002:0a00:0001:: and 64:ff9b::a00:1 all lead to 10.0.0.1.
    inner = embedded_ipv4(ip)
    if inner is not None:
        return is_allowed(str(inner), own)
    if ip.is_link_local:  # the metadata service: no setting opens it
        return False
    if any(ip in network for network in settings.FORBIDDEN_SOURCES):
        return False
    if any(ip in network for network in settings.ALLOWED_SOURCES):
        return True
    # Python calls site-local and other retired IPv6 networks global; routers may know them still.
    if ip.version == 6 and ip not in UNICAST_6:
        return False
    return ip.is_global and not ip.is_multicast and address not in own


UNICAST_6 = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def embedded_ipv4(ip) -> ipaddress.IPv4Address | None:
    if ip.version == 4:
        return None
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    return ssl.create_default_context()
