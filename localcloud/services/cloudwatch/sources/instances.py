"""AWS/EC2: what instances do, by their control groups.

Basic monitoring tells of five minutes at once, detailed monitoring of each; status checks are of
each minute in both. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
"""

from collections.abc import Iterator

from moto.autoscaling.models import ASG_NAME_TAG

from localcloud.services.cloudwatch import counters
from localcloud.services.cloudwatch.counters import Growth
from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point
from localcloud.services.cloudwatch.values import Values
from localcloud.services.instances import Instances, limits, tag

BASIC = 5
"""Minutes that one point of basic monitoring is about."""
CHECKS = ("StatusCheckFailed", "StatusCheckFailed_Instance", "StatusCheckFailed_System",
          "StatusCheckFailed_AttachedEBS")  # fmt: skip
UNITS = {"CPUUtilization": "Percent", "NetworkIn": "Bytes", "NetworkOut": "Bytes"}


class InstanceMetrics(Source):
    """Of instances that run. ``_since`` holds the minutes of basic monitoring until there are
    five."""

    namespace = "AWS/EC2"

    def __init__(self, cloud):
        super().__init__(cloud)
        self._growth = Growth()
        self._since: dict[tuple[str, int], list[tuple[float, dict[str, float]]]] = {}

    def measure(self, at: int) -> Iterator[Point]:
        containers = self.cloud.engine.containers()
        seen: set[tuple[str, int]] = set()
        grouped: dict[tuple, list[float]] = {}
        for instance in self.cloud.service(Instances).all():
            container = containers.get(instance.id)
            if instance.state != "running" or not (container and container.running):
                continue
            key = (instance.id, container.pid)
            seen.add(key)
            yield from self._checks(instance, at)
            for name, value in self._used(instance, key, at).items():
                unit = UNITS[name]
                yield self.point(name, {"InstanceId": instance.id}, value, unit, self._start(
                    instance, at))  # fmt: skip
                for dimensions in _groups(instance):
                    grouped.setdefault((name, dimensions, self._start(instance, at)), []).append(
                        value
                    )
        for (name, dimensions, begin), values in grouped.items():
            yield self.point(name, dict(dimensions), Values.of(values), UNITS[name], begin)
        self._growth.keep(seen)
        self._since = {key: value for key, value in self._since.items() if key in seen}

    def _used(self, instance, key: tuple[str, int], at: int) -> dict[str, float]:
        """What there is to publish of an instance this minute."""
        counted = counters.read(key[1])
        if counted is None:
            return {}
        grown = self._growth.take(
            key,
            {"cpu": counted.cpu, "NetworkIn": counted.received, "NetworkOut": counted.sent},
            counters.age(key[1]),
        )
        minutes = self._since.setdefault(key, [])
        if grown is not None:
            minutes.append(grown)
        if not detailed(instance) and (at // 60 + 1) % BASIC:
            return {}
        self._since[key] = []
        if not minutes:
            return {}
        seconds = sum(each for each, _ in minutes)
        total = {
            name: sum(added[name] for _, added in minutes) for name in minutes[0][1]
        }  # fmt: skip
        cores, _ = limits(instance.instance_type)
        used = min(100.0, 100 * total.pop("cpu") / (seconds * cores))
        return {"CPUUtilization": used, **total}

    def _start(self, instance, at: int) -> int:
        return at if detailed(instance) else at - (BASIC - 1) * 60

    def _checks(self, instance, at: int) -> Iterator[Point]:
        """The instance's own check fails when nobody would get an answer from it."""
        failed = float(
            bool(
                any(
                    each.kind == "freeze" and each.host == instance.id
                    for each in self.cloud.faults.active
                )
                or instance.private_ip in self.cloud.isolated
            )
        )
        failures = {"StatusCheckFailed": failed, "StatusCheckFailed_Instance": failed}
        for name in CHECKS:
            value = failures.get(name, 0.0)
            yield self.point(name, {"InstanceId": instance.id}, value, "Count", at)
            for dimensions in _groups(instance):
                if dict(dimensions).keys() == {"AutoScalingGroupName"}:
                    yield self.point(name, dict(dimensions), value, "Count", at)


def detailed(instance) -> bool:
    return instance.monitored


def _groups(instance) -> list[tuple[tuple[str, str], ...]]:
    """Dimensions under which it is counted with others: its Auto Scaling group; with detailed
    monitoring also its image, its type, and all instances."""
    found: list[tuple[tuple[str, str], ...]] = []
    if name := tag(instance, ASG_NAME_TAG):
        found.append((("AutoScalingGroupName", name),))
    if detailed(instance):
        found += [
            (("ImageId", instance.image_id),),
            (("InstanceType", instance.instance_type),),
            (),
        ]
    return found
