"""Rights that Auto Scaling's calls need: on the group that they name, or that an instance is in."""

from collections.abc import Iterator

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target, action, arn, resource_tags

BY_INSTANCE = ("TerminateInstanceInAutoScalingGroup", "SetInstanceHealth")
TAGGING = ("CreateOrUpdateTags", "DeleteTags")


def _autoscaling(cloud, call: Call, parameters: dict) -> Iterator[Target]:
    if call.operation.startswith("Describe"):
        yield Target(action(call))
    elif call.operation in TAGGING:
        for each in parameters.get("Tags") or ():
            yield _group(cloud, call, each.get("ResourceId", ""))
    elif call.operation in BY_INSTANCE:
        yield _group(cloud, call, _of_instance(cloud, parameters.get("InstanceId", "")))
    else:
        yield _group(cloud, call, parameters.get("AutoScalingGroupName", ""))


def _group(cloud, call: Call, name: str) -> Target:
    found = cloud.backend("autoscaling").autoscaling_groups.get(name)
    if found is None:
        return Target(action(call), arn("autoscaling", f"autoScalingGroup:*:{_path(name)}"))
    tags = {each["Key"]: each.get("Value", "") for each in found.tags}
    return Target(action(call), found.arn, resource_tags(tags))


def _path(name: str) -> str:
    return f"autoScalingGroupName/{name}"


def _of_instance(cloud, instance_id: str) -> str:
    for group in cloud.backend("autoscaling").autoscaling_groups.values():
        if any(each.instance.id == instance_id for each in group.instance_states):
            return group.name
    return ""


SERVICES["autoscaling"] = _autoscaling
