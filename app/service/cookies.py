"""Under HTTPS the cookies are called `__Host-...`: a browser takes such a one from this very site
only, not from a neighbour of its domain. Who has one of the name before keeps what it says.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HOST = "__Host-"
KINDS = ("SESSION", "CSRF")


class CookieNamesMiddleware:
    """Reads a cookie of the name before once, and gives it its name of now. Writes in no store."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        read = {}
        for kind in KINDS:
            name = getattr(settings, f"{kind}_COOKIE_NAME")
            if name.startswith(HOST) and name.removeprefix(HOST) in request.COOKIES:
                old = request.COOKIES.pop(name.removeprefix(HOST))
                read[kind] = old if request.COOKIES.setdefault(name, old) is old else None
        response = self.get_response(request)
        for kind, value in read.items():
            rename(response, kind, value)
        return response


def rename(response: HttpResponse, kind: str, value: str | None) -> None:
    """Set the cookie, unless the visitor has it (None) or the view has set it, and end the old."""
    name = getattr(settings, f"{kind}_COOKIE_NAME")
    response.delete_cookie(name.removeprefix(HOST))
    if value is not None and name not in response.cookies:
        response.set_cookie(
            name,
            value,
            max_age=getattr(settings, f"{kind}_COOKIE_AGE"),
            secure=True,
            httponly=getattr(settings, f"{kind}_COOKIE_HTTPONLY"),
            samesite=getattr(settings, f"{kind}_COOKIE_SAMESITE"),
        )
