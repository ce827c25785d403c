"""AWS/ApplicationELB: what load balancers serve, from their nodes' logs, and how targets are.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
Without requests there are no data points, but of targets' health.
"""

from collections import Counter
from collections.abc import Iterator

from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point
from localcloud.services.cloudwatch.values import Values
from localcloud.services.elbv2.balancers import LoadBalancers
from localcloud.services.elbv2.targets import TargetGroups
from localcloud.services.elbv2.traffic import Tally

OWN_ERRORS = (500, 502, 503, 504)
"""Errors of load balancers that have metrics of their own."""


class BalancerMetrics(Source):
    """Load balancers and target groups are named by the ends of their ARNs."""

    namespace = "AWS/ApplicationELB"

    def measure(self, at: int) -> Iterator[Point]:
        balancers = self.cloud.service(LoadBalancers)
        groups = list(self.cloud.backend("elbv2").target_groups.values())
        named = {group.name: group_name(group) for group in groups}
        nodes = {
            host.id: (balancer_name(each), host.zone)
            for each in balancers.all()
            for host in each.nodes
        }
        healthy = {}
        for group in groups:
            if group.load_balancer_arns and group.targets:
                healthy[group.name] = self._count(group)
                yield from self._health(group, *healthy[group.name], at)
        for key, tally in balancers.traffic.take(at + 60).items():
            if key.host not in nodes:
                continue
            balancer, zone = nodes[key.host]
            yield from self._served(balancer, zone, tally, key.at)
            if key.group in named:
                ready = len(healthy.get(key.group, ((), ()))[0]) or 1
                yield from self._group_served(
                    balancer, zone, named[key.group], tally, ready, key.at
                )

    # targets

    def _count(self, group) -> tuple[list[str], list[str]]:
        """Healthy targets and unhealthy ones."""
        health = self.cloud.service(TargetGroups)
        states = {target: health.health(group, target).state for target in list(group.targets)}
        return (
            [target for target, state in states.items() if state == "healthy"],
            [target for target, state in states.items() if state == "unhealthy"],
        )

    def _health(self, group, healthy: list[str], unhealthy: list[str], at: int) -> Iterator[Point]:
        zones = Counter({self._zone(target): 0 for target in group.targets})
        for metric, targets in (("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)):
            counted = zones + Counter()
            counted.update(self._zone(target) for target in targets)
            for arn in group.load_balancer_arns:
                names = {"LoadBalancer": _end(arn), "TargetGroup": group_name(group)}
                yield self.point(metric, names, len(targets), "Count", at)
                for zone in zones:
                    yield self.point(
                        metric, {**names, "AvailabilityZone": zone}, counted[zone], "Count", at
                    )

    def _zone(self, target: str) -> str:
        instance = self.cloud.backend("ec2").get_instance_by_id(target)
        return instance.availability_zone if instance else "all"

    # requests

    def _served(self, balancer: str, zone: str, tally: Tally, at: int) -> Iterator[Point]:
        every = _with_zone({"LoadBalancer": balancer}, zone)
        counts = {
            "HTTP_Redirect_Count": tally.redirects,
            "HTTP_Fixed_Response_Count": tally.fixed,
        }
        for status, count in tally.own.items():
            if status >= 300:
                family = f"HTTPCode_ELB_{status // 100}XX_Count"
                counts[family] = counts.get(family, 0) + count
            if status in OWN_ERRORS:
                counts[f"HTTPCode_ELB_{status}_Count"] = count
        for metric, count in counts.items():
            if count:
                yield from self.points(metric, every, count, "Count", at)
        yield from self.points("ProcessedBytes", every, tally.sent, "Bytes", at)
        yield from self._answered(every, tally, at)

    def _group_served(self, balancer: str, zone: str, group: str, tally: Tally, ready: int,
                      at: int) -> Iterator[Point]:  # fmt: skip
        every = _with_zone({"LoadBalancer": balancer, "TargetGroup": group}, zone)
        yield from self._answered(every, tally, at)
        if tally.chosen:
            alone = _with_zone({"TargetGroup": group}, zone)
            yield from self.points(
                "RequestCountPerTarget", [*alone, *every], tally.chosen / ready, "Count", at
            )

    def _answered(self, every: list[dict], tally: Tally, at: int) -> Iterator[Point]:
        """What is told of a load balancer and of each of its target groups alike."""
        if tally.chosen:
            yield from self.points("RequestCount", every, tally.chosen, "Count", at)
        families = Counter()
        for status, count in tally.target.items():
            families[status // 100] += count
        for family, count in sorted(families.items()):
            metric = f"HTTPCode_Target_{family}XX_Count"
            yield from self.points(metric, every, count, "Count", at)
        if tally.times:
            times = Values.counted((ms / 1000, count) for ms, count in tally.times.items())
            yield from self.points("TargetResponseTime", every, times, "Seconds", at)


def balancer_name(balancer) -> str:
    """As CloudWatch names it: app/shop/50dc6c495c0c9188."""
    return _end(balancer.arn)


def group_name(group) -> str:
    """As CloudWatch names it: targetgroup/shop/943f017f100becff."""
    return group.arn.rpartition(":")[2]


def _end(arn: str) -> str:
    return arn.partition("loadbalancer/")[2]


def _with_zone(names: dict[str, str], zone: str) -> list[dict[str, str]]:
    return [names, {**names, "AvailabilityZone": zone}]
