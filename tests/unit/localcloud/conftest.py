"""A local cloud without podman: moto in process, the drivers replaced by ones that remember."""

import http.client
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from localcloud.settings import MOTO

# moto reads these when it is imported, so before any test module does
os.environ.update({key: value for key, value in MOTO.items() if "POLICIES" not in key})

from localcloud.engine import EngineError, State
from localcloud.network import Network
from localcloud.settings import Settings
from localcloud.storage import Storage
from tests import policies


class FakeEngine:
    """Containers as entries of a dictionary; ``refuse`` makes the next start fail."""

    def __init__(self):
        self.running: dict[str, State] = {}
        self.started = []
        self.refuse = ""

    def run(self, container):
        if self.refuse:
            raise EngineError(self.refuse)
        self.started.append(container)
        # no process: nothing may enter its namespaces
        self.running[container.name] = State(container.name, True, 0, 0, dict(container.labels))

    def stop(self, name, seconds=10):
        self.remove(name)

    def remove(self, name):
        self.running.pop(name, None)

    def containers(self):
        return dict(self.running)

    def die(self, name, exit_code):
        self.running[name].running = False
        self.running[name].exit_code = exit_code


class FakeNetwork(Network):
    def __init__(self):
        super().__init__("beef")
        self.plugged: dict[str, str] = {}
        self.cidrs: set[str] = set()

    def plug(self, interface_id, address, subnet, mac, index=0, host=None):
        self.plugged[interface_id] = address
        return self.device(host or interface_id)

    def unplug(self, interface_id):
        self.plugged.pop(interface_id, None)

    def hold(self, cidr):
        self.cidrs.add(cidr)

    def release(self, cidr):
        self.cidrs.discard(cidr)

    def held(self):
        return set(self.cidrs)

    def namespaces(self):
        return {self.device(each) for each in self.plugged}


class FakeStorage(Storage):
    """Volumes as numbers of GiB; nothing is mounted."""

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.sizes: dict[str, int] = {}
        self.mounted: dict[str, str] = {}

    def create(self, volume_id, size, snapshot_id=None):
        self.sizes[volume_id] = size

    def grow(self, volume_id, size):
        self.sizes[volume_id] = size

    def delete(self, volume_id):
        self.sizes.pop(volume_id)

    def attach(self, volume_id):
        return f"/dev/{volume_id}"

    def device(self, volume_id):
        return None

    def detach(self, volume_id):
        """Nothing was attached."""

    def mount_root(self, host_id, volume_id, layers):
        self.mounted[host_id] = volume_id
        return self.root(host_id)

    def unmount_root(self, host_id, volume_id):
        self.mounted.pop(host_id, None)

    def resize_root(self, host_id):
        """Nothing is mounted."""

    def mounted_hosts(self, prefix):
        return {each for each in self.mounted if each.startswith(prefix)}

    def loop_devices(self):
        return {}


class FakeLxcfs:
    def mounts(self):
        return {}


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environment(
        {"LOCALCLOUD_STATE": str(tmp_path / "state"), "LOCALCLOUD_CACHE": str(tmp_path / "cache")}
    )


@pytest.fixture
def make_cloud(settings, tmp_path, monkeypatch):
    """Make a cloud on fresh moto backends; call it again for the next process's."""
    from moto import mock_aws

    from localcloud import registry
    from localcloud.cloud import Cloud
    from localcloud.firewall import Services
    from localcloud.services import network as network_service

    monkeypatch.setattr(registry, "DIRECTORY", tmp_path / "run")
    monkeypatch.setattr(network_service, "conflicting_route", lambda cidr: None)
    base_image = tmp_path / "base"
    base_image.mkdir()
    settings.state.mkdir()
    made = []

    def make(engine=None, network=None, storage=None):
        for cloud, mock in made:
            cloud.close()
            mock.stop()
        made.clear()
        mock = mock_aws()
        mock.start()
        scripts = []
        cloud = Cloud(
            settings,
            base_image,
            engine=engine or FakeEngine(),
            network=network or FakeNetwork(),
            storage=storage or FakeStorage(settings.state),
            lxcfs=FakeLxcfs(),
            apply_firewall=scripts.append,
        )
        made.append((cloud, mock))
        cloud.scripts = scripts
        cloud.ports = Services(api=1, metadata=2, resolver=3, website=4)
        cloud.adopted = cloud.adopt()
        return cloud

    yield make
    for cloud, mock in made:
        cloud.close()
        mock.stop()


@pytest.fixture
def cloud(make_cloud):
    return make_cloud()


@pytest.fixture
def ec2(cloud):
    return client("ec2")


def client(service: str):
    import boto3

    return boto3.client(
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def watch_during(service, storage, monkeypatch) -> list[str]:
    """Let the reconciler of ``service`` come by when a host's volume is unmounted; which were."""
    seen = []
    unmount = storage.unmount_root

    def unmount_slowly(host_id, volume_id):
        seen.append(host_id)
        watch = threading.Thread(target=service.reconcile)
        watch.start()
        watch.join()
        unmount(host_id, volume_id)

    monkeypatch.setattr(storage, "unmount_root", unmount_slowly)
    return seen


@pytest.fixture
def site(ec2):
    """A VPC 10.9.0.0/16 with a public subnet and a group; what `launch` needs."""
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1a"
    )["Subnet"]["SubnetId"]  # fmt: skip
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    ec2.create_route(
        RouteTableId=tables["RouteTables"][0]["RouteTableId"],
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=gateway,
    )
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    images = ec2.describe_images(
        Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}]
    )
    return {
        "vpc": vpc,
        "subnet": subnet,
        "group": group,
        "image": images["Images"][0]["ImageId"],
        "table": tables["RouteTables"][0]["RouteTableId"],
    }


@pytest.fixture
def scene(cloud, ec2, site):
    """What groups of Auto Scaling need, on a clock of its own."""
    from unit.localcloud.scaling import Scene

    return Scene(cloud, ec2, site)


@pytest.fixture
def launch(ec2, site):
    """Start an instance and return it as DescribeInstances shows it."""

    def start(**options):
        options = {
            "ImageId": site["image"],
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": site["subnet"],
            "SecurityGroupIds": [site["group"]],
            **options,
        }
        started = ec2.run_instances(**options)["Instances"][0]["InstanceId"]
        return describe(ec2, started)

    return start


def describe(ec2, instance_id: str) -> dict:
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


@dataclass
class Api:
    """The API over HTTP, as `up` serves it, on moto in this process."""

    port: int
    wsgi: object
    opened: list = field(default_factory=list)

    def client(self, service: str, key="localcloud", secret="localcloud", token=None, **options):
        import boto3
        from botocore.config import Config

        made = boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=options.pop("region", "us-east-1"),
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, **options),
        )
        self.opened.append(made)
        return made

    def connection(self) -> http.client.HTTPConnection:
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.opened.append(made)
        return made


@pytest.fixture
def api(cloud, settings, monkeypatch):
    from localcloud import httpd
    from localcloud.dispatcher import Dispatcher
    from localcloud.server import Api as Application
    from localcloud.services.s3 import S3

    monkeypatch.setattr(tempfile, "tempdir", None)
    wsgi = Application(cloud, Dispatcher(), cloud.service(S3))
    server = httpd.server(wsgi, 0, settings.state / "spool")
    ended = threading.Event()

    def run():
        while not ended.is_set():
            poll = server.adj.asyncore_use_poll
            server.asyncore.loop(timeout=0.05, use_poll=poll, map=server._map, count=1)

    thread = threading.Thread(target=run)
    thread.start()
    serving = Api(server.effective_port, wsgi)
    yield serving
    for each in serving.opened:
        each.close()
    server.task_dispatcher.shutdown(timeout=5)
    ended.set()
    thread.join()
    server.close()
    for channel in list(server.active_channels.values()):
        channel.handle_close()


@pytest.fixture
def environments(cloud, monkeypatch):
    """Environments of functions that were started, the latest last."""
    from unit.localcloud.lambdas import Environments

    from localcloud.services.functions.functions import Functions

    started = Environments(cloud)
    monkeypatch.setattr(Functions, "start_environment", lambda service, *how: started.start(*how))
    return started


@pytest.fixture
def role(api):
    """A role for functions, which may log."""
    iam = api.client("iam")
    made = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=policies.FUNCTIONS)["Role"]
    iam.put_role_policy(RoleName="fn", PolicyName="logs", PolicyDocument=policies.policy("logs:*"))
    return made["Arn"]


@pytest.fixture
def functions(api, role, environments):
    return api.client("lambda")
