"""Who is asking, as edge.py found it out."""

from ipaddress import ip_address, ip_network

from django.http import HttpRequest


def address(request: HttpRequest) -> str:
    """The visitor's IP address; empty where nobody who is believed says it."""
    return request.META.get("REMOTE_ADDR", "")


def is_this_host(request: HttpRequest) -> bool:
    """Whether the request comes from this host itself, not through the proxy."""
    try:
        return ip_address(address(request)).is_loopback
    except ValueError:
        return False


def bucket(request: HttpRequest) -> str:
    """What rate limits count by: the IPv4 address, or the /64 an IPv6 visitor usually has whole."""
    try:
        parsed = ip_address(address(request))
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)
