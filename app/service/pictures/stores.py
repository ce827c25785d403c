"""What moving and sweeping ask of a store of files, many files at a time.

Our own stores have a quick way of each; any other of Django's storages is asked file by file.
"""

import heapq
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, repeat

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.utils import timezone

# Where what was sent waits to be made a picture of. Its names may come again, and it soon goes.
INCOMING = "incoming"
OF_ORIGINAL = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """What is known of a file without reading it."""

    size: int
    modified: datetime


# The files of one original, by name.
type Entries = dict[str, Entry]


class Damaged(Exception):
    """Files whose bytes are not those that were stored."""

    def __init__(self, names: Collection[str]):
        super().__init__(f"Not the bytes that were stored: {', '.join(sorted(names))}")
        self.names = set(names)


def waits(name: str) -> bool:
    return name.partition("/")[0] == INCOMING


def walk(store: Storage) -> Iterator[tuple[str, Entries]]:
    """The directories of originals, in order, each with its files. What else is there is not ours.

    Whole names are not in order: databases sort as their language does. A directory is one number.
    """
    if hasattr(store, "walk"):
        yield from store.walk()
        return
    for directory in filter(OF_ORIGINAL.fullmatch, sorted(listed(store, "")[0])):
        names = [f"{directory}/{name}" for name in listed(store, directory)[1]]
        yield directory, {name: entry for name in names if (entry := look(store, name))}


def listed(store: Storage, directory: str) -> tuple[list[str], list[str]]:
    """The directories and files in a directory, which need not be there."""
    try:
        return store.listdir(directory)
    except FileNotFoundError:
        return [], []


def side_by_side(one: Storage, other: Storage) -> Iterator[tuple[str, Entries, Entries]]:
    """The directories of two stores, in order, each with its files in the one and in the other."""
    walks = (zip(walk(store), repeat(number)) for number, store in enumerate((one, other)))
    merged = heapq.merge(*walks, key=lambda found: found[0][0])
    for directory, found in groupby(merged, key=lambda found: found[0][0]):
        entries = {number: files for (_, files), number in found}
        yield directory, entries.get(0, {}), entries.get(1, {})


def about(store: Storage, name: str) -> Entry:
    """Raises FileNotFoundError."""
    if hasattr(store, "about"):
        return store.about(name)
    return Entry(store.size(name), aware(store.get_modified_time(name)))


def look(store: Storage, name: str) -> Entry | None:
    try:
        return about(store, name)
    except FileNotFoundError:
        return None


def part(store: Storage, name: str, start: int, size: int | None) -> bytes:
    """So many bytes of a file from a position on, or all. Raises FileNotFoundError."""
    if hasattr(store, "part"):
        return store.part(name, start, size)
    with store.open(name) as file:
        file.seek(start)
        return file.read(-1 if size is None else size)


def aware(when: datetime) -> datetime:
    return when if timezone.is_aware(when) else timezone.make_aware(when)


def fetch(store: Storage, names: Collection[str]) -> dict[str, bytes]:
    """The bytes of those that are there. Raises Damaged where a store sees that they are."""
    if hasattr(store, "fetch"):
        return store.fetch(names)
    found = {}
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = part(store, name, 0, None)
    return found


def keep(store: Storage, files: Mapping[str, bytes]) -> None:
    """Put files there; one that is there already stays as it is."""
    if hasattr(store, "keep"):
        store.keep(files)
        return
    for name, data in files.items():
        if not store.exists(name):
            saved = store.save(name, ContentFile(data))
            if saved != name:  # by someone else at this very moment
                store.delete(saved)


def discard(store: Storage, names: Collection[str]) -> None:
    """Delete files, which need not be there."""
    if hasattr(store, "discard"):
        store.discard(names)
        return
    for name in names:
        store.delete(name)


def check(store: Storage) -> None:
    """Raise whatever the store says if it does not answer."""
    if hasattr(store, "check"):
        store.check()
        return
    store.exists("readyz")


def enduring(alias: str) -> Storage:
    """The store with that name in settings.STORAGES, as a long command needs it."""
    store = storages[alias]
    return store.enduring() if hasattr(store, "enduring") else store
