"""Copies, in the shared cache, of what is read often: a page that is warm asks no database.

A copy is made of things, and each thing has a mark. Who changes one says so after the commit, which
gives it a new mark. A copy carries the marks that were there before it was read, and holds only
while these are the present ones: a reader that was slower than a writer leaves a copy that nobody
takes, without a lock and without an hour at which that could go wrong.

Where a change could not be told (the cache was away, the process died between the commit and the
mark) a copy is wrong for SECONDS at most. A cache of one process or in the database gets no copies.
"""

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction

SECONDS = 60
# No mark means no change for so long: longer than a copy lives, and than a reader takes to make it.
MARKS_LAST = 10 * SECONDS


def are_kept() -> bool:
    return getattr(cache, "shared", False)


def read(name: str, things: Iterable[str], load: Callable[[], Any]) -> Any:
    """The value that JSON knows by this name, made of these things; from its copy if that holds.

    None, for what is not there, is not kept.
    """
    if not are_kept():
        return load()
    marks = [mark(thing) for thing in things]
    found = cache.get_many([name, *marks])
    present = [found.get(mark) for mark in marks]
    copy = found.get(name)
    if copy and copy[0] == present:
        return copy[1]
    value = load()
    if value is not None:
        cache.set(name, [present, value], SECONDS)
    return value


def mark(thing: str) -> str:
    return f"mark:{thing}"


def changed(*things: str) -> None:
    """Every copy that is made of one of these is wrong from the commit on."""
    if not (things and are_kept()):
        return

    def tell() -> None:
        cache.insist({mark(thing): secrets.token_hex(8) for thing in things}, MARKS_LAST)

    if connection.in_atomic_block:
        transaction.on_commit(tell)
    else:
        tell()
