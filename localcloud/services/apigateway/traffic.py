"""What was served, by minute, for CloudWatch."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from localcloud.services.minutes import Minutes


class Key(NamedTuple):
    """A stage of an API, a route ("" where nobody asked for details), and the second in which a
    minute began."""

    api: str
    stage: str
    route: str
    at: int


@dataclass
class Tally:
    """``latencies`` are milliseconds until a request was answered, ``integrations`` those that the
    function took, each with how often they were seen."""

    requests: int = 0
    sent: int = 0
    statuses: Counter = field(default_factory=Counter)
    latencies: Counter = field(default_factory=Counter)
    integrations: Counter = field(default_factory=Counter)


class Traffic(Minutes[Key, Tally]):
    """Many threads add, one takes."""

    def __init__(self, clock: Callable[[], float] = time.time):
        super().__init__()
        self._clock = clock

    def add(self, api: str, stage: str, route: str, status: int, sent: int, latency: float,
            integration: float | None) -> None:  # fmt: skip
        """Count a request; times are in milliseconds."""
        now = int(self._clock())
        with self._lock:
            tally = self._seen.setdefault(Key(api, stage, route, now - now % 60), Tally())
            tally.requests += 1
            tally.sent += sent
            tally.statuses[status // 100] += 1
            tally.latencies[round(latency)] += 1
            if integration is not None:
                tally.integrations[round(integration)] += 1
