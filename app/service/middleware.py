"""What happens around every view: request id, log line, stores' errors."""

import logging
import re
import time
import uuid

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from service import clients, errors, metrics, sessions
from service.logs import request_id

log = logging.getLogger("service.request")
SANE_REQUEST_ID = re.compile(r"[\w.:=-]{1,100}", re.ASCII)


class RequestMiddleware:
    """Gives each request an id, one log line, and its place in the metrics."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request.id = given if SANE_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(request.id)
        start = time.perf_counter()
        try:
            response = self.get_response(request)
            seconds = time.perf_counter() - start
            response["X-Request-ID"] = request.id
            self.record(request, response, seconds)
            return response
        finally:
            request_id.reset(token)

    @staticmethod
    def record(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        view = request.resolver_match.view_name if request.resolver_match else "none"
        method = request.method if request.method in {"GET", "HEAD", "POST", "DELETE"} else "other"
        metrics.REQUESTS.labels(view, method, response.status_code).observe(seconds)
        log.info(
            "%s %s %s",
            request.method,
            request.path,
            response.status_code,
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "milliseconds": round(seconds * 1000, 1),
                "client": clients.address(request),
                "view": view,
            },
        )


class DetourMiddleware:
    """Refuses who passed by the CDN. Health is asked without it, and answered before this."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.detour:
            return errors.error(request, 403, f"This site is at {settings.SITE_URL}.")
        return self.get_response(request)


class HeadersMiddleware:
    """Headers that no other middleware sets."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault(
            "Permissions-Policy", "camera=(self), geolocation=(), microphone=(), payment=()"
        )
        return response


class SessionMiddleware(DjangoSessionMiddleware):
    """Django's, which saves after the view: too late for ErrorsMiddleware."""

    def __init__(self, get_response):
        super().__init__(get_response)
        sessions.current()  # so that what it imports is shared by all workers

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            return super().process_response(request, response)
        except errors.STORE_ERRORS as error:
            return errors.store_unavailable(request, error)


class ErrorsMiddleware:
    """Turns a view's Problem into its answer, a store that cannot serve into a 503, a bare 405
    into one that says so."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        allowed = {method.strip() for method in response["Allow"].split(",")}
        told = errors.error(request, 405)
        told["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
        return told

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return errors.answer(request, exception)


class HeadMiddleware:
    """HEAD wherever GET: the API's views know GET only. Whoever serves leaves the body out."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        method = request.method
        response = self.get_response(request)
        request.method = method
        return response

    def process_view(self, request: HttpRequest, view, arguments, named) -> None:
        if request.method == "HEAD" and view.__module__ == "ninja.operation":
            request.method = "GET"
