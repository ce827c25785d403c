"""Pictures never take what pages are served with.

A process has more threads (gunicorn_config.py) than places for requests that bring or work on a
picture, so some always are left for pages and health checks. Who finds no place is told so before
a byte of the picture is read. Who got one may still have to wait for a turn, see workbench.py.
"""

import random
import threading

from django.http import HttpRequest, HttpResponse

from service import errors, metrics

PLACES = 3
DRAINS = 2  # more threads that may wait for the end of what was refused, see wsgi.py
RETRY_AFTER_SECONDS = (2, 6)  # from and to, so that a crowd does not come back at once
BUSY = "Too many pictures are being worked on. Try again in a moment."
# Views that bring or work on pictures, by method.
WORK = {
    "POST": {"home", "style", "receive", "api:create"},
    "GET": {"api:mustachify"},
    "HEAD": {"api:mustachify"},
}

places = threading.BoundedSemaphore(PLACES)


def busy(why: str = BUSY) -> errors.Problem:
    metrics.BUSY.inc()
    return errors.Problem(503, why, random.randint(*RETRY_AFTER_SECONDS))  # noqa: S311  # no secret


class AdmissionMiddleware:
    """Comes before whatever reads a body: the CSRF check does."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.has_place = False
        try:
            return self.get_response(request)
        finally:
            if request.has_place:
                places.release()

    def process_view(self, request: HttpRequest, *view) -> HttpResponse | None:
        if request.resolver_match.view_name not in WORK.get(request.method, ()):
            return None
        request.has_place = places.acquire(blocking=False)
        return None if request.has_place else errors.answer(request, busy())
