"""AWS/ApiGateway: what HTTP APIs serve.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
Without requests there are no data points.
"""

from collections.abc import Iterator

from localcloud.services.apigateway.serving import Serving
from localcloud.services.apigateway.traffic import Key, Tally
from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point
from localcloud.services.cloudwatch.values import Values


class GatewayMetrics(Source):
    """Of an API, of each of its stages, and of routes whose stage asks for details."""

    namespace = "AWS/ApiGateway"

    def measure(self, at: int) -> Iterator[Point]:
        apis: dict[tuple[str, int], list[Tally]] = {}
        stages: dict[tuple[str, str, int], list[Tally]] = {}
        for key, tally in self.cloud.service(Serving).traffic.take(at + 60).items():
            apis.setdefault((key.api, key.at), []).append(tally)
            stages.setdefault((key.api, key.stage, key.at), []).append(tally)
            if key.route:
                yield from self._served(_route(key), [tally], key.at)
        for (api, when), tallies in apis.items():
            yield from self._served({"ApiId": api}, tallies, when)
        for (api, stage, when), tallies in stages.items():
            yield from self._served({"ApiId": api, "Stage": stage}, tallies, when)

    def _served(self, names: dict[str, str], tallies: list[Tally], at: int) -> Iterator[Point]:
        """All that is told of what these tallies have counted."""
        requests = sum(each.requests for each in tallies)
        yield self.point("Count", names, Values.counted([(1, requests)]), "Count", at)
        for family in (4, 5):
            failed = sum(each.statuses[family] for each in tallies)
            seen = Values.counted([(1, failed), (0, requests - failed)])
            yield self.point(f"{family}xx", names, seen, "Count", at)
        yield self.point("DataProcessed", names, sum(e.sent for e in tallies), "Bytes", at)
        for metric, counted in (
            ("Latency", [pair for each in tallies for pair in each.latencies.items()]),
            ("IntegrationLatency", [p for each in tallies for p in each.integrations.items()]),
        ):
            if counted:
                yield self.point(metric, names, Values.counted(counted), "Milliseconds", at)


def _route(key: Key) -> dict[str, str]:
    method, _, resource = key.route.partition(" ")
    return {"ApiId": key.api, "Stage": key.stage, "Method": method, "Resource": resource or method}
