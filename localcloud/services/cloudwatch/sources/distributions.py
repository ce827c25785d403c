"""AWS/CloudFront: what distributions serve, from the edge's log.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/programming-cloudwatch-metrics.html
Without requests there are no data points.
"""

from collections.abc import Iterator

from localcloud.services.cloudfront.distributions import Distributions
from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point


class DistributionMetrics(Source):
    """Each is of the region "Global"."""

    namespace = "AWS/CloudFront"

    def measure(self, at: int) -> Iterator[Point]:
        for key, tally in self.cloud.service(Distributions).traffic.take(at + 60).items():
            names = {"DistributionId": key.distribution, "Region": "Global"}
            yield self.point("Requests", names, tally.requests, "None", key.at)
            yield self.point("BytesDownloaded", names, tally.sent, "None", key.at)
            rates = {
                "4xxErrorRate": tally.statuses[4],
                "5xxErrorRate": tally.statuses[5],
                "TotalErrorRate": tally.statuses[4] + tally.statuses[5],
            }
            for metric, count in rates.items():
                rate = 100 * count / tally.requests
                yield self.point(metric, names, rate, "Percent", key.at)
