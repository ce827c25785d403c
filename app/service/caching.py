"""Who may keep an answer, and for how long. Nobody may, unless its view says so: a cache on the way
cannot tell one visitor from another, and `Vary: Cookie` protects nobody behind a CDN.
"""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.utils.cache import has_vary_header
from whitenoise.middleware import WhiteNoiseFileResponse

NOBODY = "private, no-store"
YEAR = 365 * 24 * 3600
# A 304 as well: its headers say how long the copy stays fresh (RFC 9110, 15.4.5).
KEPT = {200, 206, 304}

type View = Callable[..., HttpResponse]


def share(response: HttpResponse, seconds: int) -> HttpResponse:
    """Everybody may keep the answer for so long."""
    response.kept = f"public, max-age={seconds}"
    return response


def kept(rule: str) -> Callable[[View], View]:
    """A view whose answers are the same for everybody, and may be kept by this rule."""

    def decorate(view: View) -> View:
        @wraps(view)
        def decorated(*args, **kwargs) -> HttpResponse:
            response = view(*args, **kwargs)
            response.kept = rule
            return response

        return decorated

    return decorate


# Of what never means other bytes, but may come to mean none: a browser keeps its copy, a cache on
# the way asks again after a minute. What is deleted must be gone for those who have not seen it.
FOREVER = f"public, max-age={YEAR}, s-maxage=60, immutable"
forever = kept(FOREVER)
# Of a page that many ask for at once: a cache on the way gives them one answer for some seconds. No
# browser keeps it, so that who comes back sees what is new.
briefly = kept("public, max-age=0, s-maxage=5")


class CachingMiddleware:
    """Says it of every answer, whatever made it. WhiteNoise says it of static files itself."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not isinstance(response, WhiteNoiseFileResponse):
            response["Cache-Control"] = self.rule(response)
        return response

    @staticmethod
    def rule(response: HttpResponse) -> str:
        personal = response.cookies or has_vary_header(response, "Cookie")
        if response.status_code not in KEPT or personal:
            return NOBODY
        return getattr(response, "kept", NOBODY)
