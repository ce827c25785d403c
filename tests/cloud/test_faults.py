"""Each fault does what it says to a real host, and one command undoes it."""

import json
import socket
import subprocess

import pytest
from cloud.conftest import describe, wait_until

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def host(cloud, site):
    ec2 = cloud.client("ec2")
    made = ec2.run_instances(
        ImageId=site.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="test",
        SubnetId=site.public, SecurityGroupIds=[site.group],
        TagSpecifications=[{
            "ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "drilled"}],
        }],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    found = describe(ec2, made)
    cloud.ssh(found["PublicIpAddress"], "true")
    yield found
    ec2.terminate_instances(InstanceIds=[made])


@pytest.fixture(autouse=True)
def healed(cloud):
    yield
    cloud.run("heal")


def faults(cloud) -> list[dict]:
    return json.loads(cloud.run("status", "--json").stdout)["faults"]


def ssh_answers(address: str) -> bool:
    """Whether sshd says hello, which a frozen host does not."""
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            connection.settimeout(1)
            return connection.recv(4).startswith(b"SSH")
    except OSError:
        return False


def test_a_killed_host_stops_and_healing_starts_it(cloud, host):
    ec2 = cloud.client("ec2")
    cloud.run("fault", "kill", "drilled")
    wait_until(lambda: describe(ec2, host["InstanceId"])["State"]["Name"] == "stopped")
    (fault,) = faults(cloud)
    cloud.run("heal", fault["id"])
    now = describe(ec2, host["InstanceId"])
    assert now["State"]["Name"] == "running"
    cloud.ssh(now["PublicIpAddress"], "true")


@pytest.mark.parametrize("kind", ["freeze", "isolate", "zone-down"])
def test_a_host_that_does_not_answer_is_back_after_healing(cloud, host, kind):
    ec2 = cloud.client("ec2")
    address = describe(ec2, host["InstanceId"])["PublicIpAddress"]
    wait_until(lambda: ssh_answers(address))
    target = host["Placement"]["AvailabilityZone"] if kind == "zone-down" else "drilled"
    said = cloud.run("fault", kind, target).stdout
    assert "python -m localcloud heal" in said
    assert not ssh_answers(address)
    assert [each["kind"] for each in faults(cloud)] == [kind]
    assert describe(ec2, host["InstanceId"])["State"]["Name"] == "running"
    cloud.run("heal")
    wait_until(lambda: ssh_answers(address))
    assert faults(cloud) == []


def test_a_full_disk_is_full_until_it_is_healed(cloud, host):
    address = describe(cloud.client("ec2"), host["InstanceId"])["PublicIpAddress"]
    cloud.run("fault", "fill-disk", "drilled")
    full = "dd if=/dev/zero of=big bs=1M count=64 status=none; echo $?"
    assert cloud.ssh(address, full) == "1"
    cloud.run("heal")
    assert cloud.ssh(address, full) == "0"


def test_a_slow_link_is_slow(cloud, host):
    address = describe(cloud.client("ec2"), host["InstanceId"])["PublicIpAddress"]
    take = "dd if=/dev/zero bs=1M count=1 status=none | base64"
    cloud.run("fault", "slow", "drilled", "--rate", "2")
    with pytest.raises(subprocess.TimeoutExpired):
        _timed(cloud, address, take, 3)
    cloud.run("heal")
    assert _timed(cloud, address, take, 30)


def test_what_is_not_there_is_refused(cloud, host):
    refused = cloud.run("fault", "kill", "nobody", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("localcloud: There is no host nobody")
    assert faults(cloud) == []


def _timed(cloud, address: str, command: str, seconds: float) -> bool:
    words = [
        "ssh", "-i", str(cloud.directory / "key"), "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-o", "LogLevel=ERROR", f"admin@{address}", command,
    ]  # fmt: skip
    return subprocess.run(words, capture_output=True, timeout=seconds).returncode == 0
