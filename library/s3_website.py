#!/usr/bin/python
"""Ansible module: what a bucket shows as a website."""

DOCUMENTATION = r"""
module: s3_website
short_description: Let S3 serve a bucket as a website, or not
description:
  - Makes index, error document and redirects of a bucket's website what the options say.
  - Who may read the bucket is its policy's part.
notes:
  - "Gap in the collections: M(community.aws.s3_website) knows no redirects but that of everything,
    and has no check mode."
options:
  bucket:
    description: The bucket.
    type: str
    required: true
  index:
    description: The document of a folder.
    type: str
    default: index.html
  error:
    description: Key of the document for what is not there; empty for S3's own.
    type: str
    default: ""
  redirects:
    description: Keys that lead elsewhere. The first one that matches counts.
    type: list
    elements: dict
    default: []
    suboptions:
      prefix:
        description: How the keys begin.
        type: str
        required: true
      to:
        description: What they begin with instead.
        type: str
      host:
        description: Another host.
        type: str
      protocol:
        description: Another protocol.
        type: str
        choices: [http, https]
      code:
        description: The status code.
        type: int
        default: 301
  state:
    description: Whether it is a website.
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
- name: Serve a guide, whose pages moved once
  s3_website:
    bucket: shop-guide
    error: 404.html
    redirects:
      - {prefix: manual/, to: guide/}
"""

RETURN = r"""
website:
  description: The configuration as S3 has it.
  returned: always
  type: dict
  sample: {IndexDocument: {Suffix: index.html}}
"""

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# Our names: S3's.
TARGET = {"to": "ReplaceKeyPrefixWith", "host": "HostName", "protocol": "Protocol"}


def rule(option):
    target = {name: option[ours] for ours, name in TARGET.items() if option[ours] is not None}
    return {
        "Condition": {"KeyPrefixEquals": option["prefix"]},
        "Redirect": {**target, "HttpRedirectCode": str(option["code"])},
    }


def wanted(params):
    found = {"IndexDocument": {"Suffix": params["index"]}}
    if params["error"]:
        found["ErrorDocument"] = {"Key": params["error"]}
    if params["redirects"]:
        found["RoutingRules"] = [rule(each) for each in params["redirects"]]
    return found


def read(client, module):
    missing = ["NoSuchWebsiteConfiguration"]
    if module.check_mode or module.params["state"] == "absent":
        missing.append("NoSuchBucket")
    try:
        found = client.get_bucket_website(Bucket=module.params["bucket"])
    except is_boto3_error_code(missing):
        return {}
    return {name: value for name, value in found.items() if name != "ResponseMetadata" and value}


def ensure(client, module):
    bucket = module.params["bucket"]
    before = read(client, module)
    after = wanted(module.params) if module.params["state"] == "present" else {}
    if before != after and not module.check_mode:
        if after:
            client.put_bucket_website(Bucket=bucket, WebsiteConfiguration=after)
        else:
            client.delete_bucket_website(Bucket=bucket)
    return {
        "changed": before != after,
        "website": after,
        "diff": {"before": before, "after": after},
    }


def main():
    redirect = {
        "prefix": {"type": "str", "required": True},
        "to": {"type": "str"},
        "host": {"type": "str"},
        "protocol": {"type": "str", "choices": ["http", "https"]},
        "code": {"type": "int", "default": 301},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "index": {"type": "str", "default": "index.html"},
            "error": {"type": "str", "default": ""},
            "redirects": {"type": "list", "elements": "dict", "default": [], "options": redirect},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = ensure(module.client("s3"), module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the website of {module.params['bucket']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
