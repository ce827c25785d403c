"""Visitors' sessions, in whatever keeps them: one protocol, so that they can move between stores.

A session that was ended (logout) leaves a gravestone, its key without data, for as long as it would
have lived: no copy of it that waits elsewhere, or is on its way, brings it back to life. Data is as
Django encodes and signs it, the same in every store.
"""

import time
from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

STORES = {
    "database": "service.sessions.database.Database",
    "dynamodb": "service.sessions.dynamodb.DynamoDB",
    "elasticache": "service.sessions.cached.Cached",
}
GONE = ""
# A gravestone outlives the session: another host may have prolonged that meanwhile.
LONGER = 24 * 3600


class Kept(NamedTuple):
    key: str
    data: str
    expires: int  # seconds since 1970

    @property
    def gone(self) -> bool:
        return self.data == GONE

    @property
    def expired(self) -> bool:
        return self.expires <= time.time()

    def ended(self) -> "Kept":
        return Kept(self.key, GONE, self.expires + LONGER)


class Sessions(Protocol):
    """What is read is never older than what was written before. Nothing that is expired is there.

    Raises one of errors.STORE_ERRORS.
    """

    def get(self, key: str) -> Kept | None: ...

    def add(self, kept: Kept) -> bool:
        """False if there is one of that key, or a gravestone."""

    def replace(self, kept: Kept) -> bool:
        """False if there is none of that key, or a gravestone."""

    def bury(self, gravestone: Kept) -> None:
        """Put it, whatever is there."""

    def clear_expired(self) -> None: ...


class Store(Sessions, Protocol):
    """One from which, or to which, sessions can move."""

    at_once: int  # how many may add at the same time

    def get_many(self, keys: Collection[str]) -> dict[str, Kept]:
        """Up to BATCH of them, by key."""

    def replace(self, kept: Kept, seen: Kept | None = None) -> bool:
        """False also if it is not the one that was seen."""

    def all(self) -> Iterator[list[Kept]]:
        """In batches; what comes or goes meanwhile may be among them or not."""

    def about_how_many(self) -> int: ...


BATCH = 100  # what DynamoDB reads at once


def store(name: str) -> Store:
    return import_string(STORES[name])()


def current() -> Sessions:
    """The store, or both of them while sessions move."""
    first = store(settings.SESSION_STORE)
    if not settings.SESSION_STORE_SECOND:
        return first
    from service.sessions.both import Both

    return Both(first, store(settings.SESSION_STORE_SECOND))
