#!/usr/bin/python
"""Ansible module: a DynamoDB table that is paid by the request."""

DOCUMENTATION = r"""
module: dynamodb_on_demand_table
short_description: Keep a DynamoDB table, paid by the request
description:
  - Creates a table, keeps its expiry, backups and protection, or deletes it, each time until AWS
    has done it.
notes:
  - "Gap in the collections: M(community.aws.dynamodb_table) knows neither point-in-time recovery
    nor protection from deletion, and shows no diff; expiry is a module of its own."
  - DynamoDB encrypts every table, with a key of its own.
options:
  name:
    description: Name, unique in the account and region.
    type: str
    required: true
  key:
    description:
      - Attribute with the key of an item, a text. It cannot change. Needed with O(state=present).
    type: str
  sort:
    description:
      - Attribute by which items of one O(key) are in order and told from each other, if there is
        one. It cannot change.
    type: str
  sort_type:
    description: Whether O(sort) is a text (V(S)) or a number (V(N)).
    type: str
    choices: [S, N]
    default: S
  expiry:
    description:
      - Attribute with the time, in seconds since 1970, after which DynamoDB deletes an item some
        time. It cannot become another one. Without it, whatever there is stays.
    type: str
  recovery:
    description: Whether the table can be restored as it was at any moment of the last 35 days.
    type: bool
    default: true
  deletion_protection:
    description:
      - Whether DynamoDB refuses to delete the table. With O(state=absent), V(false) takes the
        protection off first.
    type: bool
    default: true
  tags:
    description: Tags of the table. Others that it has stay.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds that a step of AWS may take.
    type: int
    default: 600
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
- name: Keep a table of sessions that expire
  dynamodb_on_demand_table:
    name: shop-sessions
    key: session_key
    expiry: expires
    tags: {Project: shop}

- name: Keep a table of what is counted by the minute
  dynamodb_on_demand_table:
    name: shop-counters
    key: counted
    sort: minute
    sort_type: N

- name: Delete it with all that is in it
  dynamodb_on_demand_table:
    name: shop-sessions
    deletion_protection: false
    state: absent
"""

RETURN = r"""
arn:
  description: ARN of the table; empty when there is none.
  returned: always
  type: str
  sample: arn:aws:dynamodb:us-east-1:123456789012:table/shop-sessions
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 2


def read(client, name):
    """The table as AWS tells it; empty when there is none."""
    try:
        return client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return {}


def recoverable(client, name):
    """Whether it can be restored to any moment: of such a one AWS keeps a backup when it goes."""
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"


def look(client, table):
    """The table by our names."""
    name = {"TableName": table["TableName"]}
    expiry = client.describe_time_to_live(**name)["TimeToLiveDescription"]
    tags = client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    on = expiry["TimeToLiveStatus"] in ("ENABLING", "ENABLED")
    keys = {each["KeyType"]: each["AttributeName"] for each in table["KeySchema"]}
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    return {
        "key": keys["HASH"],
        "sort": keys.get("RANGE"),
        "sort_type": types.get(keys.get("RANGE")),
        "on_demand": table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
        "expiry": expiry["AttributeName"] if on else None,
        "recovery": recoverable(client, table["TableName"]),
        "deletion_protection": table.get("DeletionProtectionEnabled", False),
        "tags": boto3_tag_list_to_ansible_dict(tags),
    }


def wait(client, module, what, done):
    """The table once it is as ``done`` wants it; ``what`` says that in words."""
    name, seconds = module.params["name"], module.params["wait_timeout"]
    deadline = time.monotonic() + seconds
    while True:
        table = read(client, name)
        if done(table):
            return table
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"The table {name} was waited for to {what}, for {seconds} s: it is still "
                f"{table.get('TableStatus', 'gone')}."
            )
        time.sleep(POLL_SECONDS)


def active(table):
    return table.get("TableStatus") == "ACTIVE"


def differences(state, wanted):
    return {option: value for option, value in wanted.items() if state.get(option) != value}


def create(client, module, wanted):
    keys = [(wanted["key"], "HASH", "S")]
    if wanted["sort"]:
        keys.append((wanted["sort"], "RANGE", wanted["sort_type"]))
    client.create_table(
        TableName=module.params["name"],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, _, kind in keys
        ],
        KeySchema=[{"AttributeName": name, "KeyType": role} for name, role, _ in keys],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=wanted["deletion_protection"],
        Tags=ansible_dict_to_boto3_tag_list(wanted["tags"]),
    )
    return wait(client, module, "be made", active)


def change(client, module, table, changes):
    name = {"TableName": module.params["name"]}
    update = {}
    if "on_demand" in changes:
        update["BillingMode"] = "PAY_PER_REQUEST"
    if "deletion_protection" in changes:
        update["DeletionProtectionEnabled"] = changes["deletion_protection"]
    if update:
        client.update_table(**name, **update)

        def done(now):
            told = now | now.get("BillingModeSummary", {})
            return active(now) and all(told.get(key) == value for key, value in update.items())

        wait(client, module, "be changed", done)
    if "expiry" in changes:
        client.update_time_to_live(
            **name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": changes["expiry"]},
        )
    if "recovery" in changes:
        # A new table is not ready for it at once.
        retry = AWSRetry.jittered_backoff(
            retries=20, catch_extra_error_codes=["ContinuousBackupsUnavailableException"]
        )
        retry(client.update_continuous_backups)(
            **name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": changes["recovery"]},
        )
    if "tags" in changes:
        client.tag_resource(
            ResourceArn=table["TableArn"], Tags=ansible_dict_to_boto3_tag_list(changes["tags"])
        )


def ensure_present(client, module):
    params = module.params
    table = read(client, params["name"])
    if table and not module.check_mode:
        table = wait(client, module, "be active", active)
    before = look(client, table) if table else {}
    wanted = {
        "key": params["key"],
        "sort": params["sort"],
        "sort_type": params["sort_type"] if params["sort"] else None,
        "on_demand": True,
        "recovery": params["recovery"],
        "deletion_protection": params["deletion_protection"],
        "tags": before.get("tags", {}) | {key: str(value) for key, value in params["tags"].items()},
    }
    if params["expiry"]:
        wanted["expiry"] = params["expiry"]
    for option in ("key", "sort", "sort_type", "expiry"):
        # One without expiry may get it, one without a second key may not.
        fixed = before and (before.get(option) or option != "expiry")
        if fixed and before[option] != wanted.get(option, before[option]):
            module.fail_json(
                msg=f"The {option} of the table {params['name']} is {before[option]} and cannot "
                f"become {wanted[option]}."
            )
    changed = differences(before, wanted) != {}
    if changed and not module.check_mode:
        table = table or create(client, module, wanted)
        change(client, module, table, differences(look(client, table), wanted))
    return {
        "changed": changed,
        "arn": table.get("TableArn", ""),
        "diff": {"before": before, "after": before | wanted},
    }


def ensure_absent(client, module):
    name = module.params["name"]
    table = read(client, name)
    going = table.get("TableStatus") == "DELETING"
    protected = table.get("DeletionProtectionEnabled", False)
    before = {"items": table["ItemCount"]} if table else {}
    if table and not going:
        before["recovery"] = recoverable(client, name)
    if protected and module.params["deletion_protection"]:
        module.fail_json(
            msg=f"The table {name} is protected from deletion: deletion_protection=false takes the "
            "protection off."
        )
    if table and not module.check_mode:
        if not going:
            wait(client, module, "be active, so that it can go", active)
            if protected:
                change(client, module, table, {"deletion_protection": False})
            client.delete_table(TableName=name)
        wait(client, module, "be gone", lambda now: not now)
    return {
        "changed": bool(table) and not going,
        "arn": "",
        "diff": {"before": before, "after": {}},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "no_log": False},
            "sort": {"type": "str"},
            "sort_type": {"type": "str", "choices": ["S", "N"], "default": "S"},
            "expiry": {"type": "str"},
            "recovery": {"type": "bool", "default": True},
            "deletion_protection": {"type": "bool", "default": True},
            "tags": {"type": "dict", "default": {}},
            "wait_timeout": {"type": "int", "default": 600},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["key"])],
        supports_check_mode=True,
    )
    client = module.client("dynamodb")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the table {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
