"""Addresses of pictures, read as browsers read them: the WHATWG's URL standard, by `ada-url`.

So `bücher.example` and `faß.example` lead where they lead in a browser (UTS 46, non-transitional),
and 0x7f.1 is 127.0.0.1 before anybody asks whether one may go there.
"""

import re
from dataclasses import dataclass

from ada_url import URL

from service.errors import Problem

MAX_URL = 2000
MAX_NAME, MAX_LABEL = 253, 63
PORTS = {"http": 80, "https": 443}
# What a browser would repair in what somebody typed is an error in what a program sends.
WELL_FORMED = re.compile(r"https?://[^/\\?#\x00-\x20\x7f][^\x00-\x20\x7f]*", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    scheme: str
    host: str  # a name in ASCII without a dot at its end, or an IP address without brackets
    port: int
    target: str  # path and query
    url: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Address:
    """The address that a visitor gave, or Problem(400)."""
    if len(url) > MAX_URL or not WELL_FORMED.fullmatch(url):
        raise bad_address()
    return checked(url)


def redirected(address: Address, location: str) -> Address:
    """Where a `Location` header leads, as urllib3 gives it: its bytes as Latin-1."""
    raw = location.encode("latin-1")
    try:
        text = raw.decode()
    except UnicodeDecodeError:  # bytes of another encoding go back as they came
        text = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)
    if len(text) > MAX_URL:
        raise bad_address()
    return checked(text, address.url)


def checked(url: str, base: str | None = None) -> Address:
    try:
        parts = URL(url, base=base)
    except ValueError as error:
        raise bad_address() from error
    scheme = parts.protocol.removesuffix(":")
    host = parts.hostname.strip("[]").rstrip(".")
    if scheme not in PORTS or parts.username or parts.password or not is_possible(host):
        raise bad_address()
    port = int(parts.port) if parts.port else PORTS[scheme]
    if not port:
        raise bad_address()
    return Address(scheme, host, port, parts.pathname + parts.search, parts.href)


def is_possible(host: str) -> bool:
    """Whether DNS could know such a name; IP addresses fit, too."""
    return 0 < len(host) <= MAX_NAME and all(0 < len(part) <= MAX_LABEL for part in host.split("."))


def bad_address() -> Problem:
    return Problem(400, "This is not the http or https address of a picture.")
