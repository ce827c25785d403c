"""The filters of filter_plugins/."""

import importlib.util
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PLUGINS = sorted((ROOT / "filter_plugins").glob("*.py"))
PRICES = yaml.safe_load((ROOT / "group_vars/all/prices.yml").read_text())["prices"]
HOURS = PRICES["hours_per_month"]


def load(name):
    found = importlib.util.spec_from_file_location(name, ROOT / f"filter_plugins/{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.FilterModule().filters()[name]


@pytest.mark.parametrize("path", PLUGINS, ids=[path.stem for path in PLUGINS])
def test_ansible_finds_each_filter_with_its_documentation(path):
    command = [ROOT / ".venv/bin/ansible-doc", "-t", "filter", path.stem]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "EXAMPLES" in done.stdout
    assert "RETURN VALUES" in done.stdout


def hosts(count="1", kind="t3.small", **volume):
    return {
        "count": count,
        "type": kind,
        "volume": {"type": "gp3", "size": "20", "iops": "3000"} | volume,
    }


def cost(**resources):
    found = load("monthly_cost")(
        {"hosts": hosts(), "database": {}, "balancer": False} | resources, PRICES
    )
    return {line["what"]: round(line["month"], 2) for line in found}


def test_a_host_costs_its_time_its_disk_and_its_address():
    assert cost() == {
        "1 x t3.small": round(PRICES["instance_hour"]["t3.small"] * HOURS, 2),
        "1 x 20 GiB gp3": 1.6,
        "1 x public IPv4 address": 3.65,
        "hosted zone": 0.5,
    }


@pytest.mark.parametrize(
    ("kind", "count", "database", "most"),
    [
        ("t3.small", "1", {}, 2 * 0.8 * 0.05 * 730),
        ("t3.small", "2", {"class": "db.t4g.micro", "multi_az": True},
         2 * 2 * 0.8 * 0.05 * 730 + 2 * 2 * 0.9 * 0.075 * 730),
        ("m5.large", "2", {"class": "db.m6g.large", "multi_az": False}, 0),
    ],
)  # fmt: skip
def test_busy_burstable_processors_cost_more_than_their_price(kind, count, database, most):
    resources = {"hosts": hosts(count, kind), "database": database}

    assert load("monthly_surplus")(resources, PRICES) == pytest.approx(most)


def test_iops_cost_from_where_they_are_not_included():
    assert cost(hosts=hosts(iops="4000"))["1 x 20 GiB gp3"] == 1.6 + 1000 * 0.005
    assert cost(hosts=hosts(type="io2", iops="100"))["1 x 20 GiB io2"] == 2.5 + 100 * 0.065


@pytest.mark.parametrize(("multi_az", "copies"), [(False, 1), (True, 2)])
def test_a_standby_costs_as_much_as_the_database(multi_az, copies):
    database = {"class": "db.t4g.micro", "size": "20", "multi_az": multi_az}
    lines = {what: month for what, month in cost(database=database).items() if "RDS" in what}

    assert ["zones" in what or "Multi-AZ" in what for what in lines] == [copies == 2] * 2
    assert list(lines.values()) == [round(copies * 0.016 * HOURS, 2), copies * 2.3]


def test_a_balancer_costs_its_time_and_two_addresses():
    found = cost(balancer=True)["load balancer with its addresses"]

    assert found == round((0.0225 + 2 * 0.005) * HOURS, 2)


def test_a_cache_costs_its_nodes():
    found = cost(cache={"type": "cache.t4g.micro", "nodes": "2"})

    assert found["ElastiCache, 2 x cache.t4g.micro"] == round(2 * 0.0128 * HOURS, 2)
    assert not any("Elasti" in what for what in cost(cache={}))


def test_of_a_setting_that_stores_share_the_last_one_says_what_it_is():
    settings = {
        "cache": {"here": {"CACHE": "here"}, "there": {"CACHE": "there"}},
        "sessions": {"rows": {"STORE": "rows"}, "copies": {"STORE": "copies", "CACHE": "there"}},
    }
    told = load("provider_settings")

    def found(cache, **sessions):
        listed = told(settings, {"cache": cache} | sessions, choices={"sessions": "STORE"})
        return {each["name"]: each["value"] for each in listed}

    assert found("here", sessions="copies") == {"CACHE": "there", "STORE": "copies"}
    assert found("here", sessions="rows") == {"CACHE": "here", "STORE": "rows"}
    assert found("there") == {"CACHE": "there"}
    leaving = told(
        settings, {"cache": "here", "sessions": "rows"}, {"sessions": "copies"},
        {"sessions": "STORE"},
    )  # fmt: skip
    assert {each["name"]: each["value"] for each in leaving} == {
        "CACHE": "there", "STORE": "rows", "STORE_SECOND": "copies",
    }  # fmt: skip


def test_what_has_no_price_has_no_line():
    unknown = {"cache": {"type": "cache.x9.huge", "nodes": 2}}
    assert [what for what in cost(hosts=hosts(kind="x9.huge"), **unknown) if "x9" in what] == []


def test_a_zone_keeps_its_subnets_when_another_comes():
    subnets = load("subnets")
    one, two = (
        subnets(zones, "10.20.0.0/16", private=True) for zones in (["r-1a"], ["r-1a", "r-1b"])
    )

    assert two[:2] == one
    assert [(each["name"], each["zone"], each["cidr"], each["public"]) for each in two] == [
        ("public-a", "r-1a", "10.20.0.0/24", True),
        ("private-a", "r-1a", "10.20.128.0/24", False),
        ("public-b", "r-1b", "10.20.1.0/24", True),
        ("private-b", "r-1b", "10.20.129.0/24", False),
    ]


def test_without_private_subnets_the_public_ones_stay_where_they_are():
    found = load("subnets")(["r-1a", "r-1b"], "10.20.0.0/16")

    assert [each["cidr"] for each in found] == ["10.20.0.0/24", "10.20.1.0/24"]


def test_options_are_those_of_every_entry_point():
    entries = {
        "provision": {"options": {"b": {}, "a": {}}},
        "configure": {"options": {"c": {}}},
        "x": {},
    }

    assert load("role_options")([{"argument_specs": entries}]) == ["a", "b", "c"]


def test_hosts_are_what_the_inventory_says_of_them():
    host = {
        "inventory_hostname": "shop-web-1",
        "aws_instance_id": "i-1",
        "aws_instance_type": "t3.small",
        "aws_block_device_mappings": [
            {"device_name": "/dev/sdf", "ebs": {"volume_id": "vol-2"}},
            {"device_name": "/dev/xvda", "ebs": {"volume_id": "vol-1"}},
        ],
        "aws_root_device_name": "/dev/xvda",
    }
    wanted = {"name": "shop-web-1", "id": "i-1", "type": "t3.small", "volume": "vol-1"}

    assert load("web_hosts")([host]) == [wanted]


def host(name, **found):
    return {"inventory_hostname": name, "has_rows": False} | found


@pytest.mark.parametrize(
    ("hosts", "chosen"),
    [
        ([host("b"), host("a")], "a"),
        ([host("a"), host("b", has_rows=True)], "b"),
        ([host("a", serves=False), host("b", serves=True)], "b"),
        ([host("a", serves=True), host("b", serves=False, has_rows=True)], "b"),
        ([host("a"), host("b", serves=True)], "b"),
        ([host("a", has_rows=True), host("b", serves=False)], "b"),
        ([], ""),
    ],
    ids=[
        "the first by name",
        "one that has the rows",
        "one that serves",
        "the rows come before serving",
        "one that could be asked",
        "one that cannot be reached is no help",
        "nobody",
    ],
)
def test_one_off_work_has_a_host(hosts, chosen):
    assert load("manage_host")(hosts) == chosen


def test_what_is_there_and_not_wanted_goes_unless_a_store_is_still_there():
    rows = {
        "instance": {"place": "hosts", "found": "^postgresql-[0-9]+$"},
        "rds": {"place": "aws", "found": "^rds:"},
    }
    balancer = {"place": "aws", "found": "^elb:"}
    providers = {"front": {"address": {}, "balancer": balancer}, "rows": rows}
    up = {"front": "balancer", "rows": "rds"}
    down = {"front": "address", "rows": "instance"}
    packages, kinds = ["postgresql-17"], ["elb:targetgroup", "rds:subgrp"]

    def names(*arguments):
        return [each["name"] for each in load("unwanted")(providers, *arguments)]

    assert names(up, {"rows": "rds"}, "hosts", packages) == ["instance"]
    assert names(up, {"rows": "rds"}, "hosts", ["postgresql-client-17"]) == []
    assert names(up, {"rows": "rds"}, "aws", kinds) == []
    assert names(up, {"rows": "instance"}, "hosts", packages) == []
    assert names(down, {"rows": "instance"}, "aws", kinds) == ["balancer", "rds"]
    assert names(down, {"rows": "instance"}, "aws", kinds[:1]) == ["balancer"]
    assert names(down, {"rows": "rds"}, "aws", kinds) == ["balancer"]


def test_a_front_goes_before_what_stands_behind_it():
    providers = {
        "front": {"address": {}, "balancer": {}, "cdn": {"place": "aws", "found": "^cloudfront:"}},
        "entry": {
            "host": {},
            "balancer": {"place": "aws", "found": "^elb:"},
            "api": {"place": "aws", "found": "^apigateway:"},
        },
    }
    kinds = ["elb:targetgroup", "apigateway:", "cloudfront:distribution"]

    def names(front, entry):
        wanted = {"front": front, "entry": entry}
        return [each["name"] for each in load("unwanted")(providers, wanted, {}, "aws", kinds)]

    assert names("cdn", "balancer") == ["api"]
    assert names("cdn", "api") == ["balancer"]
    assert names("balancer", "balancer") == ["cdn", "api"]
    assert names("address", "host") == ["cdn", "balancer", "api"]


def test_a_distribution_has_an_origin_of_each_bucket_and_a_behaviour_of_each_path():
    plain = {"name": "static", "domain_name": "s.example", "paths": ["/static/*", "/robots.txt"]}
    buckets = [
        plain,
        plain | {"name": "media", "paths": ["/media/*"], "response_headers": {"A": "b"}},
    ]
    found = load("cdn_files")(buckets, "E1", "shop")

    assert [each["id"] for each in found["origins"]] == ["static", "media"]
    assert all(each["bucket"] and each["access_control"] == "E1" for each in found["origins"])
    assert [(each["path"], each["origin"], each.get("response_headers_policy"))
            for each in found["behaviors"]] == [
        ("/static/*", "static", None),
        ("/robots.txt", "static", None),
        ("/media/*", "media", "shop-media"),
    ]  # fmt: skip


def test_the_state_is_read_and_what_lies_beside_it_left_alone():
    noted = load("noted_state")

    assert noted({"/stage": "3", "/stores/rows": "rds", "/seconds/files": "s3", "/lock": "me"}) == {
        "stage": 3,
        "stores": {"rows": "rds"},
        "seconds": {"files": "s3"},
    }
    assert noted({}) == {"stores": {}, "seconds": {}}


def test_settings_are_those_of_the_provider_that_each_store_is_at():
    settings = {"rows": {"a": {"URL": "1"}, "b": {"URL": "2"}}, "cache": {"database": {}}}
    found = load("provider_settings")(settings, {"rows": "b", "cache": "database"})

    assert found == [{"name": "URL", "value": "2"}]


def test_a_second_place_has_its_settings_and_does_not_take_the_choice():
    files = {"database": {"PLACE": "database"}, "s3": {"PLACE": "s3", "BUCKET": "b"}}
    settings = load("provider_settings")

    def of(first, second):
        found = settings({"files": files}, {"files": first}, second, {"files": "PLACE"})
        return {each["name"]: each["value"] for each in found}

    assert of("database", {}) == {"PLACE": "database"}
    assert of("database", {"files": "s3"}) == {
        "PLACE": "database", "PLACE_SECOND": "s3", "BUCKET": "b"
    }  # fmt: skip
    assert of("s3", {"files": "database"}) == {
        "PLACE": "s3", "PLACE_SECOND": "database", "BUCKET": "b"
    }  # fmt: skip


def test_the_app_is_allowed_what_each_of_its_places_needs():
    rights = {"files": {"s3": [{"Action": "s3:GetObject"}]}, "sessions": {"dynamodb": [{}]}}
    statements = load("store_statements")

    assert statements([{"files": "database"}, {"sessions": "database"}], rights) == []
    for places in ([{"files": "s3"}, {}], [{"files": "database"}, {"files": "s3"}]):
        assert statements(places, rights) == [{"Action": "s3:GetObject"}]
