"""What the edge has served, by minute: from its log, for CloudWatch."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from localcloud.services.minutes import Minutes


class Key(NamedTuple):
    """A distribution, and the second in which a minute began."""

    distribution: str
    at: int


@dataclass
class Tally:
    """Viewers' requests, the bytes that they got, and the statuses."""

    requests: int = 0
    sent: int = 0
    statuses: Counter = field(default_factory=Counter)


class Traffic(Minutes[Key, Tally]):
    """Lines come in one thread and are taken by another."""

    def add(self, entry: dict, at: float) -> None:
        """Count a line of the edge's log."""
        if not entry.get("distribution"):
            return  # a name that no distribution has
        key = Key(entry["distribution"], int(at) - int(at) % 60)
        with self._lock:
            tally = self._seen.setdefault(key, Tally())
            tally.requests += 1
            tally.sent += int(entry["bytes"])
            tally.statuses[int(entry["status"]) // 100] += 1
