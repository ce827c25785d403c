"""Auto Scaling: where moto's groups differ from AWS's."""

from collections import Counter

from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult

from localcloud.hooks import addition, hook
from localcloud.services.base import Service


class AutoScaling(Service):
    """Groups spread their instances over their subnets."""

    @hook(FakeAutoScalingGroup, "replace_autoscaling_group_instances",
          "self, count_needed, propagated_tags")  # fmt: skip
    def spread(self, original, group, count_needed, propagated_tags):
        """moto takes the first subnet for all: let it see one subnet, the emptiest, at a time."""
        subnets = (group.vpc_zone_identifier or "").split(",")
        if len(subnets) < 2:
            return original(group, count_needed, propagated_tags)
        everywhere = group.vpc_zone_identifier
        try:
            for _ in range(count_needed):
                used = Counter(state.instance.subnet_id for state in group.instance_states)
                group.vpc_zone_identifier = min(subnets, key=lambda subnet: used[subnet])
                original(group, 1, dict(propagated_tags))
        finally:
            group.vpc_zone_identifier = everywhere
        return None

    @addition(AutoScalingResponse, "disable_metrics_collection", "self")
    def disable_metrics_collection(self, response):
        """amazon.aws.autoscaling_group calls it on every group without metrics."""
        name = response._get_param("AutoScalingGroupName")
        unwanted = response._get_param("Metrics") or []
        for group in response.autoscaling_backend.describe_auto_scaling_groups([name]):
            kept = [each for each in group.metrics if each["Metric"] not in unwanted]
            group.metrics = kept if unwanted else []
        return EmptyResult()
