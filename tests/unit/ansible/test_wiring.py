"""wiring.yml of this machine and of the hosts: what roles get, also where no local run shows it."""

import json
import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]
HERE, ON_HOSTS = (
    yaml.safe_load((ROOT / "group_vars" / group / "wiring.yml").read_text())
    for group in ("all", "aws_ec2")
)
LADDER = yaml.safe_load((ROOT / "group_vars/all/ladder.yml").read_text())
PROJECT = yaml.safe_load((ROOT / "group_vars/all/project.yml").read_text())
ACCOUNT = "123456789012"


def trusted(value):
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(each) for key, each in value.items()}
    return [trusted(each) for each in value] if isinstance(value, list) else value


def wired(name, **variables):
    found = trusted(LADDER | HERE | ON_HOSTS) | {
        "stage": 1,
        "network_cidr": "10.20.0.0/16",
        "operator_cidrs": ["192.0.2.7/32"],
        "alarm_emails": [],
        "operator_access": "ssh",
        "aws_region": "eu-west-1",
        "aws_partition": trust_as_template(PROJECT["aws_partition"]),
        "settings_path": "/mustache/production/web",
        "project_prefix": "mustache-production",
        "site_domain": "Mustache.example.com",
        "hostvars": {"localhost": {"aws_account": ACCOUNT, "dns_result": {"zone_id": "Z1"}}},
    }
    templar = Templar(loader=DataLoader(), variables=found | variables)
    return templar.template((found | variables)[name])


def test_hosts_that_prove_the_name_by_dns_may_write_that_record_only():
    statements = wired("web_policy_statements", site_tls_provider="letsencrypt")
    route53 = {
        action: statement
        for statement in statements
        for action in [statement["Action"]]
        if "route53:" in str(action)
    }

    assert sorted(route53) == [
        "route53:ChangeResourceRecordSets",
        "route53:GetChange",
        "route53:ListHostedZones",
    ]
    change = route53["route53:ChangeResourceRecordSets"]
    assert change["Resource"] == "arn:aws:route53:::hostedzone/Z1"
    assert change["Condition"] == {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
                "_acme-challenge.mustache.example.com"
            ],
            "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
        }
    }


def test_hosts_with_another_certificate_have_no_right_in_route_53():
    statements = wired("web_policy_statements", site_tls_provider="command")

    assert [each for each in statements if "route53" in str(each)] == []
    assert [each["Action"] for each in statements] == [
        "ssm:GetParametersByPath",
        ["s3:PutObject", "s3:AbortMultipartUpload"],
    ]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_arns_begin_with_the_partition_of_the_region(region, partition):
    statements = wired("web_policy_statements", site_tls_provider="letsencrypt", aws_region=region)
    arns = [each["Resource"] for each in statements if each["Resource"] != "*"]

    assert {arn.split(":")[1] for arn in arns} == {partition}


def test_the_boundary_leaves_the_hosts_what_they_are_given():
    boundary = json.loads((ROOT / "docs/aws-boundary.json").read_text())["Statement"]
    bounded = [
        (action, resource)
        for each in boundary
        for action in listed(each["Action"])
        for resource in listed(each["Resource"])
    ]
    given = {
        "site_tls_provider": "letsencrypt",
        "alarm_emails": ["me@example.com"],
        "operator_access": "session-manager",
    }
    for each in wired("web_policy_statements", **given):
        for action in listed(each["Action"]):
            for resource in listed(each["Resource"]):
                assert any(
                    action == may and fnmatchcase(resource, pattern) for may, pattern in bounded
                ), f"{action} on {resource}"


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize(("host", "provider"), [("w-1", "letsencrypt"), ("w-2", "none")])
def test_one_host_asks_for_a_certificate(host, provider):
    given = {"groups": {"role_web": ["w-2", "w-1"]}, "inventory_hostname": host}

    assert wired("web_tls_provider", site_tls_provider="letsencrypt", **given) == provider


def test_a_key_may_be_in_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")

    assert wired("ssh_public_key_file", ssh_private_key_file="~/id") == "/home/me/id.pub"


def test_each_value_of_the_stage_is_read_in_one_place():
    """Whoever else wants it reads the variable that took it, which -e may have changed."""
    read = {}
    for path in (*ROOT.glob("group_vars/**/*.yml"), *ROOT.glob("playbooks/**/*.*")):
        for name in re.findall(r"stage_values\.([\w.]+)", path.read_text()):
            read.setdefault(name, []).append(str(path.relative_to(ROOT)))
    wanted = LADDER["ladder"][0]["changes"]
    every = {name for name in wanted if name != "stores"}

    assert {name: places for name, places in read.items() if len(places) > 1} == {}
    assert {name for name in read if not name.startswith("stores.")} == every
    assert {name.partition(".")[2] for name in read} - {""} <= set(wanted["stores"])
    assert {path for places in read.values() for path in places} == {"group_vars/all/wiring.yml"}


@pytest.mark.parametrize(("front", "groups"), [("address", ["web"]), ("balancer", ["web", "lb"])])
def test_a_front_comes_with_its_security_group_however_it_was_asked_for(front, groups):
    for asked in ({"front": front}, {"my_values": {"front": front}}):
        found = wired("network_security_groups", **asked)
        assert [group["name"] for group in found] == groups
        assert ("group" in found[0]["rules"][0]) == (front == "balancer")


@pytest.mark.parametrize(
    "asked", [{"db_provider": "rds"}, {"my_values": {"stores": {"rows": "rds"}}}]
)
def test_rds_comes_with_its_subnets_and_security_group_however_it_was_asked_for(asked):
    groups = wired("network_security_groups", **asked)
    subnets = wired("network_subnets", **asked)

    assert [group["name"] for group in groups] == ["web", "db"]
    assert [subnet["name"] for subnet in subnets] == ["public-a", "private-a"]


def test_the_wiring_of_hosts_is_not_seen_elsewhere():
    assert set(HERE) & set(ON_HOSTS) == set()


def test_session_manager_needs_no_open_port():
    given = {"operator_access": "session-manager", "aws_instance_id": "i-1"}
    (web,) = wired("network_security_groups", **given)
    inventory = yaml.safe_load((ROOT / "inventories/aws/group_vars/all/main.yml").read_text())
    ways = {name: trusted(inventory[name]) for name in inventory if name.startswith("ssh_")}

    assert [rule["ports"] for rule in web["rules"]] == [[80, 443]]
    assert "debian_amd64/amazon-ssm-agent.deb" in wired("web_user_data", **given)
    assert shlex.split(wired("ssh_options", **ways | given))[1].startswith(
        "ProxyCommand=aws ssm start-session --region eu-west-1 --target i-1 "
    )
    assert wired("web_user_data") == wired("ssh_options", **ways) == ""
    assert [22] in [rule["ports"] for rule in wired("network_security_groups")[0]["rules"]]
