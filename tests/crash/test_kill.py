"""kill -9 at any moment of a call, then `up`: nothing half made, nothing leaked, nothing lost.

`CRASH_ROUNDS` is how often each call is cut off (3), `CRASH_SEED` makes the moments the same again.
"""

import os
import random
import threading
import time
from contextlib import suppress

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from crash.leftovers import Machine

pytestmark = pytest.mark.cloud

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "3"))
SEED = int(os.environ.get("CRASH_SEED") or random.randrange(10_000))


@pytest.fixture(scope="module")
def moments():
    print(f"CRASH_SEED={SEED}")
    return random.Random(SEED)


class Calls:
    """Each method is a call that changes something, with what it needs made before."""

    def __init__(self, cloud, site):
        once = Config(retries={"max_attempts": 0}, read_timeout=120)
        self.site = site
        self.ec2, self.s3, self.rds, self.elb, self.ssm, self.cache = clients = [
            cloud.client(name) for name in ("ec2", "s3", "rds", "elbv2", "ssm", "elasticache")
        ]
        for client in clients:
            client.meta.config.merge(once)
        self.number = 0

    def _launch(self):
        return self.ec2.run_instances(
            ImageId=self.site.image, InstanceType="t3.nano", MinCount=1, MaxCount=1,
            SubnetId=self.site.public, SecurityGroupIds=[self.site.group],
        )["Instances"][0]["InstanceId"]  # fmt: skip

    def run_instances(self):
        return self._launch

    def stop_instances(self):
        made = self._launch()
        return lambda: self.ec2.stop_instances(InstanceIds=[made])

    def terminate_instances(self):
        made = self._launch()
        return lambda: self.ec2.terminate_instances(InstanceIds=[made])

    def create_image(self):
        made = self._launch()
        self.number += 1
        name = f"image-{self.number}"
        return lambda: self.ec2.create_image(InstanceId=made, Name=name, NoReboot=True)

    def create_snapshot(self):
        made = self._launch()
        volumes = self.ec2.describe_volumes(
            Filters=[{"Name": "attachment.instance-id", "Values": [made]}]
        )["Volumes"]
        return lambda: self.ec2.create_snapshot(VolumeId=volumes[0]["VolumeId"])

    def create_db_instance(self):
        self.number += 1
        with suppress(ClientError):
            self.rds.create_db_subnet_group(
                DBSubnetGroupName="crash", DBSubnetGroupDescription="crash",
                SubnetIds=[self.site.public, self.site.private],
            )  # fmt: skip
        name = f"database-{self.number}"
        return lambda: self.rds.create_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres",
            AllocatedStorage=20, MasterUsername="crash", MasterUserPassword="long-enough",
            DBSubnetGroupName="crash", BackupRetentionPeriod=0,
        )  # fmt: skip

    def create_load_balancer(self):
        self.number += 1
        name = f"balancer-{self.number}"
        return lambda: self.elb.create_load_balancer(
            Name=name, Subnets=[self.site.public, self.site.private]
        )

    def create_replication_group(self):
        self.number += 1
        with suppress(ClientError):
            self.cache.create_cache_subnet_group(
                CacheSubnetGroupName="crash", CacheSubnetGroupDescription="crash",
                SubnetIds=[self.site.public, self.site.private],
            )  # fmt: skip
        name = f"cache-{self.number}"
        return lambda: self.cache.create_replication_group(
            ReplicationGroupId=name, ReplicationGroupDescription="crash", Engine="valkey",
            CacheNodeType="cache.t4g.micro", NumCacheClusters=2, CacheSubnetGroupName="crash",
        )  # fmt: skip

    def create_db_snapshot(self):
        self.create_db_instance()()
        name = f"database-{self.number}"
        return lambda: self.rds.create_db_snapshot(
            DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-copy"
        )

    def delete_db_instance(self):
        self.create_db_instance()()
        name = f"database-{self.number}"
        return lambda: self.rds.delete_db_instance(
            DBInstanceIdentifier=name, SkipFinalSnapshot=True
        )

    def put_parameter(self):
        self.number += 1
        name = f"/crash/{self.number}"
        return lambda: self.ssm.put_parameter(Name=name, Value="x" * 1000, Type="String")

    def clean(self):
        """Remove what the rounds have made, so that the next starts from little."""
        for page in self.ec2.get_paginator("describe_instances").paginate():
            for reservation in page["Reservations"]:
                ids = [each["InstanceId"] for each in reservation["Instances"]]
                self.ec2.terminate_instances(InstanceIds=ids)
        for each in self.rds.describe_db_instances()["DBInstances"]:
            self.rds.delete_db_instance(
                DBInstanceIdentifier=each["DBInstanceIdentifier"], SkipFinalSnapshot=True
            )
        for each in self.elb.describe_load_balancers()["LoadBalancers"]:
            self.elb.delete_load_balancer(LoadBalancerArn=each["LoadBalancerArn"])
        for each in self.rds.describe_db_snapshots()["DBSnapshots"]:
            self.rds.delete_db_snapshot(DBSnapshotIdentifier=each["DBSnapshotIdentifier"])
        for each in self.cache.describe_replication_groups()["ReplicationGroups"]:
            self.cache.delete_replication_group(ReplicationGroupId=each["ReplicationGroupId"])
        for each in self.ec2.describe_images(Owners=["self"])["Images"]:
            self.ec2.deregister_image(ImageId=each["ImageId"])
        for each in self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
            with suppress(ClientError):  # one of Debian's image
                self.ec2.delete_snapshot(SnapshotId=each["SnapshotId"])


NAMES = [name for name in vars(Calls) if not name.startswith("_") and name != "clean"]


@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_is_cut_off_leaves_nothing_half_made(cloud, site, moments, name):
    calls, machine = Calls(cloud, site), Machine(cloud)
    started = time.monotonic()
    getattr(calls, name)()()
    usual = time.monotonic() - started
    for round_ in range(ROUNDS):
        call = getattr(calls, name)()
        thread = threading.Thread(target=_quietly, args=(call,))
        thread.start()
        moment = moments.uniform(0, usual)
        time.sleep(moment)
        cloud.kill()
        thread.join(timeout=130)
        said = cloud.run("up").stdout
        assert machine.problems() == [], (
            f"round {round_}, cut off {moment:.2f} s into {name} (CRASH_SEED={SEED}):\n{said}"
        )
    calls.clean()


def _quietly(call):
    with suppress(BotoCoreError, ClientError):
        call()


def test_no_acknowledged_object_is_lost(cloud, site, moments):
    s3 = Calls(cloud, site).s3
    s3.create_bucket(Bucket="crash")
    acknowledged: dict[str, bytes] = {}
    for round_ in range(ROUNDS):
        stop = threading.Event()

        def write(round_=round_, stop=stop):
            number = 0
            while not stop.is_set():
                key, body = f"{round_}/{number}", os.urandom(20_000)
                try:
                    s3.put_object(Bucket="crash", Key=key, Body=body)
                except (BotoCoreError, ClientError):
                    return
                acknowledged[key] = body
                number += 1

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(moments.uniform(0.2, 1.5))
        cloud.kill()
        stop.set()
        thread.join(timeout=60)
        cloud.run("up")
        for key, body in acknowledged.items():
            assert s3.get_object(Bucket="crash", Key=key)["Body"].read() == body, key
    assert len(acknowledged) > ROUNDS
    assert Machine(cloud).problems() == []
