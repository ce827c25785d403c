"""Where pictures are worked on, one at a time: the calls of the picture core, measured, and its
errors as HTTP problems."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import mustache
from django.conf import settings
from django.http import HttpRequest

from service import admission, metrics
from service.errors import Problem
from service.ratelimit import limits

LIMITS = mustache.Limits(bytes=settings.MAX_UPLOAD_BYTES)
TOO_LARGE = (mustache.TooManyBytes, mustache.TooManyPixels)
# Waiting and work together: a CDN gives up after 30.
MOST_SECONDS = 20
# Whoever else has a place: what waits is an upload in memory, not yet a picture.
MOST_WAITING = admission.PLACES - 1


class Turn:
    """Who works on a picture in this process: one thread, while a few wait for it.

    A picture of 300 kB can take 300 MB to work on. Four at once would take a small host's memory,
    and be ready no sooner: there is a process for each core.
    """

    def __init__(self):
        self.changed = threading.Condition()
        self.worker: int | None = None
        self.depth = 0
        self.waiting = 0
        self.deadline = 0.0

    @contextmanager
    def taken(self) -> Iterator[float]:
        """Until when to work. Raises Problem(503): at once, or after waiting too long."""
        self.take()
        try:
            yield self.deadline
        finally:
            self.give_back()

    def take(self) -> None:
        deadline = time.monotonic() + MOST_SECONDS
        with self.changed:
            if self.worker != threading.get_ident():
                if self.worker is not None:
                    self.wait(deadline)
                self.worker, self.deadline = threading.get_ident(), deadline
            self.depth += 1

    def wait(self, deadline: float) -> None:
        if self.waiting >= MOST_WAITING:
            raise admission.busy()
        self.waiting += 1
        try:
            seconds = deadline - time.monotonic()
            if not self.changed.wait_for(lambda: self.worker is None, seconds):
                raise admission.busy()
        finally:
            self.waiting -= 1

    def give_back(self) -> None:
        with self.changed:
            self.depth -= 1
            if not self.depth:
                self.worker = None
                self.changed.notify()


turn = Turn()


def charge(request: HttpRequest, data: bytes) -> None:
    """Count the work on a picture against its visitor's limit: by pixels, before any is decoded."""
    with refusals():
        pixels = mustache.pixels_of(data, limits=LIMITS)
    charge_pixels(request, pixels)


def charge_pixels(request: HttpRequest, pixels: int) -> None:
    limits.check("work", request, math.ceil(pixels / 1_000_000))


@contextmanager
def refusals() -> Iterator[None]:
    """The picture core's errors as HTTP problems, counted."""
    try:
        yield
    except mustache.PictureError as error:
        metrics.REFUSED.labels(type(error).__name__).inc()
        if isinstance(error, mustache.TookTooLong):  # than an idle host needs for any it takes
            raise admission.busy(str(error)) from error
        status = 413 if isinstance(error, TOO_LARGE) else 415
        raise Problem(status, str(error)) from error


def mustachify(data: bytes, style: str, copies: int | None = None) -> "mustache.Result":
    with turn.taken() as deadline, refusals():
        start = time.perf_counter()
        result = mustache.mustachify(
            data, style=style, limits=LIMITS, deadline=deadline, copies=copies
        )
    metrics.PICTURES.labels(style).observe(time.perf_counter() - start)
    metrics.FACES.inc(len(result.faces))
    return result
