"""Errors as a person or a program wants them: a page, or the API's JSON body."""

import logging
import sys
from dataclasses import dataclass

from csp.decorators import csp_exempt
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.views.debug import technical_500_response

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 10
READ_ONLY_SQL_TRANSACTION = "25006"


@dataclass(frozen=True)
class Kind:
    code: str
    title: str
    detail: str


KINDS = {
    400: Kind("bad_request", "That did not parse", "The request was not understood."),
    401: Kind("unauthorized", "Who goes there?", "This needs the token that the upload returned."),
    403: Kind("forbidden", "Not with that mustache", "You may not do that."),
    404: Kind("not_found", "Shaved off", "There is nothing here, or it was deleted."),
    405: Kind("method_not_allowed", "Wrong tool", "This address does not take that method."),
    411: Kind("length_required", "How much is it?", "Say how long the body is: Content-Length."),
    413: Kind("too_large", "Too much face", "The picture is too large."),
    415: Kind("unsupported_picture", "Not a picture we know", "This is not a supported picture."),
    429: Kind("too_many_requests", "One at a time, please", "Too many requests; wait a moment."),
    500: Kind("server_error", "We cut ourselves", "Something went wrong on our side."),
    502: Kind("source_failed", "The source failed", "The picture could not be fetched."),
    503: Kind("unavailable", "Back in a moment", "We are not able to do that right now."),
    504: Kind("source_timed_out", "The source is slow", "The picture took too long to arrive."),
    508: Kind("loop_detected", "Mirror in a mirror", "The site was asked to fetch from itself."),
}


class Problem(Exception):
    """Something to tell the visitor: an HTTP status and one sentence."""

    def __init__(self, status: int, detail: str | None = None, retry_after: int | None = None):
        super().__init__(detail or KINDS[status].detail)
        self.status = status
        self.retry_after = retry_after


class StoreUnavailable(Exception):
    """A store other than the database cannot serve, whatever it is and whatever it says."""


# django.db.Error has more subclasses; these are the ones a database gives that cannot serve.
STORE_ERRORS = (StoreUnavailable, OperationalError, InterfaceError, InternalError)


def is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/mustachify"))


def wants_json(request: HttpRequest) -> bool:
    preferred = request.get_preferred_type(["text/html", "application/json"])
    return is_for_programs(request) or preferred == "application/json"


def body(status: int, detail: str | None = None) -> dict:
    """The API's error body."""
    kind = KINDS[status]
    return {"error": kind.code, "detail": detail or kind.detail}


def error_json(status: int, detail: str | None = None) -> HttpResponse:
    return JsonResponse(body(status, detail), status=status)


def error_page(request: HttpRequest, status: int, detail: str | None = None) -> HttpResponse:
    kind = KINDS[status]
    # Without the request's context processors: the database may be what failed.
    context = {"status": status, "title": kind.title, "detail": detail or kind.detail}
    context["request_id"] = getattr(request, "id", None)
    return HttpResponse(render_to_string("error.html", context), status=status)


def error(
    request: HttpRequest, status: int, detail: str | None = None, retry_after: int | None = None
) -> HttpResponse:
    json = wants_json(request)
    response = error_json(status, detail) if json else error_page(request, status, detail)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    if not is_for_programs(request):
        patch_vary_headers(response, ["Accept"])
    return response


def store_unavailable(request: HttpRequest, cause: Exception) -> HttpResponse:
    log.error("A store cannot serve: %s", cause, extra={"cause": type(cause).__name__})
    if getattr(cause.__cause__, "sqlstate", None) == READ_ONLY_SQL_TRANSACTION:
        # After a failover this connection may lead to the old primary; the next one will not.
        connection.close()
    return error(request, 503, retry_after=RETRY_AFTER_SECONDS)


def answer(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """The answer to an exception we know, else None."""
    if isinstance(exception, Problem):
        return error(request, exception.status, str(exception), exception.retry_after)
    if isinstance(exception, STORE_ERRORS):
        return store_unavailable(request, exception)
    return None


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error(request, 403, "The form was too old, or came from another site. Please try again.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the exception is being handled."""
    if settings.DEVELOPMENT and not wants_json(request):
        return traceback_page(request)
    return error(request, 500)


@csp_exempt()
def traceback_page(request: HttpRequest) -> HttpResponse:
    """Django's, for the developer; its styles and scripts are in the page."""
    return technical_500_response(request, *sys.exc_info())
