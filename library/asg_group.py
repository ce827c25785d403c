#!/usr/bin/python
"""Ansible module: an Auto Scaling group whose size is its own affair."""

DOCUMENTATION = r"""
module: asg_group
short_description: Keep an Auto Scaling group, and let it have the size that it has found right
description:
  - Makes a group of mixed instances, on demand and Spot, with its lifecycle hooks, and waits until
    as many as O(min_size) are in service.
  - Of one that is there everything is kept as it is wanted, but neither how many instances it has,
    which its policies decide, nor what they are launched from, which M(asg_refresh) changes while
    the group serves.
  - With O(state=absent), lets the instances finish first, through the group's own hooks.
notes:
  - "Gap in the collections: M(amazon.aws.autoscaling_group) reads the desired capacity and writes
    it back, which undoes a scale-out that happens in between; its check mode always says changed
    and shows no diff; it knows neither CapacityRebalance nor the default warm-up, cannot make hooks
    with the group, so that its first instances have none, and with the mixed policy its second run
    never is one that changes nothing unless tags are sorted."
options:
  name:
    description: Name of the group.
    type: str
    required: true
  instances:
    description: What the instances of a new group are launched from.
    type: dict
    suboptions:
      template: {description: Name of the launch template., type: str, required: true}
      version: {description: Number of its version., type: int, required: true}
      types:
        description: "Types, the first one first where it is on demand."
        type: list
        elements: str
        required: true
      on_demand_base: {description: How many are on demand in any case., type: int, default: 0}
      on_demand_percent: {description: How many percent of the others are., type: int, default: 100}
      spot_strategy:
        description: How Spot instances are chosen.
        type: str
        default: price-capacity-optimized
  min_size:
    description: How many instances there are at least. A new group begins with these.
    type: int
  max_size:
    description: How many there are at most.
    type: int
  subnets:
    description: Ids of the subnets that they are spread over.
    type: list
    elements: str
    default: []
  target_groups:
    description: ARNs of the target groups that they join, and no others.
    type: list
    elements: str
    default: []
  health_check:
    description: Whose word counts.
    type: str
    choices: [EC2, ELB]
    default: ELB
  grace_seconds:
    description: How long after it is in service a new instance may be called unhealthy.
    type: int
    default: 60
  warmup_seconds:
    description: How long what a new instance does counts neither for policies nor for a refresh.
    type: int
    default: 60
  capacity_rebalance:
    description: Whether a Spot instance that is at risk is replaced before it is interrupted.
    type: bool
    default: true
  termination_policies:
    description: Who goes first when the group shrinks.
    type: list
    elements: str
    default: [Default]
  hooks:
    description: The lifecycle hooks by their names; each has C(transition), V(launch) or
      V(termination), C(seconds) that it waits, and C(default), what happens then.
    type: dict
    default: {}
  metrics:
    description: Whether CloudWatch is told how many instances there are.
    type: bool
    default: true
  tags:
    description: Tags of the group and of its instances. Others that it has stay.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds to wait for instances to come, or to have gone.
    type: int
    default: 600
  state:
    description: Whether there is such a group.
    type: str
    choices: [present, absent]
    default: present
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Have two to eight instances, two of them on demand
  asg_group:
    name: shop-web
    instances:
      template: shop-web
      version: 7
      types: [t3.medium, t3a.medium, c5.large, c5a.large, c6i.large, c6a.large]
      on_demand_base: 2
      on_demand_percent: 0
    min_size: 2
    max_size: 8
    subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    hooks:
      ready: {transition: launch, seconds: 300, default: ABANDON}

- name: Remove it
  asg_group: {name: shop-web, state: absent}
"""

RETURN = r"""
instances:
  description: C(id), C(type), C(zone), C(state), C(version) of the template and whether it is
    C(healthy), of each instance.
  returned: always
  type: list
  elements: dict
made:
  description: Whether the group was made by this run, or would be.
  returned: always
  type: bool
"""

import time

from ansible.module_utils import scaling
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 2


def read(client, name):
    """The group and its hooks, both empty when there is none."""
    found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not found:
        return {}, []
    return found[0], client.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]


def last_failure(client, name):
    """Why instances do not come, in AWS's words."""
    found = client.describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=20)
    for each in found["Activities"]:
        if each["StatusCode"] in ("Failed", "Cancelled"):
            return each.get("StatusMessage") or each.get("Cause", "")
    return "AWS gives no reason"


def wait(client, module, what, done):
    """The group once it is as ``done`` wants it; ``what`` says that in words."""
    name, seconds = module.params["name"], module.params["wait_timeout"]
    deadline = time.monotonic() + seconds
    while True:
        group, _ = read(client, name)
        if done(group):
            return group
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"{name} was waited for to {what}, for {seconds} s: "
                f"{last_failure(client, name)}",
                instances=scaling.shown_instances(group),
            )
        time.sleep(POLL_SECONDS)


def in_service(group):
    states = [each["LifecycleState"] for each in group.get("Instances", [])]
    return states.count("InService")


def wanted(module, before):
    """The group by our names, as it is to be."""
    params = module.params
    return {
        **{name: params[name] for name in scaling.SETTINGS},
        "subnets": sorted(params["subnets"]),
        "target_groups": sorted(params["target_groups"]),
        "hooks": params["hooks"],
        "tags": before.get("tags", {}) | {key: str(each) for key, each in params["tags"].items()},
        "metrics": params["metrics"],
    }


def settings(after, names):
    """Arguments of the API for what of it create and update have in common."""
    found = {scaling.SETTINGS[name]: after[name] for name in names if name in scaling.SETTINGS}
    if "subnets" in names:
        found["VPCZoneIdentifier"] = ",".join(after["subnets"])
    return found


def create(client, module, after):
    params, name = module.params, module.params["name"]
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MixedInstancesPolicy=scaling.mixed_policy(params["instances"]),
        # The only time that it is said. From here on the group's policies know better.
        DesiredCapacity=after["min_size"],
        TargetGroupARNs=after["target_groups"],
        LifecycleHookSpecificationList=[
            scaling.hook(hook, options) for hook, options in sorted(after["hooks"].items())
        ],
        Tags=scaling.tag_list(name, params["tags"]),
        **settings(after, after),
    )


def change(client, name, before, after):
    """Write what differs, and nothing else: what is not named, AWS leaves alone."""
    differing = [key for key in after if before.get(key) != after[key]]
    if arguments := settings(after, differing):
        client.update_auto_scaling_group(AutoScalingGroupName=name, **arguments)
    joins = sorted(set(after["target_groups"]) - set(before.get("target_groups", [])))
    leaves = sorted(set(before.get("target_groups", [])) - set(after["target_groups"]))
    if joins:
        client.attach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=joins)
    if leaves:
        client.detach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=leaves)
    hooks = before.get("hooks", {})
    for hook, options in sorted(after["hooks"].items()):
        if hooks.get(hook) != options:
            client.put_lifecycle_hook(AutoScalingGroupName=name, **scaling.hook(hook, options))
    for hook in sorted(set(hooks) - set(after["hooks"])):
        client.delete_lifecycle_hook(AutoScalingGroupName=name, LifecycleHookName=hook)
    tags = {
        key: each for key, each in after["tags"].items() if before.get("tags", {}).get(key) != each
    }
    if tags:
        client.create_or_update_tags(Tags=scaling.tag_list(name, tags))


def keep_metrics(client, name, before, after):
    if after["metrics"] and not before.get("metrics"):
        client.enable_metrics_collection(AutoScalingGroupName=name, Granularity="1Minute")
    if before.get("metrics") and not after["metrics"]:
        client.disable_metrics_collection(AutoScalingGroupName=name)


def ensure_present(client, module):
    params, name = module.params, module.params["name"]
    group, hooks = read(client, name)
    if group.get("Status") and not module.check_mode:
        # Somebody deletes it: it cannot be kept, and a new one not be made before that has ended.
        group, hooks = wait(client, module, "have gone", lambda now: not now), []
    before = scaling.shown_group(group, hooks)
    after = wanted(module, before)
    changed = before != after
    if changed and not module.check_mode:
        if group:
            change(client, name, before, after)
        else:
            create(client, module, after)
        keep_metrics(client, name, before, after)
    if not module.check_mode and in_service(group) < params["min_size"]:
        least = params["min_size"]
        group = wait(
            client, module, f"have {least} in service", lambda now: in_service(now) >= least
        )
    return {
        "changed": changed,
        "made": before == {},
        "instances": scaling.shown_instances(group),
        "diff": {"before": before, "after": after},
    }


def ensure_absent(client, module):
    name = module.params["name"]
    group, hooks = read(client, name)
    before = scaling.shown_group(group, hooks)
    if group and not module.check_mode:
        if not group.get("Status"):
            end_refresh(client, name)
            client.update_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0
            )
            # Each leaves the balancer, finishes its requests and then ends.
            wait(client, module, "have let its instances go", lambda now: not now.get("Instances"))
            client.delete_auto_scaling_group(AutoScalingGroupName=name)
        wait(client, module, "have gone", lambda now: not now)
    return {
        "changed": bool(group),
        "made": False,
        "instances": [],
        "diff": {"before": before, "after": {}},
    }


def end_refresh(client, name):
    """A refresh would go on replacing what is to go."""
    try:
        client.cancel_instance_refresh(AutoScalingGroupName=name)
    except is_boto3_error_code("ActiveInstanceRefreshNotFound"):
        return


def main():
    instances = {
        "template": {"type": "str", "required": True},
        "version": {"type": "int", "required": True},
        "types": {"type": "list", "elements": "str", "required": True},
        "on_demand_base": {"type": "int", "default": 0},
        "on_demand_percent": {"type": "int", "default": 100},
        "spot_strategy": {"type": "str", "default": "price-capacity-optimized"},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "instances": {"type": "dict", "options": instances},
            "min_size": {"type": "int"},
            "max_size": {"type": "int"},
            "subnets": {"type": "list", "elements": "str", "default": []},
            "target_groups": {"type": "list", "elements": "str", "default": []},
            "health_check": {"type": "str", "choices": ["EC2", "ELB"], "default": "ELB"},
            "grace_seconds": {"type": "int", "default": 60},
            "warmup_seconds": {"type": "int", "default": 60},
            "capacity_rebalance": {"type": "bool", "default": True},
            "termination_policies": {"type": "list", "elements": "str", "default": ["Default"]},
            "hooks": {"type": "dict", "default": {}},
            "metrics": {"type": "bool", "default": True},
            "tags": {"type": "dict", "default": {}},
            "wait_timeout": {"type": "int", "default": 600},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["instances", "min_size", "max_size", "subnets"])],
        supports_check_mode=True,
    )
    client = module.client("autoscaling")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the group {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
