#!/usr/bin/python
"""Ansible module: replace what an Auto Scaling group runs, while it serves."""

DOCUMENTATION = r"""
module: asg_refresh
short_description: Bring all instances of a group to one version of its template
description:
  - Starts an instance refresh when the group or one of its instances is not of O(instances), goes
    on with one that brings the same already, and ends one that brings something else.
  - An action plugin of the same name waits for its end and says on the way how far it is. It fails
    with AWS's reason when instances do not get ready, or an alarm of O(alarms) goes off; by then
    AWS has led the group back to what it was.
notes:
  - "Gap in the collections: M(amazon.aws.autoscaling_instance_refresh) starts a new refresh at
    every run, also when there is nothing to replace, does not wait, knows neither the mixed policy
    as what is wanted nor alarms, and is never told how it ended."
  - As a module alone, without the plugin, one call starts or looks, and does not wait.
options:
  name:
    description: Name of the group.
    type: str
    required: true
  instances:
    description: What its instances are to be launched from, as for M(asg_group).
    type: dict
    required: true
    suboptions:
      template: {description: Name of the launch template., type: str, required: true}
      version: {description: Number of its version., type: int, required: true}
      types: {description: Types., type: list, elements: str, required: true}
      on_demand_base: {description: How many are on demand in any case., type: int, default: 0}
      on_demand_percent: {description: How many percent of the others are., type: int, default: 100}
      spot_strategy:
        description: How Spot instances are chosen.
        type: str
        default: price-capacity-optimized
  min_healthy_percent:
    description: How much of its size the group has at every moment.
    type: int
    default: 100
  max_healthy_percent:
    description: How much of it may be there, old and new.
    type: int
    default: 150
  alarms:
    description: Names of alarms that end it, and lead the group back.
    type: list
    elements: str
    default: []
  follow:
    description: Id of a refresh to look at; nothing is started then.
    type: str
  wait_timeout:
    description: Seconds to wait for its end.
    type: int
    default: 3600
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Bring the new release to every instance, or go back
  asg_refresh:
    name: shop-web
    instances:
      template: shop-web
      version: 8
      types: [t3.medium, t3a.medium]
    alarms: [shop-errors]
"""

RETURN = r"""
refresh:
  description: C(id), C(status), C(percent), C(left), how many instances there are to replace, and
    C(reason), what AWS says of it; empty when there was nothing to do.
  returned: always
  type: dict
  sample: {id: 08b91cf7, status: Successful, percent: 100, left: 0, reason: ""}
stale:
  description: Ids of instances that are of another version or type.
  returned: when it was not told what to follow
  type: list
  elements: str
running:
  description: Whether it goes on.
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

POLL_SECONDS = 3


def read(client, module):
    name = module.params["name"]
    found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not found:
        module.fail_json(msg=f"There is no group {name}.")
    return found[0]


def refreshes(client, name, **which):
    answer = client.describe_instance_refreshes(AutoScalingGroupName=name, **which)
    return answer["InstanceRefreshes"]


def shown(refresh):
    return {
        "id": refresh["InstanceRefreshId"],
        "status": refresh["Status"],
        "percent": refresh.get("PercentageComplete", 0),
        "left": refresh.get("InstancesToUpdate", 0),
        "reason": refresh.get("StatusReason", ""),
    }


def follow(client, module):
    name, number = module.params["name"], module.params["follow"]
    (refresh,) = refreshes(client, name, InstanceRefreshIds=[number])
    return {
        "changed": True,
        "refresh": shown(refresh),
        "running": refresh["Status"] in scaling.ACTIVE,
    }


def brings(refresh):
    """What a refresh leads the group to, by our names."""
    policy = refresh.get("DesiredConfiguration", {}).get("MixedInstancesPolicy")
    return scaling.shown_policy(policy)


def end(client, module, refresh):
    """End one that brings something else, and wait until AWS lets another one begin."""
    name, deadline = module.params["name"], time.monotonic() + module.params["wait_timeout"]
    try:
        client.cancel_instance_refresh(AutoScalingGroupName=name)
    except is_boto3_error_code("ActiveInstanceRefreshNotFound"):
        return
    while time.monotonic() < deadline:
        (now,) = refreshes(client, name, InstanceRefreshIds=[refresh["InstanceRefreshId"]])
        if now["Status"] not in scaling.ACTIVE:
            return
        time.sleep(POLL_SECONDS)
    module.fail_json(msg=f"The refresh of {name} that goes on cannot be ended: {shown(now)}")


def start(client, module):
    params = module.params
    preferences = {
        "MinHealthyPercentage": params["min_healthy_percent"],
        "MaxHealthyPercentage": params["max_healthy_percent"],
        # One that has been launched from this already, in a scale-out meanwhile, stays.
        "SkipMatching": True,
        "AutoRollback": True,
        # It does not wait an hour for somebody to take a protection off.
        "ScaleInProtectedInstances": "Refresh",
        "StandbyInstances": "Terminate",
    }
    if params["alarms"]:
        preferences["AlarmSpecification"] = {"Alarms": params["alarms"]}
    return client.start_instance_refresh(
        AutoScalingGroupName=params["name"],
        Strategy="Rolling",
        DesiredConfiguration={"MixedInstancesPolicy": scaling.mixed_policy(params["instances"])},
        Preferences=preferences,
    )["InstanceRefreshId"]


def ensure(client, module):
    params, name = module.params, module.params["name"]
    if params["follow"]:
        return follow(client, module)
    group = read(client, module)
    before = scaling.shown_policy(group.get("MixedInstancesPolicy"))
    after = scaling.shown_policy(scaling.mixed_policy(params["instances"]))
    stale = scaling.stale_instances(group, params["instances"])
    active = [each for each in refreshes(client, name) if each["Status"] in scaling.ACTIVE][:1]
    going_there = bool(active) and brings(active[0]) == after and not rolls_back(active[0])
    changed = bool(stale) or before != after or bool(active)
    result = {
        "changed": changed,
        "refresh": {},
        "running": False,
        "stale": stale,
        "diff": {"before": before | {"stale": stale}, "after": after | {"stale": []}},
    }
    if not changed or module.check_mode:
        return result
    if going_there:
        return result | {"refresh": shown(active[0]), "running": True}
    if active:
        end(client, module, active[0])
    number = start(client, module)
    first = {"id": number, "status": "Pending", "percent": 0, "left": len(stale), "reason": ""}
    return result | {"refresh": first, "running": True}


def rolls_back(refresh):
    return refresh["Status"].startswith("Rollback")


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
            "instances": {"type": "dict", "options": instances, "required": True},
            "min_healthy_percent": {"type": "int", "default": 100},
            "max_healthy_percent": {"type": "int", "default": 150},
            "alarms": {"type": "list", "elements": "str", "default": []},
            "follow": {"type": "str"},
            "wait_timeout": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    client = module.client("autoscaling")
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot refresh {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
