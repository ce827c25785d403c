"""What tables and their global indexes were asked for, by minute: for CloudWatch."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Key(NamedTuple):
    """A table, one of its global indexes or "", what is counted (Read or Write), and the second in
    which a minute began."""

    table: str
    index: str
    kind: str
    at: int


@dataclass
class Tally:
    """``units`` are those of each request that was let through."""

    units: list[float] = field(default_factory=list)
    throttled: int = 0


class Traffic:
    """Many threads add, one takes."""

    def __init__(self, clock: Callable[[], float] = time.time):
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Key, Tally] = {}

    def consumed(self, table: str, index: str, kind: str, units: float) -> None:
        with self._lock:
            self._tally(table, index, kind).units.append(units)

    def throttled(self, table: str, index: str, kind: str) -> None:
        with self._lock:
            self._tally(table, index, kind).throttled += 1

    def take(self, before: int) -> dict[Key, Tally]:
        """What was counted in minutes that began before then; it is forgotten here."""
        with self._lock:
            found = {key: tally for key, tally in self._seen.items() if key.at < before}
            for key in found:
                del self._seen[key]
        return found

    def _tally(self, table: str, index: str, kind: str) -> Tally:
        now = int(self._clock())
        return self._seen.setdefault(Key(table, index, kind, now - now % 60), Tally())
