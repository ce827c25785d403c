"""AWS/DynamoDB: what tables and their global indexes take, and what is too much for them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
A table that nobody asks has no data points.
"""

from collections.abc import Iterator

from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point
from localcloud.services.cloudwatch.values import Values
from localcloud.services.dynamodb.capacity import Capacity


class TableMetrics(Source):
    """What a global index takes is told of it alone, not of its table."""

    namespace = "AWS/DynamoDB"

    def measure(self, at: int) -> Iterator[Point]:
        for key, tally in self.cloud.service(Capacity).traffic.take(at + 60).items():
            names = {"TableName": key.table}
            if key.index:
                names["GlobalSecondaryIndexName"] = key.index
            if tally.units:
                units = Values.of(tally.units)
                metric = f"Consumed{key.kind}CapacityUnits"
                yield self.point(metric, names, units, "Count", key.at)
            if tally.throttled:
                events = Values.counted([(1, tally.throttled)])
                yield self.point(f"{key.kind}ThrottleEvents", names, events, "Count", key.at)
