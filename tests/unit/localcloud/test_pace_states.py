"""What is shown on its way with `LOCALCLOUD_PACE=aws`, and what it refuses meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest
from unit.localcloud.test_elbv2_balancers import Quiet
from unit.localcloud.test_pace import Clock, refused
from unit.localcloud.test_rds_refusals import _created as created

from localcloud.services.elbv2 import node
from localcloud.services.elbv2.logs import AccessLogs
from localcloud.services.pace import states
from localcloud.services.pace.capacity import Capacity
from localcloud.services.pace.pace import Pace
from localcloud.services.pace.throttle import Throttle
from localcloud.services.rds.databases import Databases
from localcloud.services.rds.snapshots import Snapshots


@pytest.fixture
def settings(settings):
    return replace(settings, pace=1)


@pytest.fixture(autouse=True)
def clock(cloud, monkeypatch):
    """Nobody is throttled and there is room: the tests are about something else."""
    monkeypatch.setattr(Throttle, "check", lambda *_: None)
    monkeypatch.setattr(Capacity, "check", lambda *_: None)
    pace = cloud.service(Pace)
    pace.recent.clock = Clock()
    return pace.recent.clock


@pytest.fixture
def subnets(ec2, site):
    second = ec2.create_subnet(
        VpcId=site["vpc"], CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b"
    )["Subnet"]["SubnetId"]  # fmt: skip
    return [site["subnet"], second]


def test_a_new_host_is_pending(api, launch):
    ec2 = api.client("ec2")
    host = launch()["InstanceId"]

    def state():
        found = ec2.describe_instances(InstanceIds=[host])["Reservations"][0]["Instances"][0]
        return found["State"]["Name"]

    assert state() == "pending"
    assert refused(ec2.stop_instances, InstanceIds=[host]) == "IncorrectInstanceState"


def test_a_started_and_a_stopped_host_take_a_while(api, cloud, launch, clock):
    ec2 = api.client("ec2")
    host = launch()["InstanceId"]
    cloud.backend("ec2").get_instance(host).launch_time -= timedelta(minutes=1)

    def state():
        found = ec2.describe_instances(InstanceIds=[host])["Reservations"][0]["Instances"][0]
        return found["State"]["Name"]

    assert state() == "running"
    ec2.stop_instances(InstanceIds=[host])
    assert state() == "stopping"
    assert refused(ec2.start_instances, InstanceIds=[host]) == "IncorrectInstanceState"
    clock.now += 6
    assert state() == "stopped"
    ec2.start_instances(InstanceIds=[host])
    assert state() == "pending"
    clock.now += 6
    assert state() == "running"
    ec2.terminate_instances(InstanceIds=[host])
    assert state() == "shutting-down"
    clock.now += 6
    assert state() == "terminated"


@pytest.fixture
def database(api, subnets, monkeypatch):
    """A client of RDS, and what CreateDBInstance answered for `one`."""
    monkeypatch.setattr(Databases, "version", lambda self: "17.8")
    monkeypatch.setattr(Databases, "apply", lambda *_: None)
    monkeypatch.setattr(Databases, "complete", lambda *_: None)
    monkeypatch.setattr("localcloud.services.rds.cluster.Cluster.create", created)
    monkeypatch.setattr(Snapshots, "_copy", lambda self, database, name: None)
    rds = api.client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="two", DBSubnetGroupDescription="two", SubnetIds=subnets
    )
    made = rds.create_db_instance(
        DBInstanceIdentifier="one", DBInstanceClass="db.t4g.micro", Engine="postgres",
        AllocatedStorage=20, MasterUsername="mustache", MasterUserPassword="long-enough",
        DBSubnetGroupName="two",
    )["DBInstance"]  # fmt: skip
    return rds, made


def test_a_database_is_created_and_changed_in_its_own_time(database, clock):
    rds, made = database
    change = {"DBInstanceIdentifier": "one", "BackupRetentionPeriod": 3, "ApplyImmediately": True}

    def status():
        found = rds.describe_db_instances(DBInstanceIdentifier="one")["DBInstances"][0]
        return found["DBInstanceStatus"]

    assert made["DBInstanceStatus"] == status() == "creating"
    assert refused(rds.modify_db_instance, **change) == "InvalidDBInstanceState"
    clock.now += states.CREATING
    assert status() == "available"
    rds.modify_db_instance(**change)
    assert status() == "available"  # nobody has noticed yet
    clock.now += states.UNNOTICED
    assert status() == "modifying"
    assert refused(rds.modify_db_instance, **change) == "InvalidDBInstanceState"
    clock.now += states.MODIFYING
    assert status() == "available"


@pytest.fixture
def balanced(api, cloud, subnets, monkeypatch):
    """A client of the balancers' API, a balancer, and a group with one registered host."""

    def start(self, balancer, certificates):
        self.appliances.cloud.storage.create(self.host.id, 2)
        self.appliances.start(self.host, 1.0, 512, {})

    monkeypatch.setattr(node, "Haproxy", Quiet)
    monkeypatch.setattr(node.Node, "start", start)
    monkeypatch.setattr(node.Node, "_write", lambda self, *_: None)
    monkeypatch.setattr(node.Node, "sync", lambda self, *_: None)
    monkeypatch.setattr(AccessLogs, "listen", lambda self, node: None)
    elb = api.client("elbv2")
    made = elb.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]
    return elb, made


def test_a_balancer_is_provisioned_in_its_own_time(balanced, cloud):
    elb, made = balanced

    def state():
        return elb.describe_load_balancers(Names=["shop"])["LoadBalancers"][0]["State"]["Code"]

    assert made["State"]["Code"] == state() == "provisioning"
    cloud.backend("elbv2").load_balancers[
        made["LoadBalancerArn"]
    ].created_time = "2026-01-01T00:00:00.000Z"
    assert state() == "active"


def test_a_target_drains_for_the_whole_delay(balanced, site, launch, clock):
    elb, made = balanced
    group = elb.create_target_group(
        Name="web", Protocol="HTTP", Port=80, VpcId=site["vpc"], TargetType="instance"
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "40"}],
    )
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    targets = [{"Id": launch()["InstanceId"]}]

    def states():
        found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in found]

    elb.register_targets(TargetGroupArn=group, Targets=targets)
    elb.deregister_targets(TargetGroupArn=group, Targets=targets)
    assert states() == ["draining"]
    clock.now += 39
    assert states() == ["draining"]
    clock.now += 2
    assert states() == []
