"""AWS/Lambda: how functions ran.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
A function that nobody invokes has no data points.
"""

from collections.abc import Iterator

from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point
from localcloud.services.cloudwatch.values import Values
from localcloud.services.functions.invocations import Invocations


class FunctionMetrics(Source):
    """Of each function, of its aliases and versions, and of all together."""

    namespace = "AWS/Lambda"

    def measure(self, at: int) -> Iterator[Point]:
        for key, tally in self.cloud.service(Invocations).traffic.take(at + 60).items():
            names, runs = dict(key.subject), len(tally.durations)
            if runs:
                yield self.point("Invocations", names, Values.counted([(1, runs)]), "Count", key.at)
                errors = Values.counted([(0, runs - tally.errors), (1, tally.errors)])
                yield self.point("Errors", names, errors, "Count", key.at)
                durations = Values.of(tally.durations)
                yield self.point("Duration", names, durations, "Milliseconds", key.at)
            if runs or tally.throttles:
                throttles = Values.counted([(0, runs), (1, tally.throttles)])
                yield self.point("Throttles", names, throttles, "Count", key.at)
            if tally.most:
                yield self.point("ConcurrentExecutions", names, tally.most, "Count", key.at)
