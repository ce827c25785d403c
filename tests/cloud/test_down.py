"""`down` leaves nothing on the machine, seen without the local cloud's own eyes."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from cloud.conftest import DEBIAN, TestCloud, a_folder, free_ports, wait_until

from localcloud.settings import Settings

pytestmark = pytest.mark.cloud

LOOKS = {
    "routes": ["ip", "route"],
    "namespaces": ["ip", "netns"],
    "interfaces": ["ip", "-brief", "link"],
    "loop devices": ["losetup", "--list", "--noheadings", "--output=BACK-FILE"],
    "tables": ["nft", "list", "tables"],
    "mounts": ["cat", "/proc/mounts"],
    "processes": ["ps", "-e", "-ww", "-o", "args"],
    "containers of the runtime": ["runc", "list"],
}


class Machine:
    """What a cloud has on this machine, where others may have their own."""

    def __init__(self, cloud: TestCloud, prefix: str):
        settings = Settings.from_environment(cloud.environment)
        self.engine = f"--root={settings.state}/engine"
        self.registered = Path("/run/localcloud", f"{settings.id}.json")
        self.marks = (f"lc{settings.id}", f"localcloud_{settings.id}", f"{settings.state}/", prefix)

    def look(self) -> dict[str, list[str]]:
        found = {}
        for name, command in LOOKS.items():
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[name] = [line for line in said.splitlines() if self._ours(line)]
        return found

    def containers(self) -> list[str]:
        command = ["podman", self.engine, "--storage-driver=vfs", "ps", "--all", "--quiet"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    def _ours(self, line: str) -> bool:
        return any(mark in line for mark in self.marks)


@pytest.fixture
def doomed():
    """A cloud of the test's own with a VPC and a host, and the machine under it."""
    directory = a_folder("doomed")
    port, http, https = free_ports(3)
    cloud = TestCloud(
        environment={
            "LOCALCLOUD_STATE": str(directory / "state"),
            "LOCALCLOUD_PORT": str(port),
            "LOCALCLOUD_HTTP_PORT": str(http),
            "LOCALCLOUD_HTTPS_PORT": str(https),
        },
        directory=directory,
    )
    prefix = f"10.{random.randint(130, 148)}."
    try:
        cloud.run("up")
        ec2 = cloud.client("ec2")
        vpc = ec2.create_vpc(CidrBlock=f"{prefix}0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{prefix}1.0/24")["Subnet"]["SubnetId"]
        image = ec2.describe_images(Owners=[DEBIAN])["Images"][0]["ImageId"]
        ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet
        )
        yield cloud, Machine(cloud, prefix)
    finally:
        cloud.run("down", "--destroy-data", check=False)


@pytest.mark.parametrize("loss", ["process", "process and lxcfs", "process and state"])
def test_nothing_is_left_after_a_crash(doomed, loss):
    cloud, machine = doomed
    assert len(machine.containers()) == 1
    assert all(machine.look().values()), machine.look()

    cloud.kill()
    if loss == "process and lxcfs":
        pid = int((cloud.state / "lxcfs.pid").read_text())
        os.kill(pid, 9)
        wait_until(lambda: not Path(f"/proc/{pid}").exists())
    if loss == "process and state":
        # what nothing is mounted on goes
        shutil.rmtree(cloud.state / "volumes")
        shutil.rmtree(cloud.state / "engine", ignore_errors=True)
        for path in cloud.state.glob("*.*"):
            path.unlink()
        machine.registered.unlink()
    listed = cloud.run("status", check=False).stdout
    assert "left over: route to" in listed
    assert "(conmon)" in listed

    assert "nothing is left" in cloud.run("down", "--destroy-data").stdout
    assert machine.look() == {name: [] for name in LOOKS}
    assert not cloud.state.exists()
