#!/usr/bin/python
"""Ansible module: a cache parameter group of ElastiCache."""

DOCUMENTATION = r"""
module: cache_parameter_group
short_description: Keep a cache parameter group of ElastiCache
description:
  - Creates a parameter group with some values that differ from the engine's own, changes these,
    sets others back, or deletes it.
notes:
  - "Gap in the collections: M(community.aws.elasticache_parameter_group) stops at Redis 6 and knows
    neither check mode nor tags."
options:
  name:
    description: Name, unique in the account and region.
    type: str
    required: true
  family:
    description:
      - Engine and version, such as V(valkey8). It cannot change. Needed with O(state=present).
    type: str
  description:
    description: What it is for. It cannot change.
    type: str
    default: ""
  values:
    description: Parameters that are not to have the engine's own value.
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
- name: Let the cache throw away whatever was not used for the longest time
  cache_parameter_group:
    name: shop
    family: valkey8
    values: {maxmemory-policy: allkeys-lru}
"""

RETURN = r"""
values:
  description: The parameters that have not the engine's own value.
  returned: always
  type: dict
  sample: {maxmemory-policy: allkeys-lru}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
)

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so


def read(client, name):
    """``(group, values)``, both empty when there is none; the values are those somebody has set."""
    try:
        group = client.describe_cache_parameter_groups(CacheParameterGroupName=name)[
            "CacheParameterGroups"
        ][0]
    except client.exceptions.CacheParameterGroupNotFoundFault:
        return {}, {}
    pages = client.get_paginator("describe_cache_parameters").paginate(
        CacheParameterGroupName=name, Source="user"
    )
    return group, {
        each["ParameterName"]: each.get("ParameterValue", "")
        for page in pages
        for each in page["Parameters"]
    }


def pairs(values):
    return [{"ParameterName": key, "ParameterValue": values[key]} for key in sorted(values)]


def ensure_present(client, module):
    name, family = module.params["name"], module.params["family"]
    group, before = read(client, name)
    if group and group["CacheParameterGroupFamily"] != family:
        module.fail_json(
            msg=f"The family of {name} is {group['CacheParameterGroupFamily']} and cannot become "
            f"{family}."
        )
    wanted = {key: str(value) for key, value in module.params["values"].items()}
    set_anew = {key: value for key, value in wanted.items() if before.get(key) != value}
    set_back = {key: before[key] for key in before if key not in wanted}
    if not module.check_mode:
        if not group:
            client.create_cache_parameter_group(
                CacheParameterGroupName=name,
                CacheParameterGroupFamily=family,
                Description=module.params["description"] or name,
                Tags=ansible_dict_to_boto3_tag_list(module.params["tags"]),
            )
        if set_anew:
            client.modify_cache_parameter_group(
                CacheParameterGroupName=name, ParameterNameValues=pairs(set_anew)
            )
        if set_back:
            client.reset_cache_parameter_group(
                CacheParameterGroupName=name, ParameterNameValues=pairs(set_back)
            )
    return {
        "changed": bool(not group or set_anew or set_back),
        "values": wanted,
        "diff": {"before": before, "after": wanted},
    }


def ensure_absent(client, module):
    group, before = read(client, module.params["name"])
    if group and not module.check_mode:
        # A cache that was deleted a moment ago may still count as using it.
        retry = AWSRetry.jittered_backoff(
            retries=20, catch_extra_error_codes=["InvalidCacheParameterGroupState"]
        )
        retry(client.delete_cache_parameter_group)(CacheParameterGroupName=module.params["name"])
    return {"changed": bool(group), "values": {}, "diff": {"before": before, "after": {}}}


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "family": {"type": "str"},
            "description": {"type": "str", "default": ""},
            "values": {"type": "dict", "default": {}},
            "tags": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["family"])],
        supports_check_mode=True,
    )
    client = module.client("elasticache")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the parameter group {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
