#!/usr/bin/python
"""Ansible module: can this account and region carry some instances?"""

DOCUMENTATION = r"""
module: aws_readiness
short_description: Check zones, quotas, image, instance type and name before anything is created
description:
  - Only reads. Everything that is missing comes back at once, not one failure a run.
notes:
  - "Gap in the collections: nothing reads Service Quotas; the rest would be six C(_info) modules."
  - What comes back is an C(_info) result, so check mode changes nothing and there is no diff.
options:
  zones:
    description: Availability zones that have to exist.
    type: list
    elements: str
    required: true
  instance_type:
    description: EC2 instance type.
    type: str
    required: true
  instance_count:
    description: How many instances are to run.
    type: int
    default: 1
  addresses:
    description: How many Elastic IPs are to be allocated.
    type: int
    default: 0
  image_owner:
    description: Account that publishes the image.
    type: str
    required: true
  image_name:
    description: Name pattern of the image.
    type: str
    required: true
  hosted_zone:
    description: Name of a public hosted zone that has to be in the account.
    type: str
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Check before anything is created
  aws_readiness:
    zones: [eu-west-1a, eu-west-1b]
    instance_type: t3.small
    instance_count: 2
    image_owner: "136693071363"
    image_name: debian-13-amd64-*
    hosted_zone: example.com
"""

RETURN = r"""
findings:
  description: What was looked at, a line each.
  returned: always
  type: list
  elements: str
  sample: ["zones: eu-west-1a, eu-west-1b", "Elastic IPs: 1 of 5 used, 0 more wanted"]
problems:
  description: What stands in the way, a line each.
  returned: always
  type: list
  elements: str
  sample: ["t9.small is not offered in eu-west-1a"]
"""

from ansible.module_utils import readiness
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# Service Quotas' codes: running on-demand standard instances (vCPUs), and Elastic IPs.
VCPUS, ADDRESSES = "L-1216C47A", "L-0263D0A3"
STANDARD_FAMILIES = tuple("acdhimrtz")


def limit(client, code):
    """The account's quota, or None where AWS does not say."""
    try:
        found = client.get_service_quota(ServiceCode="ec2", QuotaCode=code)
    except is_boto3_error_code(["NoSuchResourceException", "AccessDeniedException"]):
        return None
    return int(found["Quota"]["Value"])


def vcpus(ec2, types):
    """vCPUs of each of the instance types."""
    found = ec2.describe_instance_types(InstanceTypes=sorted(types))["InstanceTypes"]
    return {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in found}


def running_types(ec2):
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=states)
    return [
        instance["InstanceType"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if instance["InstanceType"].startswith(STANDARD_FAMILIES)
    ]


def look(module):
    """``(findings, problems)`` of everything."""
    wanted = module.params
    ec2, quotas = module.client("ec2"), module.client("service-quotas")
    available = [
        each["ZoneName"] for each in ec2.describe_availability_zones()["AvailabilityZones"]
    ]
    offering = ec2.describe_instance_type_offerings(
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": [wanted["instance_type"]]}],
    )["InstanceTypeOfferings"]
    yield readiness.zones(wanted["zones"], available)
    yield readiness.offered(
        wanted["instance_type"], wanted["zones"], [each["Location"] for each in offering]
    )
    if offering:
        running = running_types(ec2)
        cpus = vcpus(ec2, {*running, wanted["instance_type"]})
        more = cpus[wanted["instance_type"]] * wanted["instance_count"]
        used = sum(cpus[each] for each in running)
        yield readiness.quota("vCPUs", limit(quotas, VCPUS), used, more)
    addresses = len(ec2.describe_addresses()["Addresses"])
    yield readiness.quota("Elastic IPs", limit(quotas, ADDRESSES), addresses, wanted["addresses"])
    images = ec2.describe_images(
        Owners=[wanted["image_owner"]], Filters=[{"Name": "name", "Values": [wanted["image_name"]]}]
    )["Images"]
    yield readiness.image(wanted["image_name"], wanted["image_owner"], images)
    if wanted["hosted_zone"]:
        pages = module.client("route53").get_paginator("list_hosted_zones").paginate()
        names = [
            zone["Name"]
            for page in pages
            for zone in page["HostedZones"]
            if not zone["Config"]["PrivateZone"]
        ]
        yield readiness.hosted_zone(wanted["hosted_zone"], names)


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "zones": {"type": "list", "elements": "str", "required": True},
            "instance_type": {"type": "str", "required": True},
            "instance_count": {"type": "int", "default": 1},
            "addresses": {"type": "int", "default": 0},
            "image_owner": {"type": "str", "required": True},
            "image_name": {"type": "str", "required": True},
            "hosted_zone": {"type": "str"},
        },
        supports_check_mode=True,
    )
    findings, problems = [], []
    try:
        for found, missing in look(module):
            findings += found
            problems += missing
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="AWS does not answer what was asked")
    module.exit_json(changed=False, findings=findings, problems=problems)


if __name__ == "__main__":
    main()
