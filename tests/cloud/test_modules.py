"""The collections' and the project's modules against the local cloud."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cloud.conftest import allow, launching

pytestmark = pytest.mark.cloud

PLAYS = Path(__file__).parent / "modules"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def variables(cloud, site, tmp_path_factory):
    """The plays' variables, in a file."""
    directory = tmp_path_factory.mktemp("modules")
    path = directory / "variables.json"
    path.write_text(
        json.dumps(
            {
                "subnets": [site.public, site.private],
                "security_groups": [site.group],
                "vpc": site.vpc,
                "password": "a-long-enough-secret",
            }
        )
    )
    return path


def play(cloud, name: str, variables: Path, *options: str, where=("-i", "localhost,", "-c", "local")
         ) -> int:  # fmt: skip
    """Run a play; return how many tasks changed something."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")), *where,
            "-e", f"@{variables}", *options, str(PLAYS / f"{name}.yml"),
        ],
        cwd=PLAYS,
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": cloud.endpoint, "AWS_URL": cloud.endpoint,
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "localcloud",
            "AWS_SECRET_ACCESS_KEY": "localcloud", "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LIBRARY": str(ROOT / "library"),
            "ANSIBLE_MODULE_UTILS": str(ROOT / "module_utils"),
            "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
            "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_DEPRECATION_WARNINGS": "false",
        },
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.search(r"changed=(\d+)", done.stdout)[1])


@pytest.mark.parametrize("name", ["database", "settings", "table"])
def test_a_second_run_changes_nothing(cloud, variables, name):
    assert play(cloud, name, variables) > 0
    assert play(cloud, name, variables, "--check", "--diff") == 0
    assert play(cloud, name, variables) == 0


def test_settings_are_changed_purged_and_removed_and_the_secret_stays(cloud, variables):
    ssm = cloud.client("ssm")

    def found() -> dict[str, str]:
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path="/modules/web", WithDecryption=True
        )
        return {each["Name"]: each["Value"] for page in pages for each in page["Parameters"]}

    play(cloud, "settings", variables)
    before = found()
    assert len(before) == 12
    assert len(before["/modules/web/SECRET_KEY"]) == 40
    changes = ("-e", "greeting=servus", "-e", '{"letters": ["A"]}')
    assert play(cloud, "settings", variables, *changes, "--check", "--diff") == 1
    assert found() == before
    assert play(cloud, "settings", variables, *changes) == 1
    assert found() == {
        "/modules/web/A": "A",
        "/modules/web/GREETING": "servus",
        "/modules/web/SECRET_KEY": before["/modules/web/SECRET_KEY"],
    }
    assert play(cloud, "settings", variables, "-e", "state=absent") == 1
    assert found() == {}
    assert play(cloud, "settings", variables, "-e", "state=absent") == 0


def test_groups_that_refer_to_each_other_are_made_kept_and_removed(cloud, variables):
    assert play(cloud, "security_groups", variables) == 1
    assert play(cloud, "security_groups", variables) == 0
    fewer = [{"name": "left", "description": "Left", "rules": []}]
    for wanted in (fewer, []):
        left = json.dumps({"wanted": wanted, "purge": False, "surplus": True})
        assert play(cloud, "security_groups", variables, "-e", left) == 0
    assert play(cloud, "security_groups", variables, "-e", '{"wanted": []}', "--check") == 1
    assert play(cloud, "security_groups", variables, "-e", '{"wanted": []}') == 1
    groups = cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    assert [each for each in groups if each["GroupName"].startswith("modules-")] == []


@pytest.fixture
def databases(cloud, site, variables):
    """Two databases that reach each other, and a host that reaches both: its address, theirs."""
    rds, ec2 = cloud.client("rds"), cloud.client("ec2")
    group = ec2.create_security_group(GroupName="move", Description="move", VpcId=site.vpc)
    allow(ec2, group["GroupId"], 5432, group["GroupId"])
    rds.create_db_subnet_group(
        DBSubnetGroupName="move",
        DBSubnetGroupDescription="move",
        SubnetIds=[site.public, site.private],
    )
    rds.create_db_parameter_group(
        DBParameterGroupName="move", DBParameterGroupFamily="postgres17", Description="move"
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName="move",
        Parameters=[{"ParameterName": "rds.logical_replication", "ParameterValue": "1",
                     "ApplyMethod": "pending-reboot"}],
    )  # fmt: skip
    names = ("move-1", "move-2")
    with launching(cloud, site) as launch:
        host = launch(SecurityGroupIds=[site.group, group["GroupId"]])
        made = [
            rds.create_db_instance(
                DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres",
                AllocatedStorage=20, MasterUsername="mustache",
                MasterUserPassword=json.loads(variables.read_text())["password"],
                DBSubnetGroupName="move", DBParameterGroupName="move",
                VpcSecurityGroupIds=[group["GroupId"]],
            )["DBInstance"]
            for name in names
        ]  # fmt: skip
        yield host["PublicIpAddress"], [each["Endpoint"]["Address"] for each in made]
    for name in names:
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_a_database_moves_and_what_goes_wrong_on_the_way_loses_nothing(cloud, variables, databases):
    host, servers = databases
    cloud.ssh(host, "true")
    where = [
        "-i", f"{host},", "-u", "admin", "--private-key", str(cloud.directory / "key"),
        "--ssh-common-args", "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
    ]  # fmt: skip
    play(cloud, "move", variables, "-e", json.dumps({"servers": servers}), where=where)


def test_a_certificate_that_was_deleted_is_made_anew(cloud, variables):
    for _ in range(2):
        assert play(cloud, "certificate", variables) == 1
        assert play(cloud, "certificate", variables) == 0
        assert play(cloud, "certificate", variables, "-e", "state=absent") == 1
    listed = cloud.client("acm").list_certificates()["CertificateSummaryList"]
    assert "modules.example" not in {each["DomainName"] for each in listed}


def test_readiness_says_what_is_missing_and_changes_nothing(cloud, variables):
    assert play(cloud, "readiness", variables) == 0


@pytest.mark.parametrize("target", ["{}", '{"dns_alias": {}, "dns_address": "192.0.2.7"}'])
def test_the_sites_name_comes_and_goes_with_its_zone(cloud, variables, target):
    route53 = cloud.client("route53")

    def zones():
        found = route53.list_hosted_zones_by_name(DNSName="modules.example")["HostedZones"]
        return [each["Id"] for each in found if each["Name"] == "modules.example."]

    try:
        assert play(cloud, "names", variables, "-e", target) == 2
        assert play(cloud, "names", variables, "-e", target) == 0
        (zone,) = zones()
        records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        assert "www.modules.example." in {each["Name"] for each in records}
    finally:
        # The name is removed whatever it stands for.
        removed = play(cloud, "names", variables, "-e", "state=absent")
    assert removed == 2
    assert zones() == []


def test_a_load_balancer_comes_drains_and_goes(cloud, site, variables, launch):
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="www", Description="www", VpcId=site.vpc)["GroupId"]
    allow(ec2, group, 80)
    host = launch(SecurityGroupIds=[site.group, group])
    # Everything that it has is healthy.
    cloud.ssh(
        host["PublicIpAddress"],
        "sudo systemd-run --quiet --working-directory=/usr/share python3 -m http.server 80",
    )
    options = ("-e", json.dumps({"targets": [host["InstanceId"]], "health_path": "/"}))
    try:
        assert play(cloud, "balancer", variables, *options, "--check", "--diff") > 0
        assert play(cloud, "balancer", variables, *options) == 6
        assert play(cloud, "balancer", variables, *options) == 0
        # All but the record of the certificate is announced, and nothing done.
        assert play(cloud, "balancer_gone", variables, *options, "--check", "--diff") == 5
    finally:
        removed = play(cloud, "balancer_gone", variables, *options)
    assert removed == 6
    assert play(cloud, "balancer_gone", variables, *options) == 0
