"""Auto Scaling: where moto's groups differ from AWS's."""

from collections import Counter

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    ASG_NAME_TAG,
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.hooks import addition, hook
from localcloud.services.base import Service

METRICS = tuple(
    f"{of}{what}"
    for of, whats in {
        "Group": (
            "MinSize", "MaxSize", "DesiredCapacity", "InServiceInstances", "PendingInstances",
            "StandbyInstances", "TerminatingInstances", "TotalInstances", "InServiceCapacity",
            "PendingCapacity", "StandbyCapacity", "TerminatingCapacity", "TotalCapacity",
        ),
        "WarmPool": (
            "DesiredCapacity", "WarmedCapacity", "PendingCapacity", "TerminatingCapacity",
            "TotalCapacity",
        ),
        "GroupAndWarmPool": ("DesiredCapacity", "TotalCapacity"),
    }.items()
    for what in whats
)  # fmt: skip


class AutoScaling(Service):
    """Groups spread their instances over their subnets, from their version of the template."""

    @hook(FakeAutoScalingGroup, "replace_autoscaling_group_instances",
          "self, count_needed, propagated_tags")  # fmt: skip
    def launch(self, original, group, count_needed, propagated_tags):
        """moto takes the first subnet for all, and of a template the default version's data."""
        subnets = [each for each in (group.vpc_zone_identifier or "").split(",") if each]
        tags = {**propagated_tags, ASG_NAME_TAG: group.name, **group.instance_tags}
        configuration = group.launch_config
        template = group.ec2_launch_template
        for _ in range(count_needed):
            used = Counter(state.instance.subnet_id for state in group.instance_states)
            zones = Counter(state.instance.availability_zone for state in group.instance_states)
            reservation = group.autoscaling_backend.ec2_backend.run_instances(
                group.image_id,
                1,
                group.user_data,
                group.security_groups,
                instance_type=group.instance_type,
                tags={"instance": tags},
                placement=None if subnets else min(group.availability_zones, key=zones.__getitem__),
                launch_config=configuration,
                launch_template=template
                and {"LaunchTemplateId": template.id, "Version": group.launch_template_version},
                is_instance_type_default=False,
                associate_public_ip=configuration and configuration.associate_public_ip_address,
                subnet_id=min(subnets, key=used.__getitem__, default=None),
            )
            for instance in reservation.instances:
                instance.autoscaling_group = group
                state = InstanceState(
                    instance, protected_from_scale_in=group.new_instances_protected_from_scale_in
                )
                group.instance_states.append(state)

    @hook(AutoScalingResponse, "call_action", "self")
    def known(self, original, response):
        """moto trips over a group that is not there, or says yes."""
        action = response._get_action()
        name = response._get_param("AutoScalingGroupName")
        try:
            if name and not action.startswith(("Create", "Describe")):
                _group(response.autoscaling_backend, name)
        except ValidationError as error:
            status, headers, body = response.serialized(ActionResult(error))
            return status, {**headers, "status": status}, body
        return original(response)

    @hook(AutoScalingBackend, "enable_metrics_collection", "self, group_name, metrics")
    def enable_metrics(self, original, backend, group_name, metrics):
        group = _group(backend, group_name)
        wanted = _metrics(metrics)
        group.metrics = [each for each in METRICS if each in {*group.metrics, *wanted}]

    @addition(AutoScalingResponse, "disable_metrics_collection", "self")
    def disable_metrics_collection(self, response):
        """amazon.aws.autoscaling_group calls it on every group without metrics."""
        group = _group(response.autoscaling_backend, response._get_param("AutoScalingGroupName"))
        unwanted = _metrics(response._get_param("Metrics"))
        group.metrics = [each for each in group.metrics if each not in unwanted]
        return EmptyResult()


def _group(backend, name: str) -> FakeAutoScalingGroup:
    for group in backend.describe_auto_scaling_groups([name]):
        return group
    raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")


def _metrics(names: list[str] | None) -> tuple[str, ...]:
    """The metrics named; none named are all."""
    unknown = [each for each in names or () if each not in METRICS]
    if unknown:
        raise ValidationError(f"Unknown metrics: {', '.join(unknown)}")
    return tuple(names or METRICS)
