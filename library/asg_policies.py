#!/usr/bin/python
"""Ansible module: how an Auto Scaling group finds its size."""

DOCUMENTATION = r"""
module: asg_policies
short_description: Keep all target tracking policies of an Auto Scaling group
description:
  - Makes the O(policies) the only ones of the group. AWS keeps the alarms that they need.
  - The group grows when any of them wants it, and shrinks when all do.
notes:
  - "Gap in the collections: M(community.aws.autoscaling_policy) takes one policy a call, has no
    check mode and no diff, and nothing removes a policy that is not listed any more."
options:
  name:
    description: Name of the group.
    type: str
    required: true
  policies:
    description: The policies, by their names.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Its name., type: str, required: true}
      metric:
        description: Mean processor time in percent, or the balancer's requests a minute and host.
        type: str
        choices: [cpu, requests]
        required: true
      of:
        description: "Of C(requests), the balancer and its target group:
          C(app/NAME/ID/targetgroup/NAME/ID)."
        type: str
      target: {description: The value that is kept., type: float, required: true}
      scale_in: {description: Whether it lets the group shrink., type: bool, default: true}
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep the processors half busy
  asg_policies:
    name: shop-web
    policies:
      - {name: cpu, metric: cpu, target: 50}
"""

RETURN = r"""
alarms:
  description: Names of the alarms that AWS keeps for the policies that were there before.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.scaling import shown_tracking, tracking
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so


def read(client, name):
    pages = client.get_paginator("describe_policies").paginate(AutoScalingGroupName=name)
    return {each["PolicyName"]: each for page in pages for each in page["ScalingPolicies"]}


def ensure(client, module):
    name = module.params["name"]
    found = read(client, name)
    before = {policy: shown_tracking(each) for policy, each in sorted(found.items())}
    after = {each["name"]: tracking(each) for each in module.params["policies"]}
    if not module.check_mode:
        for policy, configuration in sorted(after.items()):
            if before.get(policy) != configuration:
                client.put_scaling_policy(
                    AutoScalingGroupName=name,
                    PolicyName=policy,
                    PolicyType="TargetTrackingScaling",
                    TargetTrackingConfiguration=configuration,
                )
        for policy in sorted(set(before) - set(after)):
            client.delete_policy(AutoScalingGroupName=name, PolicyName=policy)
    return {
        "changed": before != after,
        "alarms": sorted(
            alarm["AlarmName"] for each in found.values() for alarm in each.get("Alarms", [])
        ),
        "diff": {"before": before, "after": after},
    }


def main():
    policy = {
        "name": {"type": "str", "required": True},
        "metric": {"type": "str", "choices": ["cpu", "requests"], "required": True},
        "of": {"type": "str"},
        "target": {"type": "float", "required": True},
        "scale_in": {"type": "bool", "default": True},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "policies": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": policy,
            },
        },
        supports_check_mode=True,
    )
    client = module.client("autoscaling")
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the policies of {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
