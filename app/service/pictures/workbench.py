"""Where pictures are worked on, one at a time: the calls of the picture core, measured, and its
errors as HTTP problems."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import mustache
from django.conf import settings

from service import metrics
from service.errors import RETRY_AFTER_SECONDS, Problem

LIMITS = mustache.Limits(bytes=settings.MAX_UPLOAD_BYTES)
TOO_LARGE = (mustache.TooManyBytes, mustache.TooManyPixels)
MOST_SECONDS_IN_LINE = 20
_chair = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other thread of this process works on a picture; Problem(503) if that is long.

    A picture of 300 kB can take 300 MB to work on. Four at once would take a small host's memory,
    and be ready no sooner: there is a process for each core.
    """
    if not _chair.acquire(timeout=MOST_SECONDS_IN_LINE):
        raise Problem(503, "Too many pictures are waiting. Try again soon.", RETRY_AFTER_SECONDS)
    try:
        yield
    finally:
        _chair.release()


def mustachify(data: bytes, style: str) -> "mustache.Result":
    with one_at_a_time():
        return measured(data, style)


def measured(data: bytes, style: str) -> "mustache.Result":
    start = time.perf_counter()
    try:
        result = mustache.mustachify(data, style=style, limits=LIMITS)
    except mustache.PictureError as error:
        metrics.REFUSED.labels(type(error).__name__).inc()
        status = 413 if isinstance(error, TOO_LARGE) else 415
        raise Problem(status, str(error)) from error
    metrics.PICTURES.labels(style).observe(time.perf_counter() - start)
    metrics.FACES.inc(len(result.faces))
    return result
