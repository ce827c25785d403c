"""What can be known to be wrong before anything is touched. Pure functions; each returns problems.

A problem begins with the variable that is wrong, and says what would be right.
"""

import ipaddress
import re

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)
# The shortest limits of what is called by it: of a load balancer, and of the bucket of its logs.
NAME_LENGTH = 32
BUCKET_LENGTH = 63
BUCKET = "{}-access-logs-{}-123456789012"
# A subnet is a /24, of which AWS takes five addresses and the load balancer may take eight.
HOSTS_A_ZONE = 200
# Type of volume: smallest and largest size in GiB, least and most IOPS, IOPS a GiB at most.
VOLUMES = {
    "gp2": (1, 16384, None, None, None),
    "gp3": (1, 16384, 3000, 16000, 500),
    "io1": (4, 16384, 100, 64000, 50),
    "io2": (4, 65536, 100, 256000, 1000),
}
# What Debian's image holds.
ROOT_SIZE = 8
DATABASE_SIZE = (20, 65536)


def between(variable, number, least, most):
    if least <= number <= most:
        return []
    return [f"{variable}={number}: it has to be from {least} to {most}"]


# Of two hosts, one type may have so many times the memory of another: they get as many requests.
SIZE_CLASS = 2
# How many types there are at least where hosts are on Spot: capacity runs out one type at a time.
SPOT_TYPES = 6


def hosts(count, zones, least=1):
    return between("web_count", count, least, HOSTS_A_ZONE * max(len(zones), 1))


def group(smallest, largest, zones):
    """The sizes of a group."""
    problems = between("asg_max_size", largest, 1, HOSTS_A_ZONE * max(len(zones), 1))
    return problems + between("asg_min_size", smallest, 1, largest)


def spot(kinds, on_demand_base, on_demand_percent):
    """How many of a group's hosts are on Spot, whose capacity runs out a type at a time."""
    problems = between("asg_on_demand_percent", on_demand_percent, 0, 100)
    problems += ["asg_on_demand_base is less than 0"] * (on_demand_base < 0)
    if on_demand_percent < 100 and len(set(kinds)) < SPOT_TYPES:
        problems.append(
            f"asg_types: Spot capacity of few types runs out, so there have to be {SPOT_TYPES} of "
            f"them, and there are {len(set(kinds))}; or asg_on_demand_percent=100"
        )
    return problems


def group_types(wanted, architecture, zones, offered, known):
    """``wanted`` are types, the first on demand; ``offered`` the zones of each, ``known`` what
    DescribeInstanceTypes tells of each."""
    if not wanted:
        return ["asg_types names no instance type"]
    problems = [
        f"asg_types: EC2 does not offer {kind} in any zone of {', '.join(zones)}"
        for kind in wanted
        if not set(zones) & set(offered.get(kind, []))
    ]
    if missing := sorted(set(zones) - set(offered.get(wanted[0], []))):
        problems.append(
            f"asg_types: {wanted[0]} is first, for hosts on demand in every zone, and EC2 does not "
            f"offer it in {', '.join(missing)}"
        )
    problems += [
        f"asg_types: {kind} runs {', '.join(each['architectures'])}, and the image is for "
        f"{architecture}"
        for kind, each in known.items()
        if architecture not in each["architectures"]
    ]
    memories = {each["memory_mb"]: kind for kind, each in known.items()}
    if memories and max(memories) > SIZE_CLASS * min(memories):
        problems.append(
            f"asg_types: {memories[max(memories)]} has more than {SIZE_CLASS} times the memory of "
            f"{memories[min(memories)]}, and would get as many requests"
        )
    return problems


def processes(types):
    """Of the app, on the host of a group that has most: as roles/web/files/mustache-settings."""
    found = [max(min(each["cpus"], each["memory_mb"] // 500), 2) for each in types.values()]
    return max(found, default=2)


def connections(largest, surge_percent, each_host, most, reserve):
    """Of a database that takes ``most``, while all hosts of the group are replaced."""
    hosts_at_once = -(-largest * surge_percent // 100)
    needed = hosts_at_once * each_host + reserve
    if needed <= most:
        return []
    fitting = (most - reserve) // each_host * 100 // surge_percent
    return [
        f"asg_max_size={largest}: up to {hosts_at_once} hosts, while they are replaced, with "
        f"{each_host} connections each and {reserve} for others are {needed}, and the database "
        f"takes {most}. It is enough for asg_max_size={max(fitting, 0)}; more takes a larger "
        "db_instance_class, or RDS Proxy between hosts and database, which is not made here"
    ]


def volume(kind, size, iops):
    """The root volume of a host."""
    if kind not in VOLUMES:
        return [f"web_volume_type={kind}: a root volume is one of {', '.join(VOLUMES)}"]
    smallest, largest, least, most, ratio = VOLUMES[kind]
    problems = between("web_volume_size", size, max(smallest, ROOT_SIZE), largest)
    if least is None:
        return problems
    # What every gp3 volume has needs no size.
    if iops > least and iops > ratio * size:
        problems.append(
            f"web_volume_iops={iops}: {kind} has at most {ratio} IOPS a GiB, "
            f"which are {ratio * size} for {size} GiB"
        )
    return problems + between("web_volume_iops", iops, least, most)


def zones_of(subnets):
    """Zones that have ``subnets`` for the public, in the order of their addresses: what is first
    stays first, whatever comes."""
    public = [each for each in subnets if each["MapPublicIpOnLaunch"]]
    public.sort(key=lambda each: ipaddress.IPv4Network(each["CidrBlock"]))
    return list(dict.fromkeys(each["AvailabilityZone"] for each in public))


def choose_zones(there, available, offering, count):
    """``there`` are the zones that are used, ``offering`` those that have the type of the hosts;
    without enough of these the others come last, so that what follows can say what they lack."""
    others = sorted(set(available) - set(there), key=lambda each: (each not in offering, each))
    return [*there, *others][:count]


def zones(found, count):
    if len(found) >= count:
        return []
    return [f"the region has {len(found)} availability zones, and this stage needs {count}"]


def name(prefix, region):
    """What everything is called by: PROJECT-ENVIRONMENT."""
    if not NAME.fullmatch(prefix):
        return [
            f"MUSTACHE_ENVIRONMENT: {prefix} cannot be a name on AWS; "
            "use small letters and digits, with single hyphens between them"
        ]
    most = min(NAME_LENGTH, BUCKET_LENGTH - len(BUCKET.format("", region)))
    if len(prefix) > most:
        return [
            f"MUSTACHE_ENVIRONMENT: {prefix} has {len(prefix)} letters, and names of load "
            f"balancers and buckets leave {most} for it in {region}"
        ]
    return []


def domain(site_domain, site_zone):
    problems = [
        f"{variable}={value}: not a DNS name"
        for variable, value in (("site_domain", site_domain), ("site_zone", site_zone))
        if len(value) > 253 or not all(LABEL.fullmatch(each) for each in value.split("."))
    ]
    if not problems and not f".{site_domain}".lower().endswith(f".{site_zone}".lower()):
        problems.append(f"site_domain={site_domain}: not in the zone site_zone={site_zone}")
    return problems


def network(cidr):
    try:
        found = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        return [f"network_cidr={cidr}: {error}"]
    if found.prefixlen != 16:
        return [f"network_cidr={cidr}: it has to be a /16, of which each subnet takes a /24"]
    return []


def operators(cidrs):
    problems = []
    for cidr in cidrs:
        try:
            found = ipaddress.IPv4Network(cidr)
        except ValueError as error:
            problems.append(f"operator_cidrs: {error}")
            continue
        if found.prefixlen == 0:
            problems.append(
                f"operator_cidrs: {cidr} lets the whole internet try SSH; name your own addresses"
            )
    return problems


def instance_type(kind, architecture, zones, offered, architectures):
    """``offered`` are the zones that have the type, ``architectures`` what its processors run."""
    missing = sorted(set(zones) - set(offered))
    if missing:
        return [f"web_instance_type={kind}: EC2 does not offer it in {', '.join(missing)}"]
    if architecture not in architectures:
        return [
            f"web_instance_type={kind}: it runs {', '.join(architectures)}, "
            f"and the image is for {architecture}"
        ]
    return []


def database(kind, version, multi_az, size, options):
    """``options`` as DescribeOrderableDBInstanceOptions has them for the class."""
    problems = between("db_storage_size", size, *DATABASE_SIZE)
    fitting = [each for each in options if each["EngineVersion"].split(".")[0] == version]
    if not fitting:
        problems.append(
            f"db_instance_class={kind}: RDS does not offer it for PostgreSQL {version} here"
        )
    elif multi_az and not any(each["MultiAZCapable"] for each in fitting):
        problems.append(f"db_instance_class={kind}: RDS does not offer it with a standby")
    return problems
