#!/usr/bin/python
"""Ansible module: can this account and region carry a site?"""

DOCUMENTATION = r"""
module: aws_readiness
short_description: Check quotas, image, rights and name before anything is created
description:
  - Only reads. Everything that is missing comes back at once, not one failure a run. Zones, types
    and classes are M(preflight)'s, which every run asks.
  - What the site has already (by its O(tags) or names) does not count as used by others.
notes:
  - "Gap in the collections: nothing reads Service Quotas; the rest would be six C(_info) modules."
  - What comes back is an C(_info) result, so check mode changes nothing and there is no diff.
options:
  instance_type:
    description: EC2 instance type.
    type: str
    required: true
  instance_count:
    description: How many instances are to run.
    type: int
    default: 1
  spot_count:
    description: How many more of the type there may be on Spot, which has a quota of its own.
    type: int
    default: 0
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
    description: Name of the public hosted zone. It has to be delegated when it is there.
    type: str
  hosted_zone_state:
    description: Whether it has to be in the account, or is made later.
    type: str
    choices: [existing, present]
    default: existing
  db_identifier:
    description: Name of an RDS instance that is to run.
    type: str
  lb_name:
    description: Name of an Application Load Balancer that is to run.
    type: str
  function_name:
    description: Name of a Lambda function that is to have O(concurrency) of its own.
    type: str
  concurrency:
    description: How many invocations of it are to run at once, which nobody else gets.
    type: int
    default: 0
  boundary:
    description: ARN of the policy that bounds the hosts' role. It has to be there.
    type: str
    default: ""
  policies:
    description: IAM policies by their names, as JSON, that IAM Access Analyzer is to judge.
    type: dict
    default: {}
  tags:
    description: Tags of what is the site's own.
    type: dict
    default: {}
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Check before anything is created
  aws_readiness:
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
  sample: ["Elastic IPs: 1 of 5 used by others, 1 wanted"]
problems:
  description: What stands in the way, a line each.
  returned: always
  type: list
  elements: str
  sample: ["no image debian-13-amd64-* of 136693071363 is visible here"]
"""

from ansible.module_utils import delegation, readiness
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# Services and codes of Service Quotas.
QUOTAS = {
    "vCPUs": ("ec2", "L-1216C47A"),  # of running on-demand standard instances
    "vCPUs on Spot": ("ec2", "L-34B43A08"),
    "Elastic IPs": ("ec2", "L-0263D0A3"),
    "VPCs": ("vpc", "L-F678F1CE"),
    "RDS instances": ("rds", "L-7B6409FD"),
    "load balancers": ("elasticloadbalancing", "L-53DA6B97"),
}
NOT_TOLD = ["NoSuchResourceException", "AccessDeniedException", "AccessDenied"]


def limit(client, what):
    """The account's quota, else AWS's default, or None where AWS says neither."""
    service, code = QUOTAS[what]
    try:
        found = client.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]
    except is_boto3_error_code(NOT_TOLD):
        try:
            pages = client.get_paginator("list_aws_default_service_quotas").paginate(
                ServiceCode=service
            )
            defaults = [each for page in pages for each in page["Quotas"]]
        except is_boto3_error_code(NOT_TOLD):
            defaults = []
        found = next((each["Value"] for each in defaults if each["QuotaCode"] == code), None)
    return None if found is None else int(found)


def items(client, operation, key, **options):
    """Everything that an operation lists."""
    pages = client.get_paginator(operation).paginate(**options)
    return [each for page in pages for each in page[key]]


def vcpus(ec2, types):
    """vCPUs of each of the instance types; nothing when AWS does not know one."""
    try:
        found = items(ec2, "describe_instance_types", "InstanceTypes", InstanceTypes=sorted(types))
    except is_boto3_error_code("InvalidInstanceType"):
        return {}
    return {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in found}


def types_of_others(ec2, tags):
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    reservations = items(ec2, "describe_instances", "Reservations", Filters=states)
    running = [each for found in reservations for each in found["Instances"]]
    types = [each["InstanceType"] for each in readiness.of_others(running, tags)]
    return [each for each in types if readiness.is_standard(each)]


def look(module):
    """``(findings, problems)`` of everything."""
    wanted, tags = module.params, module.params["tags"]
    ec2, quotas = module.client("ec2"), module.client("service-quotas")

    def quota(what, used, more):
        return readiness.quota(what, limit(quotas, what), used, more)

    if readiness.is_standard(wanted["instance_type"]):
        types = types_of_others(ec2, tags)
        cpus = vcpus(ec2, {*types, wanted["instance_type"]})
        if cpus:
            more = cpus[wanted["instance_type"]] * wanted["instance_count"]
            yield quota("vCPUs", sum(cpus[each] for each in types), more)
            if wanted["spot_count"]:
                more = cpus[wanted["instance_type"]] * wanted["spot_count"]
                yield quota("vCPUs on Spot", 0, more)
    addresses = readiness.of_others(ec2.describe_addresses()["Addresses"], tags)
    yield quota("Elastic IPs", len(addresses), wanted["addresses"])
    yield quota("VPCs", len(readiness.of_others(items(ec2, "describe_vpcs", "Vpcs"), tags)), 1)
    images = ec2.describe_images(
        Owners=[wanted["image_owner"]], Filters=[{"Name": "name", "Values": [wanted["image_name"]]}]
    )["Images"]
    yield readiness.image(wanted["image_name"], wanted["image_owner"], images)
    if wanted["db_identifier"]:
        databases = items(module.client("rds"), "describe_db_instances", "DBInstances")
        others = [
            each for each in databases if each["DBInstanceIdentifier"] != wanted["db_identifier"]
        ]
        yield quota("RDS instances", len(others), 1)
    if wanted["lb_name"]:
        balancers = items(module.client("elbv2"), "describe_load_balancers", "LoadBalancers")
        others = [
            each
            for each in balancers
            if each["Type"] == "application" and each["LoadBalancerName"] != wanted["lb_name"]
        ]
        yield quota("load balancers", len(others), 1)
    if wanted["function_name"]:
        yield concurrency(module.client("lambda"), wanted["function_name"], wanted["concurrency"])
    if wanted["boundary"]:
        yield boundary(module.client("iam"), wanted["boundary"])
    for name, text in wanted["policies"].items():
        yield policy(module.client("accessanalyzer"), name, text)
    if wanted["hosted_zone"]:
        yield zone(module.client("route53"), wanted["hosted_zone"], wanted["hosted_zone_state"])


def concurrency(client, name, more):
    """Of what the account has, less what other functions have reserved for themselves."""
    told = client.get_account_settings()["AccountLimit"]
    most, free = told["ConcurrentExecutions"], told["UnreservedConcurrentExecutions"]
    try:
        own = client.get_function_concurrency(FunctionName=name)
    except is_boto3_error_code("ResourceNotFoundException"):
        own = {}
    others = most - free - own.get("ReservedConcurrentExecutions", 0)
    return readiness.concurrency(most, others, more)


def zone(route53, name, state):
    pages = route53.get_paginator("list_hosted_zones").paginate()
    found = delegation.public_zones(pages, name)
    if not found:
        return readiness.no_hosted_zone(name, state)
    own = route53.get_hosted_zone(Id=found[0]["Id"])["DelegationSet"]["NameServers"]
    try:
        problem = delegation.judge(name, own, delegation.name_servers(name, delegation.resolvers()))
    except delegation.NoAnswer as error:
        problem = str(error)
    return ([], [problem]) if problem else ([f"hosted zone: {name}, delegated"], [])


def boundary(iam, arn):
    try:
        iam.get_policy(PolicyArn=arn)
    except is_boto3_error_code("NoSuchEntity"):
        return readiness.no_boundary(arn)
    except is_boto3_error_code(NOT_TOLD):
        return [f"boundary of the hosts: {arn}, which you may not look at"], []
    return [f"boundary of the hosts: {arn}"], []


def policy(analyzer, name, text):
    try:
        pages = analyzer.get_paginator("validate_policy").paginate(
            policyDocument=text, policyType="IDENTITY_POLICY"
        )
        found = [each for page in pages for each in page["findings"]]
    except is_boto3_error_code(NOT_TOLD):
        return [f"{name}: not judged, you may not ask IAM Access Analyzer"], []
    return readiness.policy(name, found)


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "instance_type": {"type": "str", "required": True},
            "instance_count": {"type": "int", "default": 1},
            "spot_count": {"type": "int", "default": 0},
            "addresses": {"type": "int", "default": 0},
            "image_owner": {"type": "str", "required": True},
            "image_name": {"type": "str", "required": True},
            "hosted_zone": {"type": "str"},
            "hosted_zone_state": {
                "type": "str",
                "choices": ["existing", "present"],
                "default": "existing",
            },
            "db_identifier": {"type": "str"},
            "lb_name": {"type": "str"},
            "function_name": {"type": "str"},
            "concurrency": {"type": "int", "default": 0},
            "boundary": {"type": "str", "default": ""},
            "policies": {"type": "dict", "default": {}},
            "tags": {"type": "dict", "default": {}},
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
