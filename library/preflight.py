#!/usr/bin/python
"""Ansible module: find what cannot be before anything is touched."""

DOCUMENTATION = r"""
module: preflight
short_description: Find what AWS would refuse in the middle of a run, before the run begins
description:
  - Ranges, names and addresses are looked at here; what types and classes there are, AWS is asked.
  - It only asks about what is to change, so a second run asks little more than whose account it is.
  - Everything that is wrong comes back in one failure.
notes:
  - >-
    Gap in the collections: none looks at values together, and six C(_info) modules would take
    five seconds. M(aws_readiness) looks at the account (quotas, delegation) before the first run.
  - What comes back is an C(_info) result, so check mode changes nothing and there is no diff.
options:
  name:
    description: What everything is called by.
    type: str
    required: true
  tags:
    description: Tags of what the site has already.
    type: dict
    required: true
  zone_count:
    description: In how many availability zones it is to be.
    type: int
    required: true
  hosts:
    description: The web hosts. Left out where there are to be none - then nothing is asked of
      networks, zones and what they would be made of.
    type: dict
    suboptions:
      count: {description: How many., type: int, required: true}
      instance_type: {description: Their type., type: str, required: true}
      architecture: {description: What their image is for., type: str, default: x86_64}
      volume_type: {description: Type of their root volumes., type: str, required: true}
      volume_size: {description: GiB of each., type: int, required: true}
      volume_iops: {description: IOPS of each., type: int, required: true}
  group:
    description: The hosts that come and go, when there is to be a group of them.
    type: dict
    suboptions:
      min_size: {description: How many at least., type: int, required: true}
      max_size: {description: How many at most., type: int, required: true}
      types: {description: Their types., type: list, elements: str, required: true}
      on_demand_base: {description: How many are on demand in any case., type: int, default: 0}
      on_demand_percent: {description: How many percent of the others are., type: int, default: 100}
      surge_percent:
        description: How many there may be while they are replaced.
        type: int
        default: 150
      threads: {description: Connections to the database of each process., type: int, default: 8}
      connections: {description: How many the database takes., type: int, required: true}
      reserve: {description: How many of them are for others than hosts., type: int, default: 20}
  database:
    description: The database on RDS, when there is to be one.
    type: dict
    suboptions:
      identifier: {description: Its name., type: str, required: true}
      instance_class: {description: Its class., type: str, required: true}
      version: {description: Major version of PostgreSQL., type: str, default: "17"}
      multi_az: {description: Whether it has a standby., type: bool, default: false}
      storage_size: {description: GiB., type: int, required: true}
  site_domain:
    description: Name of the site.
    type: str
    required: true
  site_zone:
    description: The hosted zone it is in.
    type: str
    required: true
  network_cidr:
    description: Addresses of the VPC.
    type: str
    required: true
  operator_cidrs:
    description: Addresses from which SSH is allowed.
    type: list
    elements: str
    required: true
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Refuse what AWS would refuse later
  preflight:
    name: mustache-production
    tags: {Project: mustache, Environment: production}
    zone_count: 2
    hosts:
      count: 2
      instance_type: t3.small
      volume_type: gp3
      volume_size: 20
      volume_iops: 3000
    site_domain: mustache.example.com
    site_zone: example.com
    network_cidr: 10.20.0.0/16
    operator_cidrs: [192.0.2.7/32]
"""

RETURN = r"""
account:
  description: Number of the account.
  returned: success
  type: str
  sample: "123456789012"
zones:
  description: The availability zones; those that have subnets of the site, then others that offer
    the hosts' type.
  returned: success
  type: list
  elements: str
  sample: [eu-west-1a, eu-west-1b]
problems:
  description: What is wrong, a line each.
  returned: when something is wrong
  type: list
  elements: str
  sample: ["web_instance_type=t9.mega: EC2 does not offer it in eu-west-1a, eu-west-1b"]
"""

from ansible.module_utils import preflight
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

UNKNOWN_CREDENTIALS = (
    "AWS does not know who you are ({}). Give credentials to your shell: export AWS_PROFILE=..., "
    "after aws configure or aws sso login; see docs/aws.md."
)


def account(module):
    """Whose account it is, or the end."""
    try:
        return module.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        module.fail_json(msg=UNKNOWN_CREDENTIALS.format(error))


def tagged(tags):
    return [{"Name": f"tag:{key}", "Values": [str(value)]} for key, value in tags.items()]


def offering(ec2, kind):
    """The zones that have an instance type."""
    found = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [kind]}]
    )["InstanceTypeOfferings"]
    return [each["Location"] for each in found]


def choose_zones(ec2, count, kind, tags):
    subnets = ec2.describe_subnets(Filters=tagged(tags))["Subnets"]
    there = preflight.zones_of(subnets)
    if len(there) >= count:
        return there[:count]
    # Zones only: the others are parts of cities and of networks of phones.
    filters = [
        {"Name": "zone-type", "Values": ["availability-zone"]},
        {"Name": "state", "Values": ["available"]},
    ]
    available = ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    names = [each["ZoneName"] for each in available]
    return preflight.choose_zones(there, names, offering(ec2, kind), count)


def own_instances(ec2, tags):
    filters = tagged(tags | {"Role": "web"})
    states = ["pending", "running", "stopping", "stopped"]
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[*filters, {"Name": "instance-state-name", "Values": states}]
    )
    return [each for page in pages for found in page["Reservations"] for each in found["Instances"]]


def hosts(ec2, wanted, zones, tags):
    """Problems of the type, unless hosts of this type are there already, in all of the zones."""
    kind = wanted["instance_type"]
    of_this_type = [each for each in own_instances(ec2, tags) if each["InstanceType"] == kind]
    there = {each["Placement"]["AvailabilityZone"] for each in of_this_type}
    if there.issuperset(zones):
        return []
    offered, architectures = offering(ec2, kind), []
    if offered:
        types = ec2.describe_instance_types(InstanceTypes=[kind])["InstanceTypes"]
        architectures = types[0]["ProcessorInfo"]["SupportedArchitectures"]
    return preflight.instance_type(kind, wanted["architecture"], zones, offered, architectures)


def group(ec2, wanted, architecture, zones):
    """Problems of the types of a group, of its sizes, and of their connections."""
    kinds = list(dict.fromkeys(wanted["types"]))
    if not kinds:
        return preflight.group_types(kinds, architecture, zones, {}, {})
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": kinds}]
    )
    offered = {}
    for each in (found for page in pages for found in page["InstanceTypeOfferings"]):
        offered.setdefault(each["InstanceType"], []).append(each["Location"])
    there = [kind for kind in kinds if kind in offered]
    found = ec2.describe_instance_types(InstanceTypes=there)["InstanceTypes"] if there else []
    known = {
        each["InstanceType"]: {
            "architectures": each["ProcessorInfo"]["SupportedArchitectures"],
            "memory_mb": each["MemoryInfo"]["SizeInMiB"],
            "cpus": each["VCpuInfo"]["DefaultVCpus"],
        }
        for each in found
    }
    each_host = preflight.processes(known) * wanted["threads"]
    return [
        *preflight.group(wanted["min_size"], wanted["max_size"], zones),
        *preflight.spot(kinds, wanted["on_demand_base"], wanted["on_demand_percent"]),
        *preflight.group_types(kinds, architecture, zones, offered, known),
        *preflight.connections(
            wanted["max_size"],
            wanted["surge_percent"],
            each_host,
            wanted["connections"],
            wanted["reserve"],
        ),
    ]


def database(rds, wanted):
    """Problems of the class, unless the database is of this class already."""
    kind = wanted["instance_class"]
    try:
        found = rds.describe_db_instances(DBInstanceIdentifier=wanted["identifier"])["DBInstances"]
    except is_boto3_error_code("DBInstanceNotFound"):
        found = []
    if any(
        each["DBInstanceClass"] == kind and each["MultiAZ"] >= wanted["multi_az"] for each in found
    ):
        return preflight.between(
            "db_storage_size", wanted["storage_size"], *preflight.DATABASE_SIZE
        )
    pages = rds.get_paginator("describe_orderable_db_instance_options").paginate(
        Engine="postgres", DBInstanceClass=kind, Vpc=True
    )
    options = [each for page in pages for each in page["OrderableDBInstanceOptions"]]
    return preflight.database(
        kind, wanted["version"], wanted["multi_az"], wanted["storage_size"], options
    )


def look(module):
    given = module.params
    zones, problems = look_at_hosts(module) if given["hosts"] else ([], [])
    if given["database"]:
        problems += database(module.client("rds"), given["database"])
    named = [
        *preflight.name(given["name"], module.region),
        *preflight.domain(given["site_domain"], given["site_zone"]),
    ]
    return zones, named + problems


def look_at_hosts(module):
    given = module.params
    ec2, wanted = module.client("ec2"), given["hosts"]
    zones = choose_zones(ec2, given["zone_count"], wanted["instance_type"], given["tags"])
    problems = [
        *preflight.zones(zones, given["zone_count"]),
        *preflight.network(given["network_cidr"]),
        *preflight.operators(given["operator_cidrs"]),
        *preflight.hosts(wanted["count"], zones, least=0 if given["group"] else 1),
        *preflight.volume(wanted["volume_type"], wanted["volume_size"], wanted["volume_iops"]),
        *hosts(ec2, wanted, zones, given["tags"]),
    ]
    if given["group"]:
        problems += group(ec2, given["group"], wanted["architecture"], zones)
    return zones, problems


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "tags": {"type": "dict", "required": True},
            "zone_count": {"type": "int", "required": True},
            "hosts": {
                "type": "dict",
                "options": {
                    "count": {"type": "int", "required": True},
                    "instance_type": {"type": "str", "required": True},
                    "architecture": {"type": "str", "default": "x86_64"},
                    "volume_type": {"type": "str", "required": True},
                    "volume_size": {"type": "int", "required": True},
                    "volume_iops": {"type": "int", "required": True},
                },
            },
            "group": {
                "type": "dict",
                "options": {
                    "min_size": {"type": "int", "required": True},
                    "max_size": {"type": "int", "required": True},
                    "types": {"type": "list", "elements": "str", "required": True},
                    "on_demand_base": {"type": "int", "default": 0},
                    "on_demand_percent": {"type": "int", "default": 100},
                    "surge_percent": {"type": "int", "default": 150},
                    "threads": {"type": "int", "default": 8},
                    "connections": {"type": "int", "required": True},
                    "reserve": {"type": "int", "default": 20},
                },
            },
            "database": {
                "type": "dict",
                "options": {
                    "identifier": {"type": "str", "required": True},
                    "instance_class": {"type": "str", "required": True},
                    "version": {"type": "str", "default": "17"},
                    "multi_az": {"type": "bool", "default": False},
                    "storage_size": {"type": "int", "required": True},
                },
            },
            "site_domain": {"type": "str", "required": True},
            "site_zone": {"type": "str", "required": True},
            "network_cidr": {"type": "str", "required": True},
            "operator_cidrs": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    number = account(module)
    try:
        zones, problems = look(module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="AWS does not answer what was asked")
    if problems:
        module.fail_json(
            msg=f"Nothing was touched. {'; '.join(problems)}.",
            problems=problems,
            account=number,
            zones=zones,
        )
    module.exit_json(changed=False, account=number, zones=zones)


if __name__ == "__main__":
    main()
