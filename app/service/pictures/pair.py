"""Two stores at once, while pictures move from one to the other: neither misses anything.

What is written goes to both, and what is deleted from both. Reads ask the first store, then the
second: for what it has not got yet, and for a while when it fails.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from operator import attrgetter

from django.core.files.storage import Storage, storages

from service.pictures import marks, stores
from service.pictures.storage import PictureStorage
from service.pictures.stores import Entries, Entry

AVOIDED_SECONDS = 5  # that reads ask a store last which has just failed


class PairStorage(PictureStorage):
    """`first` and `second` are names in settings.STORAGES."""

    def __init__(self, first: str, second: str):
        self.names = (first, second)
        self.avoided: dict[str, float] = {}  # until when

    @property
    def both(self) -> list[Storage]:
        return [storages[name] for name in self.names]

    def read[Found](self, name: str, read: Callable[[Storage], Found]) -> Found:
        """What the first store that has the file says; raises FileNotFoundError."""
        problem = None
        for one in sorted(self.names, key=lambda one: self.avoided.get(one, 0) > time.monotonic()):
            if one == self.names[1] and marks.among([name]):
                # What is left there of a file that was deleted, and goes with the next sweep.
                raise FileNotFoundError(name)
            try:
                return read(storages[one])
            except FileNotFoundError:
                continue
            except Exception as error:  # each kind of store has others
                self.avoided[one] = time.monotonic() + AVOIDED_SECONDS
                problem = problem or error
        raise problem or FileNotFoundError(name)

    def about(self, name: str) -> Entry:
        return self.read(name, lambda store: stores.about(store, name))

    def part(self, name: str, start: int, size: int | None) -> bytes:
        return self.read(name, lambda store: stores.part(store, name, start, size))

    def walk(self) -> Iterator[tuple[str, Entries]]:
        for directory, *found in stores.side_by_side(*self.both):
            yield directory, {name: newest(name, *found) for name in set().union(*found)}

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        listed = zip(*(stores.listed(store, path) for store in self.both), strict=True)
        return tuple(sorted(set().union(*names)) for names in listed)

    def keep(self, files: Mapping[str, bytes]) -> None:
        for store in self.both:
            stores.keep(store, files)

    def discard(self, names: Collection[str]) -> None:
        problems = []
        for store in self.both:
            try:
                stores.discard(store, names)
            except Exception as error:  # the other one must lose them all the same
                problems.append(error)
        if problems:
            raise problems[0]

    def check(self) -> None:
        for store in self.both:
            stores.check(store)


def newest(name: str, *found: Entries) -> Entry:
    return max((entries[name] for entries in found if name in entries), key=attrgetter("modified"))
