"""How to find the number of users a site carries, whatever measures it."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.localhost import is_localhost

P95_SECONDS = 1.0
FAILED_SHARE = 0.01
NARROWING_STEPS = 3


@dataclass(frozen=True)
class Step:
    """What a number of users met. Times in milliseconds."""

    users: int
    requests: int
    requests_per_second: float
    p50: float
    p95: float
    p99: float
    failed: int
    uploads: int
    client_cpu_percent: float

    @property
    def carried(self) -> bool:
        quick = self.requests > 0 and self.p95 < 1000 * P95_SECONDS
        return quick and self.failed <= FAILED_SHARE * self.requests


TITLE = f"{'users':>6} {'requests/s':>10} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'failed':>7}"


def row(step: Step) -> str:
    return (
        f"{step.users:6} {step.requests_per_second:10.1f} {step.p50:8.0f} {step.p95:8.0f} "
        f"{step.p99:8.0f} {step.failed:7}  {'carried' if step.carried else 'too many'}"
    )


def find_capacity(measure, first: int, most: int) -> list[Step]:
    """Steps in the order they were made: doubling, then halving the gap that is left.

    `measure(users)` returns the Step.
    """
    steps = []
    good, bad = 0, None
    users = first
    narrowing = 0
    while users not in {step.users for step in steps}:
        step = measure(users)
        steps.append(step)
        if step.carried:
            good = max(good, users)
        else:
            bad = min(bad or users, users)
        if bad is None:
            users = min(2 * users, most)
            continue
        narrowing += 1
        if narrowing > NARROWING_STEPS:
            break
        users = (good + bad) // 2 or 1
    return steps


def carried(steps: list[Step]) -> int:
    return max((step.users for step in steps if step.carried), default=0)


def calm_from(moments: list[dict]) -> int | None:
    """The second from which on p95 is what it has to be, or None."""
    second = None
    for each in reversed(moments):
        if each["requests"] == 0 or each["p95"] >= 1000 * P95_SECONDS:
            break
        second = each["second"]
    return second


def check_host(host: str, owned: bool) -> None:
    """Raises ValueError for a site that may be somebody else's."""
    name = urlsplit(host).hostname or ""
    try:
        at_home = ipaddress.ip_address(name).is_loopback
    except ValueError:
        at_home = is_localhost(name)
    if not name or not (at_home or owned):
        raise ValueError(
            f"{host} is not on this machine. A load test of a site that is not yours is an attack; "
            "if it is yours, say --i-own-this-site."
        )
