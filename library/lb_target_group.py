#!/usr/bin/python
"""Ansible module: a load balancer's target group."""

DOCUMENTATION = r"""
module: lb_target_group
short_description: Keep a load balancer's target group
description:
  - Creates a target group of instances, keeps its health check and attributes, or deletes it.
  - Its members are not touched, see M(lb_targets).
notes:
  - "Gap in the collections: M(community.aws.elb_target_group) has no check mode and no diff."
options:
  name:
    description: Name, unique in the account and region.
    type: str
    required: true
  vpc_id:
    description: Id of the VPC. It cannot change. Needed with O(state=present).
    type: str
  port:
    description: Port of the targets. It cannot change.
    type: int
    default: 80
  health_check:
    description: How targets are checked; what is left out stays as it is.
    type: dict
    default: {}
    suboptions:
      path:
        description: Path to ask for.
        type: str
      interval:
        description: Seconds between checks.
        type: int
      timeout:
        description: Seconds until a check has failed.
        type: int
      healthy:
        description: Successful checks after which a target is healthy.
        type: int
      unhealthy:
        description: Failed checks after which it is not.
        type: int
      matcher:
        description: HTTP codes of success.
        type: str
  attributes:
    description: Attributes by AWS's names.
    type: dict
    default: {}
  tags:
    description: Tags that the group gets when it is created.
    type: dict
    default: {}
  state:
    description: Whether it exists.
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
- name: Check the web hosts every five seconds
  lb_target_group:
    name: shop-web
    vpc_id: "{{ vpc.id }}"
    health_check: {path: /readyz, interval: 5, timeout: 3, healthy: 2, unhealthy: 2}
    attributes: {deregistration_delay.timeout_seconds: "15"}
"""

RETURN = r"""
arn:
  description: ARN of the group; empty when it does not exist.
  returned: always
  type: str
  sample: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop-web/0123456789abcdef
"""

from ansible.module_utils.target_groups import HEALTH_CHECK, health_check, wanted_health_check
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so


def read(client, name):
    """``(group, attributes)``, both empty when there is none."""
    try:
        group = client.describe_target_groups(Names=[name])["TargetGroups"][0]
    except client.exceptions.TargetGroupNotFoundException:
        return {}, {}
    found = client.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])
    return group, {each["Key"]: each["Value"] for each in found["Attributes"]}


def create(client, module, check):
    tags = module.params["tags"]
    return client.create_target_group(
        Name=module.params["name"],
        Protocol="HTTP",
        Port=module.params["port"],
        VpcId=module.params["vpc_id"],
        TargetType="instance",
        **check,
        Tags=[{"Key": key, "Value": str(tags[key])} for key in sorted(tags)],
    )["TargetGroups"][0]["TargetGroupArn"]


def ensure_present(client, module):
    group, attributes = read(client, module.params["name"])
    for option, key in (("vpc_id", "VpcId"), ("port", "Port")):
        if group and group[key] != module.params[option]:
            module.fail_json(
                msg=f"The {option} of {module.params['name']} is {group[key]} and cannot become "
                f"{module.params[option]}."
            )
    check = wanted_health_check(module.params["health_check"])
    wanted = {key: str(value) for key, value in module.params["attributes"].items()}
    before = {**health_check(group), **{key: attributes.get(key) for key in wanted}}
    after = {**health_check(group), **health_check(check), **wanted}
    changed = not group or before != after
    arn = group.get("TargetGroupArn", "")
    if changed and not module.check_mode:
        if not group:
            arn = create(client, module, check)
        elif any(before[key] != after[key] for key in health_check(check)):
            client.modify_target_group(TargetGroupArn=arn, **check)
        if wanted:
            client.modify_target_group_attributes(
                TargetGroupArn=arn,
                Attributes=[{"Key": key, "Value": wanted[key]} for key in sorted(wanted)],
            )
    return {"changed": changed, "arn": arn,
            "diff": {"before": before if group else {}, "after": after}}  # fmt: skip


def ensure_absent(client, module):
    group, _ = read(client, module.params["name"])
    if group and not module.check_mode:
        # A listener that was deleted a moment ago may still count as using it.
        retry = AWSRetry.jittered_backoff(retries=20, catch_extra_error_codes=["ResourceInUse"])
        retry(client.delete_target_group)(TargetGroupArn=group["TargetGroupArn"])
    return {"changed": bool(group), "arn": "", "diff": {"before": health_check(group), "after": {}}}


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "vpc_id": {"type": "str"},
            "port": {"type": "int", "default": 80},
            "health_check": {
                "type": "dict",
                "default": {},
                "options": {name: {"type": kind} for name, (_, kind) in HEALTH_CHECK.items()},
            },
            "attributes": {"type": "dict", "default": {}},
            "tags": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["vpc_id"])],
        supports_check_mode=True,
    )
    client = module.client("elbv2")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the target group {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
