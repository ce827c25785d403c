#!/usr/bin/python
"""Ansible module: everything that carries some tags."""

DOCUMENTATION = r"""
module: tagged_resources
short_description: List every AWS resource that carries some tags
description:
  - Asks the tagging API once, so that a play knows in one call what is there to look after.
notes:
  - "Gap in the collections: no module reads the tagging API; an C(_info) module for each service
    takes 0.9 s a service."
  - AWS may name a resource for some minutes after it was deleted, and a new one only after some
    seconds.
  - What comes back is an C(_info) result, so check mode changes nothing and there is no diff.
options:
  tags:
    description: Tags that a resource must carry, all of them.
    type: dict
    required: true
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Look at what there is
  tagged_resources:
    tags: {Project: shop, Environment: production}
  register: found

- name: Remove the database
  amazon.aws.rds_instance: {id: shop, state: absent, skip_final_snapshot: true}
  when: "'rds:db' in found.kinds"
"""

RETURN = r"""
arns:
  description: ARNs of the resources.
  returned: always
  type: list
  elements: str
  sample: ["arn:aws:rds:us-east-1:123456789012:db:shop"]
kinds:
  description: The same by service and type.
  returned: always
  type: dict
  sample: {"rds:db": ["arn:aws:rds:us-east-1:123456789012:db:shop"]}
"""

from ansible.module_utils.arns import by_kind
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so


def read(client, tags):
    pages = client.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": key, "Values": [str(tags[key])]} for key in sorted(tags)]
    )
    return sorted(
        found["ResourceARN"] for page in pages for found in page["ResourceTagMappingList"]
    )


def main():
    module = AnsibleAWSModule(
        argument_spec={"tags": {"type": "dict", "required": True}}, supports_check_mode=True
    )
    client = module.client("resourcegroupstaggingapi")
    try:
        arns = read(client, module.params["tags"])
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="Cannot list the tagged resources")
    module.exit_json(changed=False, arns=arns, kinds=by_kind(arns))


if __name__ == "__main__":
    main()
