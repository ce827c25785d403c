"""Whether an alarm alarms: pure, from what was seen of its metric.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, INSUFFICIENT)
EXTRA = 2
"""Periods that are looked at beyond those that an alarm needs, for those without data."""
COMPARISONS = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
MISSING = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True)
class Rule:
    """``needed`` of ``periods`` periods have to breach."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.threshold)


@dataclass(frozen=True)
class Seen:
    """One period's value."""

    at: datetime
    value: float
    samples: float = 1


@dataclass(frozen=True)
class Decision:
    """``state`` is None when the state stays what it is. ``used`` are the values that decided,
    the newest first, and ``filled`` how many periods without any were taken for something."""

    state: str | None
    used: tuple[Seen, ...] = ()
    filled: int = 0


def decide(rule: Rule, seen: Sequence[Seen | None]) -> Decision:
    """``seen`` are the newest ``rule.periods + EXTRA`` periods, the newest first, None where there
    is no value."""
    real = tuple(each for each in seen if each is not None)
    lacking = rule.periods - len(real)
    if lacking <= 0:
        # with enough values it does not matter how missing ones are treated
        used = real[: rule.periods]
        return Decision(_state(rule, _breaching(rule, used)), used)
    if rule.missing == "breaching":
        return Decision(_state(rule, _breaching(rule, real) + lacking), real, lacking)
    if rule.missing == "notBreaching":
        return Decision(_state(rule, _breaching(rule, real)), real, lacking)
    if not real:
        return Decision(INSUFFICIENT if rule.missing == "missing" else None, (), lacking)
    if _breaching(rule, real) >= rule.needed:
        return Decision(ALARM, real, lacking)
    if _lasting(rule, seen):
        return Decision(ALARM if rule.missing == "missing" else None, real, lacking)
    return Decision(OK, real, lacking)


def _lasting(rule: Rule, seen: Sequence[Seen | None]) -> bool:
    """Whether all values breach, and the oldest has been there as long as an alarm takes: those
    that followed may only be late."""
    there = [(age, each) for age, each in enumerate(seen, 1) if each is not None]
    return all(rule.breaches(each.value) for _, each in there) and there[-1][0] >= rule.needed


def _breaching(rule: Rule, values: Sequence[Seen]) -> int:
    return sum(rule.breaches(each.value) for each in values)


def _state(rule: Rule, breaching: int) -> str:
    return ALARM if breaching >= rule.needed else OK
