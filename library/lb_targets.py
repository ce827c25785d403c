#!/usr/bin/python
"""Ansible module: the members of a load balancer's target group."""

DOCUMENTATION = r"""
module: lb_targets
short_description: Put instances behind a load balancer, or take them out, without losing a request
description:
  - Registers instances and waits until they are healthy, or deregisters them and waits until the
    balancer has drained them.
notes:
  - "Gap in the collections: M(community.aws.elb_target) takes one target a call, has no check mode,
    and does not wait for the end of the draining; M(community.aws.elb_target_group) cannot wait for
    some of the targets only."
options:
  target_group:
    description: Name of the group.
    type: str
    required: true
  targets:
    description: Ids of the instances.
    type: list
    elements: str
    required: true
  purge:
    description: Whether other members are deregistered, once the targets are healthy. Only with
      O(state=present).
    type: bool
    default: false
  spare_last:
    description: Whether the targets stay when no other member is healthy to take their requests.
      Only with O(state=absent).
    type: bool
    default: false
  state:
    description: Whether the targets are members.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description: Whether to wait until those registered are healthy and those deregistered drained.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Drain a host before it is updated, if another one serves meanwhile
  lb_targets:
    target_group: shop-web
    targets: [i-0123456789abcdef0]
    state: absent
    spare_last: true

- name: Put it back
  lb_targets: {target_group: shop-web, targets: [i-0123456789abcdef0]}
"""

RETURN = r"""
targets:
  description: State of each member by its id.
  returned: always
  type: dict
  sample: {i-0123456789abcdef0: healthy}
"""

import time

from ansible.module_utils.target_groups import others_healthy, plan
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError, WaiterError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 0.5


def group_arn(client, name):
    """ARN of the group, or None when there is none."""
    try:
        return client.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]
    except client.exceptions.TargetGroupNotFoundException:
        return None


def health(client, arn):
    """``{id: TargetHealth}`` of the members."""
    found = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {each["Target"]["Id"]: each["TargetHealth"] for each in found}


def states(found):
    return {target: each["State"] for target, each in found.items()}


def late(module, found, targets):
    """Stop with the state and the reason of each of the ``targets``."""
    reasons = ", ".join(
        f"{target} is {found.get(target, {}).get('State', 'no member')}"
        f" ({found.get(target, {}).get('Description', 'no reason given')})"
        for target in targets
    )
    module.fail_json(
        msg=f"After {module.params['wait_timeout']} s {reasons}.", targets=states(found)
    )


def wait_healthy(client, module, arn, targets):
    deadline = time.monotonic() + module.params["wait_timeout"]
    while True:
        found = health(client, arn)
        missing = [each for each in targets if states(found).get(each) != "healthy"]
        if not missing:
            return
        if time.monotonic() > deadline:
            late(module, found, missing)
        time.sleep(POLL_SECONDS)


def wait_drained(client, module, arn, targets):
    """With AWS's own waiter: right after the request a target may still count as healthy."""
    attempts = int(module.params["wait_timeout"] / POLL_SECONDS) + 1
    try:
        client.get_waiter("target_deregistered").wait(
            TargetGroupArn=arn,
            Targets=[{"Id": target} for target in targets],
            WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": attempts},
        )
    except WaiterError:
        late(module, health(client, arn), targets)


def ensure(client, module):
    targets, absent = module.params["targets"], module.params["state"] == "absent"
    arn = group_arn(client, module.params["target_group"])
    if arn is None and not absent and not module.check_mode:
        module.fail_json(msg=f"There is no target group {module.params['target_group']}.")
    before = states(health(client, arn)) if arn else {}

    if absent and module.params["spare_last"] and not others_healthy(before, targets):
        register = deregister = drained = healthy = []
    elif absent:
        register = []
        deregister = [each for each in targets if before.get(each, "draining") != "draining"]
        drained, healthy = [each for each in targets if each in before], []
    else:
        register, deregister = plan(before, targets, module.params["purge"])
        drained, healthy = deregister, targets
    if not module.check_mode and arn:
        if register:
            client.register_targets(TargetGroupArn=arn, Targets=[{"Id": t} for t in register])
        # Who is to go serves until others do: there may be nobody else.
        if healthy and module.params["wait"]:
            wait_healthy(client, module, arn, healthy)
        if deregister:
            client.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": t} for t in deregister])
        if drained and module.params["wait"]:
            wait_drained(client, module, arn, drained)
    after = {target: state for target, state in before.items() if target not in deregister}
    after |= dict.fromkeys(register, "healthy")
    return {
        "changed": bool(register or deregister),
        "targets": states(health(client, arn)) if arn and not module.check_mode else after,
        "diff": {"before": sorted(before), "after": sorted(after)},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "target_group": {"type": "str", "required": True},
            "targets": {"type": "list", "elements": "str", "required": True},
            "purge": {"type": "bool", "default": False},
            "spare_last": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    client = module.client("elbv2")
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep {module.params['target_group']}'s targets")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
