"""Values of one metric, and CloudWatch's statistics of them: pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


@dataclass(frozen=True)
class Values:
    """What was seen of a metric at one time.

    ``each`` are pairs of a value and how often it was seen; empty when only the sums are known,
    as of a statistic set.
    """

    count: float
    sum: float
    minimum: float
    maximum: float
    each: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, values: Iterable[float]) -> "Values":
        return cls.counted((value, 1) for value in values)

    @classmethod
    def counted(cls, pairs: Iterable[tuple[float, float]]) -> "Values":
        """Of pairs of a value and how often it was seen."""
        seen: dict[float, float] = {}
        for value, count in pairs:
            if count:
                seen[value] = seen.get(value, 0) + count
        return cls(
            count=sum(seen.values()),
            sum=sum(value * count for value, count in seen.items()),
            minimum=min(seen),
            maximum=max(seen),
            each=tuple(sorted(seen.items())),
        )

    def percentiles(self) -> tuple[tuple[float, float], ...] | None:
        """The values one by one; of a statistic set only where all are the same."""
        if self.each:
            return self.each
        return ((self.minimum, self.count),) if self.minimum == self.maximum else None


def known(name: str) -> bool:
    """Whether this is a statistic here: trimmed means and ranks are not."""
    return name in SIMPLE or bool(PERCENTILE.fullmatch(name))


def statistic(name: str, sets: list[Values]) -> float | None:
    """A statistic over all of ``sets``; None when there is none."""
    count = sum(each.count for each in sets)
    if not count:
        return None
    if name == "SampleCount":
        return count
    if name == "Sum":
        return math.fsum(each.sum for each in sets)
    if name == "Average":
        return math.fsum(each.sum for each in sets) / count
    if name == "Minimum":
        return min(each.minimum for each in sets)
    if name == "Maximum":
        return max(each.maximum for each in sets)
    return _percentile(float(PERCENTILE.fullmatch(name)[1]), sets)


def _percentile(percent: float, sets: list[Values]) -> float | None:
    pairs = []
    for each in sets:
        known_pairs = each.percentiles()
        if known_pairs is None:
            return None
        pairs += known_pairs
    rank = percent / 100 * sum(count for _, count in pairs)
    seen = 0.0
    for value, count in sorted(pairs):
        seen += count
        # a rank is a sum of floats
        if seen >= rank - 1e-9:
            return value
    return None
