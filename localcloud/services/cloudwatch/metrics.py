"""Metrics: what is put in, what is read out, for the API and for other services here."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from localcloud.services.base import Service
from localcloud.services.cloudwatch.store import Metric, Point, Store
from localcloud.services.cloudwatch.values import Values, statistic

MINUTE = 60
SWEEP = 3600  # seconds between two looks for what is too old


class Metrics(Service):
    """Data points of everybody's metrics. ``clock`` is the time; tests have one of their own."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.clock: Callable[[], float] = time.time
        self.store = Store(cloud.settings.state / "metrics.sqlite")
        self._swept = time.monotonic()

    def close(self) -> None:
        self.store.close()

    def reconcile(self) -> None:
        if time.monotonic() - self._swept > SWEEP:
            self._swept = time.monotonic()
            self.store.sweep(self.clock())

    def put(self, namespace: str, metric: str, dimensions: dict[str, str],
            values: Iterable[float], unit: str = "None", at: float | None = None,
            resolution: int = MINUTE) -> None:  # fmt: skip
        """Publish ``values``, seen ``at`` (time.time; now), of a metric.

        They belong to the minute, or second, in which they were seen.
        """
        seen = tuple(values)
        if seen:
            self.add([self.point(namespace, metric, dimensions, Values.of(seen), unit, at,
                                 resolution)])  # fmt: skip

    def point(self, namespace: str, metric: str, dimensions: dict[str, str], values: Values,
              unit: str = "None", at: float | None = None,
              resolution: int = MINUTE) -> Point:  # fmt: skip
        moment = int(self.clock() if at is None else at)
        return Point(
            Metric.of(namespace, metric, dimensions), moment - moment % resolution, values, unit
        )

    def add(self, points: Iterable[Point]) -> None:
        """Publish many at once."""
        self.store.add(points)

    def statistics(self, namespace: str, metric: str, dimensions: dict[str, str], period: int,
                   name: str, start: datetime, end: datetime,
                   unit: str | None = None) -> list[tuple[datetime, float]]:  # fmt: skip
        """A statistic ("Average", "p95", ...) of each period that has data, the oldest first.

        Periods begin at ``start``, rounded down to a minute (or to ``period``, if that is
        shorter). A period is named by its beginning. ``dimensions`` are all that the metric has.
        """
        found = self.periods(Metric.of(namespace, metric, dimensions), period, start, end, unit)
        return [
            (at, value)
            for at, points in found.items()
            if (value := statistic(name, [each.values for each in points])) is not None
        ]

    def periods(self, metric: Metric, period: int, start: datetime, end: datetime,
                unit: str | None = None) -> dict[datetime, list[Point]]:  # fmt: skip
        """The points of each period that has any, the oldest first."""
        first = begin(start, period)
        found: dict[datetime, list[Point]] = {}
        for point in self.store.read(metric, first, int(end.timestamp()), unit):
            at = datetime.fromtimestamp(point.at - (point.at - first) % period, UTC)
            found.setdefault(at, []).append(point)
        return found


def begin(start: datetime, period: int) -> int:
    """Where the periods of a question begin."""
    second = int(start.timestamp())
    return second - second % min(period, MINUTE)
