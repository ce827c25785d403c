#!/usr/bin/python
"""Ansible module: an origin access control of CloudFront."""

DOCUMENTATION = r"""
module: cloudfront_origin_access_control
short_description: Keep an origin access control, by which CloudFront signs what it asks an origin
description:
  - Makes an origin access control what the options say.
  - Who may read a bucket is still what the bucket's policy says; it names the distribution.
notes:
  - "Gap in the collections: M(community.aws.cloudfront_origin_access_identity) makes what came
    before, which AWS advises against and which cannot read what KMS has encrypted; for origin
    access controls there is no module."
options:
  name:
    description: Name, unique in the account.
    type: str
    required: true
  description:
    description: What it is for.
    type: str
    default: ""
  origin_type:
    description: What kind of origin it is for. It cannot be changed later.
    type: str
    choices: [s3, lambda, mediapackagev2, mediastore]
    default: s3
  signing_behavior:
    description: Which requests are signed. V(no-override) leaves alone what the visitor has signed.
    type: str
    choices: [always, never, no-override]
    default: always
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
- name: Let CloudFront sign what it asks our buckets
  cloudfront_origin_access_control: {name: shop}
  register: access
"""

RETURN = r"""
id:
  description: Its id; empty if there is none.
  returned: always
  type: str
  sample: E1ABCDEFGHIJKL
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# A distribution that was deleted a moment ago may still count as using it.
IN_USE = AWSRetry.jittered_backoff(retries=20, catch_extra_error_codes=["OriginAccessControlInUse"])


def find(client, name):
    """Id of the origin access control of that name, or None."""
    pages = client.get_paginator("list_origin_access_controls").paginate()
    for page in pages:
        for each in page["OriginAccessControlList"].get("Items") or []:
            if each["Name"] == name:
                return each["Id"]
    return None


def read(client, identity):
    """Its config and its ETag."""
    found = client.get_origin_access_control(Id=identity)
    return found["OriginAccessControl"]["OriginAccessControlConfig"], found["ETag"]


def wanted(params):
    return {
        "Name": params["name"],
        "Description": params["description"],
        "OriginAccessControlOriginType": params["origin_type"],
        "SigningBehavior": params["signing_behavior"],
        "SigningProtocol": "sigv4",
    }


def comparable(config):
    return {name: value for name, value in sorted(config.items()) if value != ""}


def ensure_present(client, module):
    config = wanted(module.params)
    identity = find(client, module.params["name"])
    before, etag = read(client, identity) if identity else ({}, "")
    kind = "OriginAccessControlOriginType"
    if before and before[kind] != config[kind]:
        module.fail_json(
            msg=f"{config['Name']} is for {before[kind]} and cannot become one for {config[kind]}."
        )
    differs = comparable(before) != comparable(config)
    if differs and not module.check_mode:
        if identity:
            client.update_origin_access_control(
                Id=identity, IfMatch=etag, OriginAccessControlConfig=config
            )
        else:
            made = client.create_origin_access_control(OriginAccessControlConfig=config)
            identity = made["OriginAccessControl"]["Id"]
    return {
        "changed": differs,
        "id": identity or "",
        "diff": {"before": comparable(before), "after": comparable(config)},
    }


def ensure_absent(client, module):
    identity = find(client, module.params["name"])
    if identity is None:
        return {"changed": False, "id": ""}
    before, etag = read(client, identity)
    if not module.check_mode:
        IN_USE(client.delete_origin_access_control)(Id=identity, IfMatch=etag)
    return {"changed": True, "id": "", "diff": {"before": comparable(before), "after": {}}}


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "origin_type": {
                "type": "str",
                "choices": ["s3", "lambda", "mediapackagev2", "mediastore"],
                "default": "s3",
            },
            "signing_behavior": {
                "type": "str",
                "choices": ["always", "never", "no-override"],
                "default": "always",
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    client = module.client("cloudfront")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(
            error, msg=f"Cannot keep the origin access control {module.params['name']}"
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
