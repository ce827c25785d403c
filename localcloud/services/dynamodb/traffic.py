"""What tables and their global indexes were asked for, by minute: for CloudWatch."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from localcloud.services.minutes import Minutes


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


class Traffic(Minutes[Key, Tally]):
    """Many threads add, one takes."""

    def __init__(self, clock: Callable[[], float] = time.time):
        super().__init__()
        self._clock = clock

    def consumed(self, table: str, index: str, kind: str, units: float) -> None:
        with self._lock:
            self._tally(table, index, kind).units.append(units)

    def throttled(self, table: str, index: str, kind: str) -> None:
        with self._lock:
            self._tally(table, index, kind).throttled += 1

    def _tally(self, table: str, index: str, kind: str) -> Tally:
        now = int(self._clock())
        return self._seen.setdefault(Key(table, index, kind, now - now % 60), Tally())
