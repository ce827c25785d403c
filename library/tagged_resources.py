#!/usr/bin/python
"""Ansible module: everything that carries some tags."""

DOCUMENTATION = r"""
module: tagged_resources
short_description: List every AWS resource that carries some tags
description:
  - Asks the tagging API once, so that a play knows in one call what is there to look after.
  - With O(thorough), asks EC2 and Route 53 themselves too, to prove that nothing is left.
notes:
  - "Gap in the collections: no module reads the tagging API; an C(_info) module for each service
    takes 0.9 s a service."
  - AWS may name a resource for some minutes after it was deleted, and a new one only after some
    seconds. It lists neither IAM roles nor, outside us-east-1, hosted zones.
  - What comes back is an C(_info) result, so check mode changes nothing and there is no diff.
options:
  tags:
    description: Tags that a resource must carry, all of them.
    type: dict
    required: true
  thorough:
    description: Whether to ask the services for what the tagging API may not list (Elastic IPs, key
      pairs, launch templates, Auto Scaling groups, hosted zones), and to leave out instances that
      have ended, which AWS names for an hour.
    type: bool
    default: false
  iam_names:
    description: Names of IAM roles and instance profiles that count, where they are. IAM finds none
      by its tags.
    type: list
    elements: str
    default: []
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

- name: Wait until nothing is left
  tagged_resources:
    tags: {Project: shop, Environment: production}
    thorough: true
    iam_names: [shop-production-web]
  register: left
  until: left.arns == []
  retries: 60
  delay: 10

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

from ansible.module_utils.arns import by_kind, ec2_arn, left_out
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so


# What is of no region is listed in this one only.
GLOBAL_REGION = "us-east-1"
GLOBAL_TYPES = ["cloudfront:distribution"]


def read(client, tags, **types):
    pages = client.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": key, "Values": [str(tags[key])]} for key in sorted(tags)], **types
    )
    return sorted(
        found["ResourceARN"] for page in pages for found in page["ResourceTagMappingList"]
    )


def tagged_ec2(client, tags, region):
    """ARNs of addresses and keys, and the ids of instances that have ended."""
    filters = [{"Name": f"tag:{key}", "Values": [str(tags[key])]} for key in sorted(tags)]
    addresses = client.describe_addresses(Filters=filters)["Addresses"]
    keys = client.describe_key_pairs(Filters=filters)["KeyPairs"]
    pages = client.get_paginator("describe_instances").paginate(
        Filters=[
            *filters,
            {"Name": "instance-state-name", "Values": ["shutting-down", "terminated"]},
        ]
    )
    ended = {
        instance["InstanceId"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    }
    here = client.meta.partition, region
    pages = client.get_paginator("describe_launch_templates").paginate(Filters=filters)
    found = {ec2_arn(*here, "elastic-ip", each["AllocationId"]) for each in addresses}
    found |= {ec2_arn(*here, "key-pair", each["KeyPairId"]) for each in keys}
    found |= {
        ec2_arn(*here, "launch-template", each["LaunchTemplateId"])
        for page in pages
        for each in page["LaunchTemplates"]
    }
    return found, ended


def tagged_groups(client, tags):
    filters = [{"Name": f"tag:{key}", "Values": [str(tags[key])]} for key in sorted(tags)]
    pages = client.get_paginator("describe_auto_scaling_groups").paginate(Filters=filters)
    return {each["AutoScalingGroupARN"] for page in pages for each in page["AutoScalingGroups"]}


def tagged_zones(client, tags):
    pages = client.get_paginator("list_hosted_zones").paginate()
    ids = [zone["Id"].rpartition("/")[2] for page in pages for zone in page["HostedZones"]]
    found = set()
    for start in range(0, len(ids), 10):
        listed = client.list_tags_for_resources(
            ResourceType="hostedzone", ResourceIds=ids[start : start + 10]
        )["ResourceTagSets"]
        for each in listed:
            carried = {tag["Key"]: tag.get("Value", "") for tag in each["Tags"]}
            if {key: str(value) for key, value in tags.items()}.items() <= carried.items():
                found.add(f"arn:{client.meta.partition}:route53:::hostedzone/{each['ResourceId']}")
    return found


def named_in_iam(client, names):
    found = set()
    for name in names:
        for get, argument, answer in (
            (client.get_role, "RoleName", "Role"),
            (client.get_instance_profile, "InstanceProfileName", "InstanceProfile"),
        ):
            try:
                found.add(get(**{argument: name})[answer]["Arn"])
            except is_boto3_error_code("NoSuchEntity"):
                continue
    return found


def ask_the_services(module, arns):
    tags = module.params["tags"]
    of_ec2, ended = tagged_ec2(module.client("ec2"), tags, module.region)
    found = (
        of_ec2
        | tagged_groups(module.client("autoscaling"), tags)
        | tagged_zones(module.client("route53"), tags)
    )
    return left_out([*arns, *found], ended)


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "tags": {"type": "dict", "required": True},
            "thorough": {"type": "bool", "default": False},
            "iam_names": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    client = module.client("resourcegroupstaggingapi")
    try:
        arns = read(client, module.params["tags"])
        if module.region != GLOBAL_REGION:
            everywhere = module.client("resourcegroupstaggingapi", region=GLOBAL_REGION)
            arns += read(everywhere, module.params["tags"], ResourceTypeFilters=GLOBAL_TYPES)
        if module.params["iam_names"]:
            arns += sorted(named_in_iam(module.client("iam"), module.params["iam_names"]))
        if module.params["thorough"]:
            arns = ask_the_services(module, arns)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="Cannot list the tagged resources")
    module.exit_json(changed=False, arns=arns, kinds=by_kind(arns))


if __name__ == "__main__":
    main()
