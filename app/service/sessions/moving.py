"""Copying sessions between two stores while visitors come, log in and log out; and comparing them.

Visitors' writes go to the store that is right (SESSION_STORE) and then to the second, see both.py.
So here a target that is the second is read before its source is, and written only if it is still as
it was read: what a visitor writes meanwhile comes later there, and wins. Run anew after a cut it
passes quickly over what is there already.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from hashlib import sha256

from service.errors import STORE_ERRORS
from service.sessions import Kept, Store

ATTEMPTS = 6
SETTLES = 5  # attempts at a session that visitors are writing at this moment
PAUSE = 0.5

type Tell = Callable[[list[Kept]], None]


def patiently[Answer](do: Callable[..., Answer], *arguments) -> Answer:
    """A store that is too busy, or away for a moment, is asked again."""
    for attempt in range(ATTEMPTS):
        try:
            return do(*arguments)
        except STORE_ERRORS:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE * 2**attempt)
    raise AssertionError("the loop returns or raises")


def one(store: Store, key: str) -> Kept | None:
    """From the store itself, no copy in a cache."""
    return patiently(store.get_many, [key]).get(key)


# --- Copying ------------------------------------------------------------------------------------
@dataclass
class Copy:
    """`overwrites` if the target is the second store. The first is right even where it differs."""

    source: Store
    target: Store
    overwrites: bool
    seen: int = 0
    copied: int = 0

    def run(self, tell: Tell) -> None:
        parallel = self.target.at_once > 1
        with ThreadPoolExecutor(self.target.at_once) if parallel else nullcontext() as pool:
            at_once = pool.map if parallel else map
            for batch in self.source.all():
                there = patiently(self.target.get_many, [kept.key for kept in batch])
                new = [kept for kept in batch if kept.key not in there]
                added = at_once(lambda kept: patiently(self.target.add, kept), new)
                refused = [kept for kept, done in zip(new, added, strict=True) if not done]
                self.copied += len(new) - len(refused)
                differ = [kept for kept in batch if kept.key in there and kept != there[kept.key]]
                self.copied += sum(self.settle(kept.key) for kept in refused + differ)
                self.seen += len(batch)
                tell(batch)

    def settle(self, key: str) -> bool:
        """Make both the same where they differ; whether the target had to be written."""
        for _ in range(SETTLES):
            there, kept = one(self.target, key), one(self.source, key)
            if kept is None or kept == there:
                return False
            if there and there.gone:
                if not kept.gone:  # who was logged out stays so
                    patiently(self.source.bury, there)
                return False
            if kept.gone:
                patiently(self.target.bury, kept)
                return True
            if there and not self.overwrites:
                return False
            if there and patiently(self.target.replace, kept, there):
                return True
            if not there and patiently(self.target.add, kept):
                return True
        return False  # it changes all the time, and whoever changes it writes to both


# --- Comparing ----------------------------------------------------------------------------------
@dataclass
class Side:
    """What is alive in one store."""

    count: int = 0
    sum: int = 0

    def add(self, kept: Kept) -> None:
        self.count += 1
        digest = sha256(" ".join(map(str, kept)).encode()).digest()
        self.sum = (self.sum + int.from_bytes(digest)) % (1 << 256)  # in whatever order

    def said(self) -> dict:
        return {"count": self.count, "sha256": f"{self.sum:064x}"}


@dataclass
class Comparison:
    first: Store
    second: Store
    sides: tuple[Side, Side] = field(default_factory=lambda: (Side(), Side()))
    different: int = 0

    def run(self, tell: Tell) -> None:
        for index, (store, other) in enumerate(self.ways()):
            side = self.sides[index]
            for batch in store.all():
                there = patiently(other.get_many, [kept.key for kept in batch])
                for kept in filter(is_alive, batch):
                    side.add(kept)
                    # What both have and is not the same counts once.
                    new = index == 0 or not is_alive(there.get(kept.key))
                    if new and there.get(kept.key) != kept and self.differ(kept.key):
                        self.different += 1
                tell(batch)

    def ways(self) -> Iterator[tuple[Store, Store]]:
        yield self.first, self.second
        yield self.second, self.first

    def differ(self, key: str) -> bool:
        """Still, after a moment: a visitor may be writing just now."""
        for attempt in range(SETTLES):
            time.sleep(PAUSE * (attempt > 0))
            first, second = one(self.first, key), one(self.second, key)
            if first == second or not (is_alive(first) or is_alive(second)):
                return False
        return True


def is_alive(kept: Kept | None) -> bool:
    return kept is not None and not kept.gone
