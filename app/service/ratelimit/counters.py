"""What rate limits are counted in, shared by all hosts: `COUNTERS` chooses."""

import logging
from typing import Protocol

from django.conf import settings
from django.core.cache import cache
from django.utils.module_loading import import_string

from service.ratelimit.models import Count

log = logging.getLogger(__name__)


class Counters(Protocol):
    def add(self, key: str, window: int, seconds: int, amount: int) -> tuple[int, int]:
        """Add to the count of the window with this number, which lasts `seconds`.

        Returns it, and the count of the window before. Nothing that is added at the same moment is
        ever lost. Raises one of errors.STORE_ERRORS.
        """


class InDatabase:
    """A table of our own: Django's database cache cannot count atomically."""

    def add(self, key: str, window: int, seconds: int, amount: int) -> tuple[int, int]:
        count = Count.add(key, window, (window + 2) * seconds, amount)
        if count == amount:
            Count.objects.filter(expires__lte=window * seconds).delete()
        before = Count.objects.filter(key=key, window=window - 1).values_list("hits", flat=True)
        return count, before.first() or 0


class InCache:
    def add(self, key: str, window: int, seconds: int, amount: int) -> tuple[int, int]:
        name = f"ratelimit:{key}:{window}"
        try:
            cache.add(name, 0, timeout=2 * seconds)
            return cache.incr(name, amount), cache.get(f"ratelimit:{key}:{window - 1}", 0)
        except Exception as error:  # each cache has errors of its own
            # From nothing, but the limits hold.
            other = "dynamodb" if settings.ROWS == "dynamodb" else "database"
            log.warning("%s counts for the cache: %s", other, error)
            return of_kind(other).add(key, window, seconds, amount)


KINDS = {
    "database": "service.ratelimit.counters.InDatabase",
    "cache": "service.ratelimit.counters.InCache",
    "dynamodb": "service.ratelimit.dynamodb.InDynamoDB",
}


def of_kind(kind: str) -> Counters:
    return import_string(KINDS[kind])()


def counters() -> Counters:
    return of_kind(settings.COUNTERS)
