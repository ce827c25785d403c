#!/usr/bin/python
"""Ansible module: the security groups of a VPC, which refer to each other."""

DOCUMENTATION = r"""
module: ec2_security_groups
short_description: Keep the security groups of a VPC together
description:
  - Makes groups and their ingress rules what is listed, in one call, whatever refers to what.
  - Egress rules are left alone.
notes:
  - "Gap in the collections: M(amazon.aws.ec2_security_group) takes one group a call (0.9 s, and 4 s
    when it creates one), needs groups that refer to each other in an order that a cycle does not
    have, and cannot remove the groups that are no longer listed."
options:
  vpc_id:
    description: Id of the VPC.
    type: str
    required: true
  prefix:
    description: What the names of the groups begin with on AWS.
    type: str
    default: ""
  groups:
    description: The groups.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name, without O(prefix).
        type: str
        required: true
      description:
        description: What the group is for. It cannot be changed later.
        type: str
        required: true
      rules:
        description: What may come in.
        type: list
        elements: dict
        default: []
        suboptions:
          proto:
            description: Protocol.
            type: str
            choices: [tcp, udp]
            default: tcp
          ports:
            description: Ports, or ranges such as V(8000-8010).
            type: list
            elements: str
            required: true
          cidr_ip:
            description: Address ranges that may come in.
            type: list
            elements: str
          group:
            description: Name of another listed group whose members may come in.
            type: str
          prefix_list:
            description: Name of a managed prefix list whose addresses may come in. It counts as
              many rules as it may have entries; CloudFront's counts 55 of the 60 that AWS allows.
            type: str
          rule_desc:
            description: What the rule is for.
            type: str
  purge_rules:
    description: Whether other rules of the groups are removed.
    type: bool
    default: true
  purge_groups:
    description: Whether other groups of the VPC whose names begin with O(prefix) are removed.
    type: bool
    default: false
  tags:
    description: Tags that a group gets when it is created, beside its C(Name).
    type: dict
    default: {}
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Let visitors reach the balancer only, and the balancer the hosts
  ec2_security_groups:
    vpc_id: "{{ vpc.id }}"
    prefix: shop-
    groups:
      - name: lb
        description: The load balancer
        rules:
          - {ports: [80, 443], cidr_ip: 0.0.0.0/0, rule_desc: visitors}
      - name: web
        description: The web hosts
        rules:
          - {ports: [80], group: lb, rule_desc: the balancer}
"""

RETURN = r"""
groups:
  description: Id of each group by its name without the prefix. In check mode V(sg-00000000) stands
    for one that would be created.
  returned: always
  type: dict
  sample: {lb: sg-0123456789abcdef0}
surplus:
  description: Whether rules or groups that are not listed stay, because they were not to be purged.
  returned: always
  type: bool
"""

from ansible.module_utils.security_groups import (
    current_rules,
    permissions,
    plan,
    shown,
    wanted_rules,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

UNKNOWN = "sg-00000000"
# An interface of a deleted load balancer or database stays for a minute or two.
IN_USE = AWSRetry.jittered_backoff(
    retries=30, delay=2, max_delay=10, catch_extra_error_codes=["DependencyViolation"]
)
# Not every server of AWS's knows a group of a moment ago, also where a rule names it as its source.
JUST_MADE = AWSRetry.jittered_backoff(
    retries=10, delay=1, max_delay=5, catch_extra_error_codes=["InvalidGroup.NotFound"]
)


def read(client, module):
    """Groups of the VPC under the prefix, by name without it."""
    prefix = module.params["prefix"]
    pages = client.get_paginator("describe_security_groups").paginate(
        Filters=[{"Name": "vpc-id", "Values": [module.params["vpc_id"]]}]
    )
    return {
        group["GroupName"][len(prefix) :]: group
        for page in pages
        for group in page["SecurityGroups"]
        if group["GroupName"].startswith(prefix) and group["GroupName"] != "default"
    }


def prefix_lists(client, groups):
    """Ids of the managed prefix lists that rules name, by name."""
    names = {rule["prefix_list"] for item in groups for rule in item["rules"]} - {None}
    if not names:
        return {}
    pages = client.get_paginator("describe_managed_prefix_lists").paginate(
        Filters=[{"Name": "prefix-list-name", "Values": sorted(names)}]
    )
    return {
        each["PrefixListName"]: each["PrefixListId"]
        for page in pages
        for each in page["PrefixLists"]
    }


def create(client, module, item):
    name = module.params["prefix"] + item["name"]
    tags = {**module.params["tags"], "Name": name}
    group_id = client.create_security_group(
        GroupName=name,
        Description=item["description"],
        VpcId=module.params["vpc_id"],
        TagSpecifications=[
            {
                "ResourceType": "security-group",
                "Tags": [{"Key": key, "Value": str(tags[key])} for key in sorted(tags)],
            }
        ],
    )["GroupId"]
    client.get_waiter("security_group_exists").wait(
        GroupIds=[group_id], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    return group_id


def write(client, group_id, add, remove, describe):
    if add:
        JUST_MADE(client.authorize_security_group_ingress)(
            GroupId=group_id, IpPermissions=permissions(add)
        )
    if describe:
        client.update_security_group_rule_descriptions_ingress(
            GroupId=group_id, IpPermissions=permissions(describe)
        )
    if remove:
        client.revoke_security_group_ingress(GroupId=group_id, IpPermissions=permissions(remove))


def ensure(client, module):
    listed = {item["name"]: item for item in module.params["groups"]}
    for item in listed.values():
        for rule in item["rules"]:
            if rule["group"] and rule["group"] not in listed:
                module.fail_json(
                    msg=f"{item['name']} refers to {rule['group']}, which is not listed"
                )

    lists = prefix_lists(client, listed.values())
    for item in listed.values():
        for rule in item["rules"]:
            if rule["prefix_list"] and rule["prefix_list"] not in lists:
                module.fail_json(msg=f"There is no managed prefix list {rule['prefix_list']}.")

    current = {} if module.params["vpc_id"] == "vpc-00000000" else read(client, module)
    ids = {name: group["GroupId"] for name, group in current.items()}
    names = {source: name for name, source in (ids | lists).items()}
    before = {
        name: shown(current_rules(group["IpPermissions"]), names) for name, group in current.items()
    }
    after = dict(before)

    created = [name for name in listed if name not in ids]
    for name in created:
        ids[name] = UNKNOWN if module.check_mode else create(client, module, listed[name])
    names = {source: name for name, source in (ids | lists).items()}
    changed = bool(created)
    surplus = not module.params["purge_groups"] and not ids.keys() <= listed.keys()
    for name, item in listed.items():
        there = current_rules(current[name]["IpPermissions"]) if name in current else {}
        wanted = wanted_rules(item["rules"], lists | ids)
        *steps, rules = plan(there, wanted, module.params["purge_rules"])
        surplus = surplus or not rules.keys() <= wanted.keys()
        after[name] = shown(rules, names)
        if any(steps):
            changed = True
            if not module.check_mode:
                write(client, ids[name], *steps)

    purged = [name for name in ids if name not in listed] if module.params["purge_groups"] else []
    # AWS deletes no group that a rule of another refers to, so rules go first.
    for name in purged:
        changed = True
        del after[name]
        if not module.check_mode:
            write(client, ids[name], {}, current_rules(current[name]["IpPermissions"]), {})
    for name in purged:
        if not module.check_mode:
            IN_USE(client.delete_security_group)(GroupId=ids[name])
    return {
        "changed": changed,
        "groups": {name: ids[name] for name in listed},
        "surplus": surplus,
        "diff": {"before": before, "after": after},
    }


def main():
    rule = {
        "proto": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        "ports": {"type": "list", "elements": "str", "required": True},
        "cidr_ip": {"type": "list", "elements": "str"},
        "group": {"type": "str"},
        "prefix_list": {"type": "str"},
        "rule_desc": {"type": "str"},
    }
    group = {
        "name": {"type": "str", "required": True},
        "description": {"type": "str", "required": True},
        "rules": {"type": "list", "elements": "dict", "default": [], "options": rule},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": ""},
            "groups": {"type": "list", "elements": "dict", "default": [], "options": group},
            "purge_rules": {"type": "bool", "default": True},
            "purge_groups": {"type": "bool", "default": False},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    client = module.client("ec2")
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="Cannot keep the security groups")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
