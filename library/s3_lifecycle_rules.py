#!/usr/bin/python
"""Ansible module: after how many days what is in a bucket goes."""

DOCUMENTATION = r"""
module: s3_lifecycle_rules
short_description: Keep all lifecycle rules of a bucket
description:
  - Makes the O(rules) the bucket's only ones, in one step.
notes:
  - "Gap in the collections: M(community.aws.s3_lifecycle) takes one rule a call, leaves the others,
    and has no check mode."
options:
  bucket:
    description: The bucket.
    type: str
    required: true
  rules:
    description: The rules. Where several hold for an object, S3 takes the shortest time.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Its name.
        type: str
        required: true
      prefix:
        description: Which objects it holds for, by how their keys begin.
        type: str
        default: ""
      expiration_days:
        description: Days until an object goes; with versioning, until it becomes an old version.
        type: int
      noncurrent_days:
        description: Days until an old version goes.
        type: int
      abort_upload_days:
        description: Days until the parts of an upload go that was never finished, and are paid for.
        type: int
        default: 1
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Let dumps go after a month, those of every hour after two days
  s3_lifecycle_rules:
    bucket: shop-backups
    rules:
      - {id: dumps, prefix: dumps/, expiration_days: 30, noncurrent_days: 30}
      - {id: hourly, prefix: dumps/hourly/, expiration_days: 2, noncurrent_days: 1}
"""

RETURN = r"""
rules:
  description: The rules by their names, as S3 has them.
  returned: always
  type: dict
  sample: {dumps: {Prefix: dumps/, Expiration: 30, AbortIncompleteMultipartUpload: 1}}
"""

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# Our names: S3's names of the action and of its days.
ACTIONS = {
    "expiration_days": ("Expiration", "Days"),
    "noncurrent_days": ("NoncurrentVersionExpiration", "NoncurrentDays"),
    "abort_upload_days": ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
}


def rule(item):
    """One of the module's ``rules`` as S3 takes it."""
    actions = {
        action: {days: item[name]}
        for name, (action, days) in ACTIONS.items()
        if item[name] is not None
    }
    return {
        "ID": item["id"],
        "Filter": {"Prefix": item["prefix"]},
        "Status": "Enabled",
        **actions,
    }


def shown(rules):
    """Rules of S3 by name, for people and to compare."""
    found = {}
    for each in rules:
        days = {action: each[action].get(key) for action, key in ACTIONS.values() if action in each}
        prefix = each.get("Filter", {}).get("Prefix", each.get("Prefix", ""))
        off = {} if each["Status"] == "Enabled" else {"Status": each["Status"]}
        found[each["ID"]] = {"Prefix": prefix, **days, **off}
    return found


def read(client, module):
    missing = ["NoSuchLifecycleConfiguration"]
    if module.check_mode:
        missing.append("NoSuchBucket")
    try:
        return client.get_bucket_lifecycle_configuration(Bucket=module.params["bucket"])["Rules"]
    except is_boto3_error_code(missing):
        return []


def ensure(client, module):
    wanted = [rule(item) for item in module.params["rules"]]
    before, after = shown(read(client, module)), shown(wanted)
    if before != after and not module.check_mode:
        client.put_bucket_lifecycle_configuration(
            Bucket=module.params["bucket"], LifecycleConfiguration={"Rules": wanted}
        )
    return {"changed": before != after, "rules": after, "diff": {"before": before, "after": after}}


def main():
    options = {
        "id": {"type": "str", "required": True},
        "prefix": {"type": "str", "default": ""},
        "expiration_days": {"type": "int"},
        "noncurrent_days": {"type": "int"},
        "abort_upload_days": {"type": "int", "default": 1},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "rules": {"type": "list", "elements": "dict", "required": True, "options": options},
        },
        supports_check_mode=True,
    )
    try:
        result = ensure(module.client("s3"), module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the rules of {module.params['bucket']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
