"""What a source of metrics is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

from localcloud.services.cloudwatch.store import Metric, Point
from localcloud.services.cloudwatch.values import Values


class Source(ABC):
    """Measures one namespace once a minute. Remembers counters to tell what was added to them."""

    namespace: ClassVar[str]

    def __init__(self, cloud):
        self.cloud = cloud

    @abstractmethod
    def measure(self, at: int) -> Iterator[Point]:
        """What was seen since the last call, for the minute that began ``at`` (time.time).

        What is not there has no point: it is missing, and not zero.
        """

    def point(self, name: str, dimensions: dict[str, str], values: Values | float, unit: str,
              at: int) -> Point:  # fmt: skip
        if not isinstance(values, Values):
            values = Values.of([values])
        return Point(Metric.of(self.namespace, name, dimensions), at, values, unit)

    def points(self, name: str, every: Iterable[dict[str, str]], values: Values | float,
               unit: str, at: int) -> Iterator[Point]:  # fmt: skip
        """The same of several sets of dimensions."""
        for dimensions in every:
            yield self.point(name, dimensions, values, unit, at)
