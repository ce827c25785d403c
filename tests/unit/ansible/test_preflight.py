"""What is found to be wrong before anything is touched."""

import pytest

from module_utils import preflight
from tests.unit.ansible.aws import stubbed

ZONES = ["us-east-1a", "us-east-1b"]


@pytest.mark.parametrize(("count", "wrong"), [(0, True), (1, False), (400, False), (401, True)])
def test_a_count_of_hosts(count, wrong):
    assert bool(preflight.hosts(count, ZONES)) is wrong


@pytest.mark.parametrize(
    "volume",
    [("gp3", 20, 3000), ("gp2", 20, 0), ("io1", 20, 1000), ("io2", 20, 20000), ("gp3", 8, 4000)],
)
def test_volumes_that_ec2_has(volume):
    assert preflight.volume(*volume) == []


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        (("gp3", 4, 3000), "web_volume_size=4: it has to be from 8 to 16384"),
        (("gp3", 20000, 3000), "web_volume_size=20000"),
        (("gp3", 20, 2000), "web_volume_iops=2000: it has to be from 3000 to 16000"),
        (("gp3", 20, 16000), "at most 500 IOPS a GiB, which are 10000 for 20 GiB"),
        (("io1", 20, 1001), "at most 50 IOPS a GiB"),
        (("st1", 200, 0), "a root volume is one of gp2, gp3, io1, io2"),
    ],
)
def test_volumes_that_it_refuses(volume, said):
    [problem] = preflight.volume(*volume)
    assert said in problem


@pytest.mark.parametrize("name", ["mustache-local", "mustache-molecule-db-rds", "a1"])
def test_names_that_everything_can_have(name):
    assert preflight.name(name, "us-east-1") == []


@pytest.mark.parametrize(
    "name", ["mustache-", "mustache--x", "Mustache-local", "mustache-my_env", "m" * 33, "1-local"]
)
def test_names_that_aws_refuses_somewhere(name):
    assert preflight.name(name, "us-east-1")


@pytest.mark.parametrize(
    ("domain", "zone", "said"),
    [
        ("mustache.example.com", "example.com", None),
        ("mustache.localhost", "mustache.localhost", None),
        ("a_b.example.com", "example.com", "not a DNS name"),
        ("mustache.example.org", "example.com", "not in the zone"),
        ("myexample.com", "example.com", "not in the zone"),
        (f"{'a' * 64}.example.com", "example.com", "not a DNS name"),
    ],
)
def test_the_name_of_the_site(domain, zone, said):
    problems = preflight.domain(domain, zone)
    assert problems == [] if said is None else said in problems[0]


@pytest.mark.parametrize("cidr", ["10.20.0.0/24", "10.20.1.0/16", "10.300.0.0/16", "ten", "::/16"])
def test_networks_that_do_not_fit(cidr):
    assert preflight.network(cidr)


def test_a_network_that_fits():
    assert preflight.network("10.20.0.0/16") == []


@pytest.mark.parametrize("cidr", ["192.0.2.7/8", "0.0.0.0/0", "here", "192.0.2.300"])
def test_operators_from_nowhere_or_everywhere(cidr):
    assert preflight.operators(["192.0.2.7/32", cidr])
    assert preflight.operators(["192.0.2.7/32", "198.51.100.0/24", "203.0.113.9"]) == []


def test_an_instance_type():
    def problems(offered, architectures):
        return preflight.instance_type("t9.mega", "x86_64", ZONES, offered, architectures)

    assert problems(ZONES, ["i386", "x86_64"]) == []
    assert "does not offer it in us-east-1b" in problems(ZONES[:1], ["x86_64"])[0]
    assert "does not offer it in us-east-1a, us-east-1b" in problems([], [])[0]
    assert "runs arm64, and the image is for x86_64" in problems(ZONES, ["arm64"])[0]


def test_a_database_class():
    def problems(*options, multi_az=False, size=20):
        listed = [{"EngineVersion": version, "MultiAZCapable": able} for version, able in options]
        return preflight.database("db.x", "17", multi_az, size, listed)

    assert problems(("16.4", True), ("17.2", True), multi_az=True) == []
    assert "does not offer it for PostgreSQL 17" in problems(("16.4", True))[0]
    assert "with a standby" in problems(("17.2", False), multi_az=True)[0]
    assert "from 20 to 65536" in problems(("17.2", True), size=10)[0]


def test_the_bucket_with_the_longest_name_bounds_it_where_the_region_is_long():
    name = "m" * 24

    assert preflight.name(name, "us-east-1") == []
    assert "leave 23 for it" in preflight.name(name, "ap-northeast-1")[0]


def subnet(zone, cidr, public=True):
    return {"AvailabilityZone": zone, "CidrBlock": cidr, "MapPublicIpOnLaunch": public}


def test_zones_that_are_used_stay_and_keep_their_places():
    subnets = [subnet("x-1d", "10.20.1.0/24"), subnet("x-1b", "10.20.0.0/24"),
               subnet("x-1a", "10.20.128.0/24", public=False)]  # fmt: skip

    assert preflight.zones_of(subnets) == ["x-1b", "x-1d"]


def test_zones_that_offer_the_type_come_first():
    available, offering = ["x-1a", "x-1c", "x-1d"], ["x-1c", "x-1d"]

    assert preflight.choose_zones([], available, offering, 2) == ["x-1c", "x-1d"]
    assert preflight.choose_zones(["x-1d"], available, offering, 2) == ["x-1d", "x-1c"]
    assert preflight.choose_zones([], available, offering, 3) == ["x-1c", "x-1d", "x-1a"]
    assert preflight.choose_zones([], available, [], 1) == ["x-1a"]


def test_a_region_with_too_few_zones():
    assert preflight.zones(["x-1a", "x-1b"], 2) == []
    assert "has 1 availability zones" in preflight.zones(["x-1a"], 2)[0]


GIVEN = {
    "name": "mustache-production", "tags": {"Project": "mustache"}, "zone_count": 2,
    "hosts": {"count": 2, "instance_type": "t3.small", "architecture": "x86_64",
              "volume_type": "gp3", "volume_size": 20, "volume_iops": 3000},
    "site_domain": "mustache.example.com", "site_zone": "example.com",
    "network_cidr": "10.20.0.0/16", "operator_cidrs": ["192.0.2.7/32"],
}  # fmt: skip


def clients():
    found = {service: stubbed(service) for service in ("sts", "ec2")}
    found["sts"][1].add_response("get_caller_identity", {"Account": "123456789012"})
    return {service: client for service, (client, _) in found.items()}, found["ec2"][1]


def zones_that_offer_it(ec2, *zones):
    offered = [{"InstanceType": "t3.small", "Location": zone} for zone in zones]
    ec2.add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": offered})


def test_a_region_whose_zones_have_other_names_is_asked(run):
    given, ec2 = clients()
    ec2.add_response("describe_subnets", {"Subnets": []})
    available = [{"ZoneName": f"x-1{letter}"} for letter in "bcd"]
    ec2.add_response("describe_availability_zones", {"AvailabilityZones": available})
    zones_that_offer_it(ec2, "x-1b", "x-1d")
    ec2.add_response("describe_instances", {"Reservations": []})
    zones_that_offer_it(ec2, "x-1b", "x-1d")
    of_intel = {"ProcessorInfo": {"SupportedArchitectures": ["x86_64"]}}
    ec2.add_response("describe_instance_types", {"InstanceTypes": [of_intel]})

    assert run("preflight", given, **GIVEN)["zones"] == ["x-1b", "x-1d"]
    ec2.assert_no_pending_responses()


def test_a_second_run_asks_for_no_zones(run):
    given, ec2 = clients()
    subnets = [subnet("x-1b", "10.20.0.0/24"), subnet("x-1d", "10.20.1.0/24")]
    ec2.add_response("describe_subnets", {"Subnets": subnets})
    own = [
        {"InstanceType": "t3.small", "Placement": {"AvailabilityZone": each["AvailabilityZone"]}}
        for each in subnets
    ]
    ec2.add_response("describe_instances", {"Reservations": [{"Instances": own}]})

    assert run("preflight", given, **GIVEN)["zones"] == ["x-1b", "x-1d"]
    ec2.assert_no_pending_responses()


KNOWN = {
    "t3.medium": {"architectures": ["x86_64"], "memory_mb": 4096, "cpus": 2},
    "c5.large": {"architectures": ["x86_64"], "memory_mb": 4096, "cpus": 2},
}
OFFERED = {"t3.medium": ZONES, "c5.large": ZONES[:1]}


def types(offered=None, **more):
    known = KNOWN | more
    return preflight.group_types(list(known), "x86_64", ZONES, offered or OFFERED, known)


def test_a_type_of_a_group_may_be_missing_in_a_zone_unless_it_is_on_demand():
    assert types() == []
    [problem] = types(offered={"t3.medium": ZONES[:1], "c5.large": ZONES})
    assert "t3.medium is first" in problem
    assert "us-east-1b" in problem


@pytest.mark.parametrize(
    ("kind", "about", "said"),
    [
        ("m7g.large", {"architectures": ["arm64"], "memory_mb": 8192, "cpus": 2}, "runs arm64"),
        (
            "m5.xlarge",
            {"architectures": ["x86_64"], "memory_mb": 16384, "cpus": 4},
            "m5.xlarge has more than 2 times the memory",
        ),
        ("c9.large", KNOWN["c5.large"], "does not offer c9.large in any zone"),
    ],
)
def test_types_of_a_group_that_do_not_go_together_are_refused(kind, about, said):
    offered = OFFERED | ({} if "any zone" in said else {kind: ZONES})
    [problem] = types(offered, **{kind: about})
    assert said in problem


def test_a_group_that_the_database_has_no_connections_for_is_refused_with_the_way_out():
    assert preflight.connections(4, 150, 16, 417, 20) == []
    [problem] = preflight.connections(12, 150, 16, 200, 20)
    assert "up to 18 hosts" in problem
    assert "enough for asg_max_size=7;" in problem
    assert "RDS Proxy" in problem


@pytest.mark.parametrize(
    ("sizes", "wrong"), [((2, 12), 0), ((0, 4), 1), ((5, 4), 1), ((1, 999), 1)]
)
def test_sizes_of_a_group(sizes, wrong):
    assert len(preflight.group(*sizes, ZONES)) == wrong


@pytest.mark.parametrize(
    ("kinds", "base", "percent", "said"),
    [
        (["a", "b", "c", "d", "e", "f"], 2, 0, ""),
        (["a"], 0, 100, ""),
        (["a", "b", "c"], 2, 0, "there have to be 6 of them, and there are 3"),
        (["a"] * 6, 2, 0, "and there are 1"),
        (["a"], 0, 101, "asg_on_demand_percent"),
        (["a"], -1, 100, "asg_on_demand_base"),
    ],
)
def test_spot_hosts_of_a_group(kinds, base, percent, said):
    problems = preflight.spot(kinds, base, percent)
    assert len(problems) == bool(said)
    assert said in "".join(problems)


def test_a_group_of_no_type_is_refused():
    assert preflight.group_types([], "x86_64", ZONES, {}, {}) == [
        "asg_types names no instance type"
    ]


def test_a_host_has_the_processes_that_its_settings_work_out():
    assert preflight.processes(KNOWN) == 2
    assert preflight.processes({"x": {"cpus": 8, "memory_mb": 16384}}) == 8


def test_without_hosts_nothing_is_asked_of_ec2(run):
    client, stubber = stubbed("sts")
    stubber.add_response("get_caller_identity", {"Account": "123456789012"})

    # Any other client would be a KeyError.
    found = run("preflight", {"sts": client}, **GIVEN | {"hosts": None, "database": None})

    assert (found["account"], found["zones"]) == ("123456789012", [])
