"""How often functions ran, how long and how many at once, by minute: for CloudWatch."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from localcloud.services.minutes import Minutes

Subject = tuple[tuple[str, str], ...]
"""Dimensions, by name and value: of all functions, of one, of its alias or version."""


class Key(NamedTuple):
    """What is counted, and the second in which a minute began."""

    subject: Subject
    at: int


@dataclass
class Tally:
    """``durations`` are those of the runs, in milliseconds; ``most`` ran at once."""

    durations: list[float] = field(default_factory=list)
    errors: int = 0
    throttles: int = 0
    most: int = 0


def subjects(function: str, qualifier: str | None, version: str = "") -> list[Subject]:
    """AWS counts each run under all of these."""
    own = (("FunctionName", function),)
    named = (*own, ("Resource", f"{function}:{qualifier}" if qualifier else function))
    found = [(), own, named]
    if version and qualifier and qualifier != version:  # an alias, which leads to versions
        found.append((*named, ("ExecutedVersion", version)))
    return found


class Traffic(Minutes[Key, Tally]):
    """Counted where functions run, and taken once a minute."""

    def __init__(self, clock=time.time):
        super().__init__()
        self._clock = clock
        self._running: Counter[Subject] = Counter()

    @contextmanager
    def running(self, every: list[Subject]) -> Iterator[None]:
        """One more runs meanwhile."""
        with self._lock:
            for each in every:
                self._running[each] += 1
                tally = self._tally(each)
                tally.most = max(tally.most, self._running[each])
        try:
            yield
        finally:
            with self._lock:
                for each in every:
                    self._running[each] -= 1

    def ran(self, every: list[Subject], duration: float, failed: bool) -> None:
        with self._lock:
            for each in every:
                tally = self._tally(each)
                tally.durations.append(duration)
                tally.errors += failed

    def throttled(self, every: list[Subject]) -> None:
        with self._lock:
            for each in every:
                self._tally(each).throttles += 1

    def take(self, before: int) -> dict[Key, Tally]:
        found = super().take(before)
        with self._lock:
            for each, count in (+self._running).items():  # it goes on in the next minute
                tally = self._tally(each)
                tally.most = max(tally.most, count)
        return found

    def _tally(self, subject: Subject) -> Tally:
        now = int(self._clock())
        return self._seen.setdefault(Key(subject, now - now % 60), Tally())
