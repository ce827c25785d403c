"""Noting AWS calls, making them again under other names, and counting Ansible's."""

import os
import subprocess
import sys
import textwrap

import pytest
from botocore.exceptions import ClientError

from benchmarks import replay
from benchmarks.provision import ROOT, module_calls


def test_calls_are_noted_in_any_program_and_nothing_is_without_one(tmp_path):
    notes = tmp_path / "notes"
    program = """
        import sys
        assert "botocore" not in sys.modules
        import boto3
        from botocore.stub import Stubber
        ec2 = boto3.client("ec2", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        with Stubber(ec2) as stub:
            stub.add_response("create_vpc", {"Vpc": {"VpcId": "vpc-1"}})
            stub.add_client_error("delete_vpc")
            ec2.create_vpc(CidrBlock="10.0.0.0/16")
            try:
                ec2.delete_vpc(VpcId="vpc-1")
            except ec2.exceptions.ClientError:
                pass
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=os.environ
        | {"RECORDED_CALLS": str(notes), "PYTHONPATH": f"{ROOT}/benchmarks/recorder"},
        check=True,
        timeout=60,
    )
    assert replay.read(notes) == [
        ["ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, {"Vpc": {"VpcId": "vpc-1"}}]
    ]


class Ec2:
    """Gives other ids than before, and is not ready at once."""

    def __init__(self):
        self.calls = []

    def create_vpc(self, **parameters):
        self.calls.append(parameters)
        return {"Vpc": {"VpcId": "vpc-0b", "State": "available"}}

    def create_subnet(self, **parameters):
        self.calls.append(parameters)
        if len(self.calls) < 4:
            raise ClientError({"Error": {"Code": "NotReady"}}, "CreateSubnet")
        return {}


def test_calls_are_made_again_with_the_names_of_now(monkeypatch):
    ec2 = Ec2()
    monkeypatch.setattr(replay.boto3, "client", lambda service, **options: ec2)
    calls = [
        ["ec2", "CreateVpc", {}, {"Vpc": {"VpcId": "vpc-0a", "State": "pending"}}],
        ["ec2", "CreateSubnet", {"Tags": ["pending", "of vpc-0a"], "VpcId": "vpc-0a"}, {}],
    ]
    names = {}
    replay.replay(calls, names)
    assert names == {"vpc-0a": "vpc-0b"}
    assert ec2.calls[1:] == 3 * [{"Tags": ["pending", "of vpc-0b"], "VpcId": "vpc-0b"}]


def test_the_end_of_a_name_is_a_name():
    names = {}
    replay.learn({"Id": "/hostedzone/Z0A12B"}, {"Id": "/hostedzone/Z9C34D"}, names)
    assert replay.renamed(["Z0A12B", "/hostedzone/Z0A12B"], names) == [
        "Z9C34D",
        "/hostedzone/Z9C34D",
    ]


def test_names_that_change_places_are_not_mixed_up():
    names = {"10.0.0.4": "10.0.0.5", "10.0.0.5": "10.0.0.4", "10.0.0.55": "10.0.0.6"}
    assert replay.renamed("10.0.0.5 10.0.0.4 10.0.0.55", names) == "10.0.0.4 10.0.0.5 10.0.0.6"


def test_what_never_works_is_an_error(monkeypatch):
    monkeypatch.setattr(replay, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(ClientError):
        replay.patiently(Ec2().create_subnet, {})


def test_modules_are_counted_where_they_run():
    def task(action, **hosts):
        return {"hosts": {host: {"action": action} | result for host, result in hosts.items()}}

    items = {"results": [{"changed": True}, {"skipped": True}, {"changed": False}]}
    tasks = [
        task("ansible.builtin.set_fact", localhost={}, web={}),
        task("amazon.aws.ec2_instance", localhost={"attempts": 2}),
        task("ansible.builtin.copy", web=items, other={"skipped": True}),
    ]
    assert module_calls({"plays": [{"tasks": tasks[:2]}, {"tasks": tasks[2:]}]}) == (2, 2)
