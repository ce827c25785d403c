"""CDN-Loop (RFC 8586): what we fetch says that we asked, and what says so comes to an end here.

Names and addresses of our own are refused as sources already. This finds the ways around: another
site's name that leads to us, a CDN in front, two services that fetch from each other.
"""

from contextvars import ContextVar
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from service import errors

# What the request being served has passed already.
passed: ContextVar[str] = ContextVar("passed", default="")


def our_name() -> str:
    return urlsplit(settings.SITE_URL).netloc.lower()


def header() -> str:
    """The header of a request that we make."""
    return ", ".join(filter(None, (passed.get(), our_name())))


def names(value: str) -> list[str]:
    """Who is in the header; each may have parameters."""
    return [entry.partition(";")[0].strip().lower() for entry in value.split(",")]


class LoopMiddleware:
    """508 for a request that we made ourselves."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        value = request.headers.get("CDN-Loop", "")
        if our_name() in names(value):
            return errors.error(request, 508)
        token = passed.set(value)
        try:
            return self.get_response(request)
        finally:
            passed.reset(token)
