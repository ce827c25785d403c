"""Rate limits shared by all workers of all hosts: a sliding window.

The window slides by weighting the count of the one before, so that nobody gets a double share
at the border of two windows.
"""

import logging
import math
import time

from django.conf import settings
from django.http import HttpRequest

from service import clients, metrics
from service.errors import STORE_ERRORS, Problem
from service.ratelimit import counters

log = logging.getLogger(__name__)
SAFE = {"GET", "HEAD"}


def check(limit: str, request: HttpRequest, cost: int = 1) -> None:
    """Count this request against `limit`; raise Problem(429) if it is more than is allowed."""
    allowed, seconds = {
        "upload": settings.UPLOAD_RATE,
        "offer": settings.UPLOAD_RATE,
        "fetch": settings.FETCH_RATE,
        "work": settings.WORK_RATE,
        "login": settings.LOGIN_RATE,
    }[limit]
    if not allowed:
        return
    try:
        used, wait = hit(f"{limit}:{clients.bucket(request)}", allowed, seconds, cost=cost)
    except STORE_ERRORS as error:
        if request.method not in SAFE:
            raise
        # Reading goes on while nothing can be written; admission bounds it still.
        log.warning("Rate limit %s is not counted: %s", limit, error)
        return
    if used > allowed:
        metrics.LIMITED.labels(limit).inc()
        what = " megapixels" if limit == "work" else ""
        raise Problem(
            429, f"That is more than {allowed}{what} in {seconds} seconds. Wait {wait} s.", wait
        )


def hit(
    key: str, allowed: int, seconds: int, now: float | None = None, cost: int = 1
) -> tuple[float, int]:
    """Count `cost`; return what was used in the last `seconds`, and the seconds until as much again
    may be. What costs more than is ever allowed costs all of it."""
    now = time.time() if now is None else now
    cost = min(cost, allowed)
    window, into = divmod(now, seconds)
    current, before = counters.counters().add(key, int(window), seconds, cost)
    used = current + before * (1 - into / seconds)
    return used, max(1, math.ceil(wait(current, before, allowed - cost, seconds) - into))


def wait(current: int, before: int, room: int, seconds: int) -> float:
    """When no more than `room` is used, in seconds from the start of the current window."""
    if current <= room:  # once enough of the window before has slid away
        return seconds * (1 - (room - current) / before) if before else 0
    # In the next window, in which the hits of this one slide away.
    return seconds + seconds * max(0.0, 1 - room / current)
