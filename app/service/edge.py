"""Who stands in front of the app, and what is believed of them: the visitor's address and scheme.

`PROXY` says it, from the visitor inwards. Nothing is inferred from a request: what a visitor could
have written himself counts only if the one who is said to stand in front writes over it.

    none      nobody: who is connected is the visitor
    nginx     nginx at the unix socket: X-Forwarded-For is the one address it saw
    balancer  a balancer of PROXY_NETWORKS: it appends the address it saw to X-Forwarded-For
    gateway   an API gateway that calls us with the address it saw; it takes HTTPS and its own name
    cdn,...   a CDN before one of them: its word counts when it brings one of CDN_SECRETS

Which names the site has is ALLOWED_HOSTS' part, whoever says `Host`.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

CDN = "cdn"
UNIX_SOCKET = ""
UNKNOWN = ""
SCHEMES = {"http", "https"}
CLAIMS = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_X_CDN_SECRET",
    "HTTP_CLOUDFRONT_VIEWER_ADDRESS",
    "HTTP_CLOUDFRONT_FORWARDED_PROTO",
)


@dataclass(frozen=True)
class Visit:
    """An address that is none is unknown; what is None stays as the request has it."""

    client: str
    scheme: str | None = None
    host: str | None = None


def direct(meta: dict) -> Visit:
    return Visit(parsed(meta.get("REMOTE_ADDR", UNKNOWN)))


def nginx(meta: dict) -> Visit:
    return forwarded(meta) if meta.get("REMOTE_ADDR") == UNIX_SOCKET else direct(meta)


def balancer(meta: dict) -> Visit:
    peer = parsed(meta.get("REMOTE_ADDR", UNKNOWN))
    ours = peer and any(ip_address(peer) in network for network in settings.PROXY_NETWORKS)
    return forwarded(meta) if ours else direct(meta)


def gateway(meta: dict) -> Visit:
    return Visit(direct(meta).client, "https", urlsplit(settings.SITE_URL).netloc)


def forwarded(meta: dict) -> Visit:
    # Whatever comes before the last address is the visitor's own claim.
    client = meta.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2]
    return Visit(parsed(client.strip()), known_scheme(meta.get("HTTP_X_FORWARDED_PROTO")))


def by_cdn(meta: dict) -> bool:
    """Whether it is the CDN who asks."""
    given = meta.get("HTTP_X_CDN_SECRET", "")
    return any(constant_time_compare(given, secret) for secret in settings.CDN_SECRETS)


def through_cdn(meta: dict, visit: Visit) -> Visit:
    """As the CDN saw the visitor, if it is the CDN who asks."""
    if not by_cdn(meta):
        return visit
    viewer = meta.get("HTTP_CLOUDFRONT_VIEWER_ADDRESS", "").rpartition(":")[0]
    scheme = known_scheme(meta.get("HTTP_CLOUDFRONT_FORWARDED_PROTO"))
    return Visit(parsed(viewer), scheme or visit.scheme, visit.host)


def parsed(text: str) -> str:
    """The IP address, in one spelling."""
    try:
        ip = ip_address(text.strip("[]"))
    except ValueError:
        return UNKNOWN
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def known_scheme(text: str | None) -> str | None:
    return text if text in SCHEMES else None


FRONTS = {"none": direct, "nginx": nginx, "balancer": balancer, "gateway": gateway}


def behind_cdn() -> bool:
    return settings.PROXY[0] == CDN


def visit(meta: dict) -> Visit:
    seen = FRONTS[settings.PROXY[-1]](meta)
    return through_cdn(meta, seen) if behind_cdn() else seen


def detour(meta: dict) -> bool:
    """Whether somebody passed the CDN by. A gateway lets everybody in; a balancer has a rule."""
    return settings.PROXY == [CDN, "gateway"] and not by_cdn(meta)


def wrong(proxy: list[str]) -> str | None:
    """What is wrong with such a PROXY, or None."""
    inner = proxy[1:] if proxy[:1] == [CDN] else proxy
    if len(inner) == 1 and inner[0] in FRONTS:
        return None
    return f"is {','.join(proxy)!r}, must be one of {', '.join(FRONTS)}, or cdn, and one of them"


class EdgeMiddleware:
    """Puts in the request what is true of it, and takes out what anybody could claim."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen = visit(request.META)
        request.detour = detour(request.META)
        for name in CLAIMS:
            request.META.pop(name, None)
        request.META["REMOTE_ADDR"] = seen.client
        if seen.scheme:
            request.META["wsgi.url_scheme"] = seen.scheme
        if seen.host:
            request.META["HTTP_HOST"] = seen.host
        return self.get_response(request)
