"""Who is asking: the visitor's address, as far as it can be trusted."""

from ipaddress import ip_address, ip_network

from django.http import HttpRequest

UNIX_SOCKET = ""


def from_proxy(request: HttpRequest) -> bool:
    """nginx alone speaks to us through the unix socket, so such a request is the proxy's word."""
    return request.META.get("REMOTE_ADDR", "") == UNIX_SOCKET


def address(request: HttpRequest) -> str:
    """The visitor's IP address; empty for a program on this host at the unix socket."""
    if not from_proxy(request):
        return request.META["REMOTE_ADDR"]
    # nginx appends the address it saw itself: only the last one is not the visitor's claim.
    return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()


def is_this_host(request: HttpRequest) -> bool:
    """Whether the request comes from this host itself, not through the proxy."""
    text = address(request)
    if from_proxy(request) and not text:
        return True
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def bucket(request: HttpRequest) -> str:
    """What rate limits count by: the IPv4 address, or the /64 an IPv6 visitor usually has whole."""
    text = address(request)
    try:
        parsed = ip_address(text)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)
