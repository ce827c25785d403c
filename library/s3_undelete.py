#!/usr/bin/python
"""Ansible module: objects of a versioned bucket that were deleted."""

DOCUMENTATION = r"""
module: s3_undelete
short_description: Bring back the objects of a versioned bucket that were deleted since a moment
description:
  - Removes the delete markers that are younger than a moment and the newest of their keys. What was
    there before them is there again.
  - Objects that were written since then stay.
notes:
  - "Gap in the collections: no module of theirs lists versions or removes a delete marker."
  - Clocks differ a little, so O(since) is taken five minutes earlier.
options:
  bucket:
    description: The bucket.
    type: str
    required: true
  prefix:
    description: Which objects, by how their keys begin.
    type: str
    default: ""
  since:
    description: The moment, in UTC, as in V(20260101T031700Z).
    type: str
    required: true
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Have the pictures that a dump of that moment names
  s3_undelete:
    bucket: shop-pictures
    since: 20260101T031700Z
"""

RETURN = r"""
undeleted:
  description: How many objects are there again. In check mode, would be.
  returned: always
  type: int
  sample: 12
"""

from datetime import UTC, datetime, timedelta

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

SKEW = timedelta(minutes=5)
# S3 deletes at most that many in one call.
BATCH = 1000


def moment(text):
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def markers(client, bucket, prefix, since):
    """Delete markers that hide their objects, and are not older than ``since``."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for each in page.get("DeleteMarkers", []):
            if each["IsLatest"] and each["LastModified"] >= since:
                yield {"Key": each["Key"], "VersionId": each["VersionId"]}


def remove(client, bucket, found):
    for start in range(0, len(found), BATCH):
        answer = client.delete_objects(
            Bucket=bucket, Delete={"Objects": found[start : start + BATCH], "Quiet": True}
        )
        if errors := answer.get("Errors"):
            yield from (f"{each['Key']}: {each['Message']}" for each in errors)


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": ""},
            "since": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    bucket, prefix = module.params["bucket"], module.params["prefix"]
    try:
        since = moment(module.params["since"]) - SKEW
    except ValueError:
        module.fail_json(msg=f"since: {module.params['since']!r} is no moment as 20260101T031700Z")
    try:
        client = module.client("s3")
        found = list(markers(client, bucket, prefix, since))
        refused = [] if module.check_mode else list(remove(client, bucket, found))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot bring back what was deleted from {bucket}")
    if refused:
        module.fail_json(msg=f"Still deleted in {bucket}: {'; '.join(refused)}")
    keys = sorted(each["Key"] for each in found)
    module.exit_json(
        changed=bool(found),
        undeleted=len(found),
        diff={"before": {"deleted": keys}, "after": {"deleted": []}},
    )


if __name__ == "__main__":
    main()
