"""A local cloud of the tests' own: free ports, its own state, taken down at the end.

`cloud` is the running cloud, `site` a small VPC in it with a public subnet, `launch` starts hosts.
"""

import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from cloud.project import Project

from localcloud import registry

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = "136693071363"
SITE = "mustache.localhost"
# Two files run side by side, each lane with a local cloud of its own (`make test-cloud`). These
# begin first, the longest before all, so that nobody waits at the end for one that began last.
LONGEST = (
    "test_stage1",
    "test_stages",
    "test_adapt",
    "test_serverless",
    "test_surroundings",
    "test_autoscaling",
    "test_cloudwatch",
    "test_cloudfront",
    "test_rds",
    "test_molecule",
    "test_localcloud",
)
# Which of how many lanes this is. Clouds on one machine do not share addresses, so the VPCs have
# 10.129, 149-152: the projects, 130-148: test_down.py, 153-159: Molecule, 160-198: `site`,
# 199: modules/readiness.yml.
LANE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
LANES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
# The folder of this run's clouds, whichever lane they are of.
CLOUDS = "LOCALCLOUD_TEST_CLOUDS"


def pytest_configure(config):
    if CLOUDS not in os.environ:  # lanes have it
        os.environ[CLOUDS] = tempfile.mkdtemp(prefix="localcloud-tests-")


def pytest_unconfigure(config):
    """Ctrl-C ends lanes before they can take their clouds down."""
    if hasattr(config, "workerinput"):
        return
    for state in [each["state"] for each in registry.others("")]:
        if Path(state).is_relative_to(os.environ[CLOUDS]):
            localcloud({"LOCALCLOUD_STATE": state}, "down", "--destroy-data", check=False)
    shutil.rmtree(os.environ[CLOUDS], ignore_errors=True)


def pytest_collection_modifyitems(items):
    begin = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: begin.get(item.path.stem, len(begin)))


def a_folder(name):
    """A new one, gone at the end of the run, with whatever cloud is still there."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=os.environ[CLOUDS]))


def localcloud(environment, *words, check=True):
    """`python -m localcloud WORDS`."""
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@dataclass
class TestCloud:
    """How to reach the cloud: AWS clients, the command line, and hosts over SSH."""

    __test__ = False
    environment: dict[str, str]
    directory: Path

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.environment['LOCALCLOUD_PORT']}"

    @property
    def state(self) -> Path:
        return Path(self.environment["LOCALCLOUD_STATE"])

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="localcloud",
            aws_secret_access_key="localcloud",
        )

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        """`python -m localcloud WORDS`."""
        return localcloud(self.environment, *words, check=check)

    def status(self) -> dict[str, dict]:
        """Rows of `status --json` by id."""
        rows = json.loads(self.run("status", "--json").stdout)["resources"]
        return {row["id"]: row for row in rows}

    def kill(self) -> None:
        """End the cloud's process as a crash would."""
        pid = int((self.state / "localcloud.pid").read_text())
        os.kill(pid, 9)
        wait_until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or _zombie(pid))

    def ssh(self, address: str, command: str, seconds: float = 120) -> str:
        """Run ``command`` as admin; retry until the host answers."""
        words = [
            "ssh", "-F", "none", "-i", str(self.directory / "key"), "-o", "BatchMode=yes",
            "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=2", f"admin@{address}", command,
        ]  # fmt: skip
        give_up = time.monotonic() + seconds
        while True:
            done = subprocess.run(words, capture_output=True, text=True, timeout=120)
            if done.returncode == 0:
                return done.stdout.strip()
            if done.returncode != 255 or time.monotonic() > give_up:
                raise AssertionError(f"{command!r} on {address}: {done.stdout}{done.stderr}")
            time.sleep(0.2)


def wait_until(condition, seconds: float = 20):
    """Return what ``condition`` returns once it is true."""
    give_up = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.1)


def opens(address: str, port: int) -> bool:
    """Whether a TCP connection from this machine is accepted."""
    with suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


def free_ports(count: int) -> list[int]:
    """Below those that the kernel gives to outgoing connections: one of them may have the port in
    the moment when a cloud that was killed comes up again.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15000, 32000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


@pytest.fixture(scope="session")
def cloud():
    directory = a_folder("lane")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / "key"], check=True
    )
    port, http, https = free_ports(3)
    running = TestCloud(
        environment={
            "LOCALCLOUD_STATE": str(directory / "state"),
            "LOCALCLOUD_PORT": str(port),
            "LOCALCLOUD_HTTP_PORT": str(http),
            "LOCALCLOUD_HTTPS_PORT": str(https),
        },
        directory=directory,
    )
    try:
        running.run("up")
        yield running
    finally:
        down = running.run("down", "--destroy-data", check=False)
    assert down.returncode == 0, down.stderr
    assert "nothing is left" in down.stdout


@dataclass
class Site:
    """A VPC with one public and one private subnet and a group that lets SSH in."""

    vpc: str
    cidr: str
    public: str
    private: str
    group: str
    image: str


@pytest.fixture(scope="session")
def site(cloud):
    ec2 = cloud.client("ec2")
    prefix = f"10.{random.randrange(160 + LANE, 199, LANES)}"
    vpc = ec2.create_vpc(CidrBlock=f"{prefix}.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"{prefix}.{number}.0/24",
                          AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
        for number, zone in ((1, "a"), (2, "b"))
    ]  # fmt: skip
    ec2.modify_subnet_attribute(SubnetId=subnets[0], MapPublicIpOnLaunch={"Value": True})
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    group = ec2.create_security_group(GroupName="ssh", Description="ssh", VpcId=vpc)["GroupId"]
    allow(ec2, group, 22)
    ec2.import_key_pair(
        KeyName="test", PublicKeyMaterial=(cloud.directory / "key.pub").read_bytes()
    )
    images = ec2.describe_images(
        Owners=[DEBIAN], Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}]
    )
    return Site(vpc, f"{prefix}.0.0/16", *subnets, group, images["Images"][0]["ImageId"])


def allow(ec2, group: str, port: int, source: str = "0.0.0.0/0") -> None:
    """Let TCP ``port`` in from a CIDR block, a security group or a prefix list."""
    peers = {
        "sg-": {"UserIdGroupPairs": [{"GroupId": source}]},
        "pl-": {"PrefixListIds": [{"PrefixListId": source}]},
    }
    peer = peers.get(source[:3], {"IpRanges": [{"CidrIp": source}]})
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}],
    )


@contextmanager
def launching(cloud, site):
    """Start hosts with `launch(InstanceType=…)`; they are terminated at the end."""
    ec2 = cloud.client("ec2")
    started: list[str] = []

    def start(**options) -> dict:
        options = {
            "ImageId": site.image,
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": site.public,
            "SecurityGroupIds": [site.group],
            "KeyName": "test",
            **options,
        }
        made = [each["InstanceId"] for each in ec2.run_instances(**options)["Instances"]]
        started.extend(made)
        return describe(ec2, made[0])

    yield start
    if started:
        ec2.terminate_instances(InstanceIds=started)


@pytest.fixture
def launch(cloud, site):
    """Start a test's own hosts."""
    with launching(cloud, site) as start:
        yield start


@pytest.fixture
def zone(cloud):
    """Id of a zone for the site's name, gone with its records at the end: all tests share it."""
    route53 = cloud.client("route53")
    zone = route53.create_hosted_zone(Name=SITE, CallerReference=secrets.token_hex(4))["HostedZone"]
    yield zone["Id"]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    changes = [
        {"Action": "DELETE", "ResourceRecordSet": record}
        for record in records
        if record["Type"] not in ("NS", "SOA")
    ]
    if changes:
        route53.change_resource_record_sets(
            HostedZoneId=zone["Id"], ChangeBatch={"Changes": changes}
        )
    route53.delete_hosted_zone(Id=zone["Id"])


@pytest.fixture
def start_project(cloud):
    """The playbooks in an environment of their own: `start_project("name", "10.150.0.0/16")`."""
    started: list[Project] = []

    def start(environment: str, cidr: str, **variables) -> Project:
        started.append(Project(cloud, environment, cidr, **variables))
        return started[-1]

    yield start
    for each in started:
        each.clear()


@pytest.fixture(scope="module")
def host(cloud, site):
    """A plain host for the tests of a module that leave it as it is."""
    with launching(cloud, site) as start:
        yield start()


def describe(ec2, instance_id: str) -> dict:
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def _zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
