"""What a load balancer's nodes have served, by minute: from their logs, for CloudWatch."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from localcloud.services.minutes import Minutes


class Key(NamedTuple):
    """A node, the second in which a minute began, and a target group ("" for none)."""

    host: str
    at: int
    group: str


@dataclass
class Tally:
    """``chosen`` are requests for which there was a target. ``times`` are milliseconds until a
    target began to answer, ``target`` and ``own`` statuses of targets and of the node itself."""

    chosen: int = 0
    redirects: int = 0
    fixed: int = 0
    sent: int = 0
    times: Counter = field(default_factory=Counter)
    target: Counter = field(default_factory=Counter)
    own: Counter = field(default_factory=Counter)


class Traffic(Minutes[Key, Tally]):
    """Lines come from a thread for each node, and are taken by another."""

    def add(self, host: str, entry: dict) -> None:
        """Count a line of a node's log."""
        ended = (int(entry["accepted"]) + max(0, int(entry["total_ms"]))) // 1000
        group = entry["backend"]
        served = group.startswith("group_")
        key = Key(host, ended - ended % 60, group.removeprefix("group_") if served else "")
        with self._lock:
            _count(self._seen.setdefault(key, Tally()), entry, served)


def _count(tally: Tally, entry: dict, served: bool) -> None:
    tally.sent += int(entry["sent"])
    if served and entry["server"] not in ("", "-", "<NOSRV>"):
        tally.chosen += 1
    if not served:
        if entry["location"]:
            tally.redirects += 1
        else:
            tally.fixed += 1
    if str(entry["target_status"]).isdigit():
        tally.target[int(entry["target_status"])] += 1
        if int(entry["response_ms"]) >= 0:
            tally.times[int(entry["response_ms"])] += 1
    elif str(entry["status"]).isdigit():
        tally.own[int(entry["status"])] += 1
