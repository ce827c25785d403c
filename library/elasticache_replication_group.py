#!/usr/bin/python
"""Ansible module: a cache of ElastiCache, as a replication group."""

DOCUMENTATION = r"""
module: elasticache_replication_group
short_description: Keep a replication group of ElastiCache
description:
  - Creates a primary and its replicas (cluster mode off), changes them in place and deletes them,
    each time until AWS has done it.
notes:
  - "Gap in the collections: M(community.aws.elasticache) knows single clusters only, which have
    neither replicas nor TLS nor a token."
options:
  name:
    description: Name, unique in the account and region.
    type: str
    required: true
  description:
    description: What it is for.
    type: str
  engine:
    description: V(valkey) or V(redis). It cannot change here.
    type: str
    default: valkey
  engine_version:
    description: Version of the engine, at least; one that AWS has brought further stays.
    type: str
  node_type:
    description: Type of each node. Needed with O(state=present).
    type: str
  nodes:
    description: The primary and its replicas.
    type: int
    default: 2
  automatic_failover:
    description: Whether a replica takes over when the primary fails. It wants two nodes.
    type: bool
    default: true
  multi_az:
    description: Whether the nodes are in several zones. It wants O(automatic_failover).
    type: bool
    default: true
  port:
    description: Port of the nodes. It cannot change.
    type: int
    default: 6379
  subnet_group:
    description: Name of the cache subnet group. It cannot change. Needed with O(state=present).
    type: str
  parameter_group:
    description: Name of the cache parameter group; the engine's own if it is left out.
    type: str
  security_groups:
    description: Ids of the security groups. Needed with O(state=present).
    type: list
    elements: str
  transit_encryption:
    description: Whether clients have to use TLS. It cannot change here.
    type: bool
    default: true
  at_rest_encryption:
    description:
      - Whether what is written to disks (copies for replicas, snapshots) is encrypted. It cannot
        change.
    type: bool
    default: true
  auth_token:
    description:
      - The password of clients, 16 to 128 characters; it wants O(transit_encryption).
      - AWS never tells it, so another one is used only with O(auth_strategy).
    type: str
  auth_strategy:
    description:
      - What to do about the token of a group that exists.
      - With V(rotate) it takes O(auth_token) beside the one that it has, until V(set) makes it the
        only one. Between the two, clients change over.
      - Both change the group at every run.
    type: str
    choices: [keep, rotate, set]
    default: keep
  snapshot_days:
    description: Days that a daily snapshot is kept; 0 for none.
    type: int
    default: 0
  minor_upgrades:
    description: Whether AWS brings newer minor versions by itself.
    type: bool
    default: true
  tags:
    description: Tags of the group. Others that it has stay.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds that a step of AWS may take.
    type: int
    default: 1800
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
- name: Keep a cache in two zones
  elasticache_replication_group:
    name: shop
    node_type: cache.t4g.micro
    subnet_group: shop
    security_groups: [sg-0123456789abcdef0]
    auth_token: "{{ token }}"
    tags: {Project: shop}

- name: Let clients use another token too
  elasticache_replication_group:
    name: shop
    node_type: cache.t4g.micro
    subnet_group: shop
    security_groups: [sg-0123456789abcdef0]
    auth_token: "{{ next_token }}"
    auth_strategy: rotate
"""

RETURN = r"""
arn:
  description: ARN of the group; empty when there is none.
  returned: always
  type: str
  sample: arn:aws:elasticache:us-east-1:123456789012:replicationgroup:shop
primary:
  description: C(address) and C(port) where it is read and written; empty when there is none.
  returned: always
  type: dict
  sample: {address: master.shop.a1b2c3.use1.cache.amazonaws.com, port: 6379}
reader:
  description: C(address) and C(port) of the replicas; empty when there is none.
  returned: always
  type: dict
  sample: {address: replica.shop.a1b2c3.use1.cache.amazonaws.com, port: 6379}
"""

import time

from ansible.module_utils import replication_groups
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 5
STATE = [*replication_groups.CHANGEABLE, *replication_groups.FIXED, "nodes"]


def read(client, name):
    """The group as AWS tells it; empty when there is none."""
    try:
        return client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
    except client.exceptions.ReplicationGroupNotFoundFault:
        return {}


def look(client, group):
    """The group by our names, and its tags. What AWS keeps of a node only is the same of all."""
    if not group:
        return {}, {}
    member = {}
    if group.get("MemberClusters"):
        first = group["MemberClusters"][0]
        member = client.describe_cache_clusters(CacheClusterId=first)["CacheClusters"][0]
    tags = client.list_tags_for_resource(ResourceName=group["ARN"])["TagList"]
    return replication_groups.found(group, member), boto3_tag_list_to_ansible_dict(tags)


def wait(client, module, what, done):
    """The group once it is as ``done`` wants it; ``what`` says that in words."""
    name, seconds = module.params["name"], module.params["wait_timeout"]
    deadline = time.monotonic() + seconds
    while True:
        group = read(client, name)
        if done(group):
            return group
        status = group.get("Status", "gone")
        if status in ("create-failed", "gone"):
            module.fail_json(msg=f"{name} was waited for to {what}, but it is {status}.")
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"{name} was waited for to {what}, for {seconds} s: it is still {status}."
            )
        time.sleep(POLL_SECONDS)


def wait_settled(client, module, what, changes):
    """Until it has the ``changes`` too: right after the request it may still be as before."""

    def done(group):
        if not group or not replication_groups.settled(group):
            return False
        state, _ = look(client, group)
        return not replication_groups.differences(state, changes)

    return wait(client, module, what, done)


def wanted_state(params):
    state = {name: params[name] for name in STATE if params[name] is not None}
    state["security_groups"] = sorted(params["security_groups"])
    return state | {"auth_token": bool(params["auth_token"])}


def create(client, module, wanted, tags):
    arguments = replication_groups.creation(
        module.params["name"], wanted, module.params["auth_token"]
    )
    arguments.setdefault("ReplicationGroupDescription", module.params["name"])
    client.create_replication_group(**arguments, Tags=ansible_dict_to_boto3_tag_list(tags))
    return wait_settled(client, module, "be made", {})


def change(client, module, state, changes):
    """More nodes come first, fewer last: a failover wants two of them."""
    name = {"ReplicationGroupId": module.params["name"]}
    nodes = changes.get("nodes", state["nodes"])
    replicas = {"NewReplicaCount": nodes - 1, "ApplyImmediately": True}
    counted = f"have {nodes} node{'s' if nodes != 1 else ''}"
    if nodes > state["nodes"]:
        client.increase_replica_count(**name, **replicas)
        wait_settled(client, module, counted, {"nodes": nodes})
    if modification := replication_groups.modification(changes):
        client.modify_replication_group(**name, **modification, ApplyImmediately=True)
        # A failover that is switched off shows as soon as it is; "enabling" counts as on.
        rest = {key: value for key, value in changes.items() if key != "nodes"}
        wait_settled(client, module, f"get another {', '.join(sorted(rest))}", rest)
    if nodes < state["nodes"]:
        client.decrease_replica_count(**name, **replicas)
        wait_settled(client, module, counted, {"nodes": nodes})


def update_token(client, module, group):
    before = group.get("AuthTokenLastModifiedDate")
    strategy = module.params["auth_strategy"].upper()
    client.modify_replication_group(
        ReplicationGroupId=module.params["name"],
        AuthToken=module.params["auth_token"],
        AuthTokenUpdateStrategy=strategy,
        ApplyImmediately=True,
    )

    def done(now):
        return replication_groups.settled(now) and now.get("AuthTokenLastModifiedDate") != before

    return wait(client, module, f"{strategy.lower()} its token", done)


def ensure_present(client, module):
    name, check = module.params["name"], module.check_mode
    group = read(client, name)
    if group and not check and not replication_groups.settled(group):
        group = wait_settled(client, module, "be available", {})
    state, has = look(client, group)
    wanted, tags = wanted_state(module.params), module.params["tags"]
    tags = {key: str(value) for key, value in tags.items()}
    changes = replication_groups.differences(state, wanted)
    for option in replication_groups.fixed(changes) if group else []:
        if option in state:
            module.fail_json(
                msg=f"The {option} of {name} is {state[option]} and cannot become "
                f"{wanted[option]}: ElastiCache would have to make it anew."
            )
    other_token = bool(group) and module.params["auth_strategy"] != "keep"
    tagged = {key: value for key, value in tags.items() if has.get(key) != value}
    changed = bool(not group or changes or tagged or other_token)
    if changed and not check:
        if not group:
            group = create(client, module, wanted, tags)
        else:
            change(client, module, state, changes)
            if other_token:
                update_token(client, module, group)
            if tagged:
                client.add_tags_to_resource(
                    ResourceName=group["ARN"], Tags=ansible_dict_to_boto3_tag_list(tagged)
                )
            group = read(client, name)
    after = state | changes | {"tags": has | tagged}
    if other_token:
        after["auth_token"] = f"another one ({module.params['auth_strategy']})"
    return {
        "changed": changed,
        **exported(group),
        "diff": {"before": state | {"tags": has} if state else {}, "after": after},
    }


def exported(group):
    return {
        "arn": group.get("ARN", ""),
        "primary": replication_groups.endpoint(group, "PrimaryEndpoint"),
        "reader": replication_groups.endpoint(group, "ReaderEndpoint"),
    }


def ensure_absent(client, module):
    name = module.params["name"]
    group = read(client, name)
    state, has = look(client, group) if group.get("Status") != "deleting" else ({}, {})
    if group and not module.check_mode:
        if group["Status"] not in ("available", "create-failed", "deleting"):
            wait(client, module, "be available, so that it can go", replication_groups.settled)
        if group["Status"] != "deleting":
            client.delete_replication_group(ReplicationGroupId=name)
        wait(client, module, "be gone", lambda now: not now)
    return {
        "changed": bool(state),
        **exported({}),
        "diff": {"before": state | {"tags": has} if state else {}, "after": {}},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "description": {"type": "str"},
            "engine": {"type": "str", "default": "valkey"},
            "engine_version": {"type": "str"},
            "node_type": {"type": "str"},
            "nodes": {"type": "int", "default": 2},
            "automatic_failover": {"type": "bool", "default": True},
            "multi_az": {"type": "bool", "default": True},
            "port": {"type": "int", "default": 6379},
            "subnet_group": {"type": "str"},
            "parameter_group": {"type": "str"},
            "security_groups": {"type": "list", "elements": "str"},
            "transit_encryption": {"type": "bool", "default": True},
            "at_rest_encryption": {"type": "bool", "default": True},
            "auth_token": {"type": "str", "no_log": True},
            "auth_strategy": {
                "type": "str",
                "choices": ["keep", "rotate", "set"],
                "default": "keep",
            },
            "snapshot_days": {"type": "int", "default": 0},
            "minor_upgrades": {"type": "bool", "default": True},
            "tags": {"type": "dict", "default": {}},
            "wait_timeout": {"type": "int", "default": 1800},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[
            ("state", "present", ["node_type", "subnet_group", "security_groups"]),
            ("auth_strategy", "rotate", ["auth_token"]),
            ("auth_strategy", "set", ["auth_token"]),
        ],
        supports_check_mode=True,
    )
    client = module.client("elasticache")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the cache {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
