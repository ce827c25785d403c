"""Rate limits shared by all workers of all hosts: a sliding window over the shared cache.

The window slides by weighting the count of the one before, so that nobody gets a double share
at the border of two windows.
"""

import logging
import math
import time

from django.conf import settings
from django.core.cache import cache, caches
from django.core.cache.backends.db import DatabaseCache
from django.http import HttpRequest

from service import clients, metrics
from service.errors import DATABASE_ERRORS, Problem
from service.ratelimit.models import Count

log = logging.getLogger(__name__)
SAFE = {"GET", "HEAD"}


def check(limit: str, request: HttpRequest) -> None:
    """Count this request against `limit`; raise Problem(429) if it is one too many."""
    allowed, seconds = {"upload": settings.UPLOAD_RATE, "fetch": settings.FETCH_RATE}[limit]
    if not allowed:
        return
    try:
        used, wait = hit(f"{limit}:{clients.bucket(request)}", allowed, seconds)
    except DATABASE_ERRORS as error:
        if request.method not in SAFE:
            raise
        # Reading goes on while the database cannot write; gunicorn's threads bound it still.
        log.warning("Rate limit %s is not counted: %s", limit, error)
        return
    if used > allowed:
        metrics.LIMITED.labels(limit).inc()
        raise Problem(
            429, f"That is more than {allowed} in {seconds} seconds. Wait {wait} s.", wait
        )


def hit(key: str, allowed: int, seconds: int, now: float | None = None) -> tuple[float, int]:
    """Count one; return the hits in the last `seconds` and the seconds until one more may come."""
    now = time.time() if now is None else now
    window, into = divmod(now, seconds)
    current, before = store()(key, int(window), seconds)
    used = current + before * (1 - into / seconds)
    return used, max(1, math.ceil(wait(current, before, allowed, seconds) - into))


def wait(current: int, before: int, allowed: int, seconds: int) -> float:
    """When one more is allowed, in seconds from the start of the current window."""
    if current < allowed:  # once enough of the window before has slid away
        return seconds * (1 - (allowed - current - 1) / before) if before else 0
    # In the next window, in which the hits of this one slide away.
    return seconds + seconds * max(0.0, 1 - (allowed - 1) / current)


def store():
    """Django's database cache cannot count atomically, so in the database we use our own table."""
    return in_database if isinstance(caches["default"], DatabaseCache) else in_cache


def in_database(key: str, window: int, seconds: int) -> tuple[int, int]:
    hits = Count.hit(key, window, (window + 2) * seconds)
    if hits == 1:
        Count.objects.filter(expires__lte=window * seconds).delete()
    before = Count.objects.filter(key=key, window=window - 1).values_list("hits", flat=True)
    return hits, before.first() or 0


def in_cache(key: str, window: int, seconds: int) -> tuple[int, int]:
    name = f"ratelimit:{key}:{window}"
    cache.add(name, 0, timeout=2 * seconds)
    return cache.incr(name), cache.get(f"ratelimit:{key}:{window - 1}", 0)
