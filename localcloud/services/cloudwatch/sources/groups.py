"""AWS/AutoScaling: the sizes of groups that want them published.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html
"""

from collections import Counter
from collections.abc import Iterator

from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point


class GroupMetrics(Source):
    """Capacity units are instances here."""

    namespace = "AWS/AutoScaling"

    def measure(self, at: int) -> Iterator[Point]:
        for group in list(self.cloud.backend("autoscaling").autoscaling_groups.values()):
            sizes = _sizes(group)
            for name in group.metrics or ():
                if name in sizes:
                    yield self.point(
                        name, {"AutoScalingGroupName": group.name}, sizes[name], "None", at
                    )


def _sizes(group) -> dict[str, int]:
    states = Counter(_phase(each.lifecycle_state) for each in list(group.instance_states))
    sizes = {
        "GroupMinSize": group.min_size,
        "GroupMaxSize": group.max_size,
        "GroupDesiredCapacity": group.desired_capacity,
        "GroupTotalInstances": sum(states.values()),
        "GroupTotalCapacity": sum(states.values()),
    }
    for phase in ("InService", "Pending", "Standby", "Terminating"):
        sizes[f"Group{phase}Instances"] = sizes[f"Group{phase}Capacity"] = states[phase]
    return sizes


def _phase(state: str) -> str:
    """Pending:Wait and the like are Pending."""
    return state.partition(":")[0]
