"""EC2 instances: a call that says running has a host behind it, or fails."""

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import describe

from localcloud.services.instances import limits

POWERED_OFF, REBOOTED, KILLED = 130, 129, 137


def test_a_host_is_started_with_the_types_limits(cloud, launch):
    instance = launch(InstanceType="t3.medium")
    started = cloud.engine.started[-1]
    assert started.name == instance["InstanceId"]
    assert (started.cpus, started.memory) == limits("t3.medium")
    assert started.memory == 4096
    assert instance["State"]["Name"] == "running"


def test_the_root_volume_has_the_size_asked_for(cloud, launch):
    launch(
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "Iops": 4000}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5}},
        ]
    )
    assert sorted(cloud.storage.sizes.values())[-2:] == [5, 20]


def test_a_host_that_cannot_start_fails_the_call_and_leaves_nothing(cloud, ec2, launch):
    cloud.engine.refuse = "no memory"
    volumes = dict(cloud.storage.sizes)
    with pytest.raises(ClientError, match="no memory"):
        launch()
    assert cloud.storage.sizes == volumes
    assert cloud.network.plugged == {}
    assert not any(each.state == "running" for each in cloud.backend("ec2").all_instances())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"KeyName": "none"}, "InvalidKeyPair.NotFound"),
        ({"InstanceType": "t3.gigantic"}, "InvalidInstanceType"),
        ({"ImageId": "ami-12345678"}, "InvalidAMIID"),
    ],
)
def test_what_does_not_exist_is_named(launch, options, message):
    with pytest.raises(ClientError, match=message):
        launch(**options)


def test_stop_and_start_keep_the_volume_and_apply_the_new_type(cloud, ec2, launch):
    instance = launch()
    ids = [instance["InstanceId"]]
    volume = cloud.storage.mounted[ids[0]]
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=ids[0], InstanceType={"Value": "t3.large"})
    ec2.stop_instances(InstanceIds=ids)
    assert cloud.engine.containers() == {}
    ec2.modify_instance_attribute(InstanceId=ids[0], InstanceType={"Value": "t3.large"})
    ec2.start_instances(InstanceIds=ids)
    assert cloud.storage.mounted[ids[0]] == volume
    assert cloud.engine.started[-1].memory == 8192


def test_a_start_that_fails_stays_stopped(cloud, ec2, launch):
    instance = launch()
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    cloud.engine.refuse = "no space"
    with pytest.raises(ClientError, match="no space"):
        ec2.start_instances(InstanceIds=[instance["InstanceId"]])
    assert describe(ec2, instance["InstanceId"])["State"]["Name"] == "stopped"


def test_an_elastic_ip_stays_over_stop_and_start(cloud, ec2, launch):
    instance = launch()
    first = instance["PublicIpAddress"]
    assert first.startswith("127.")
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=instance["InstanceId"])
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    ec2.start_instances(InstanceIds=[instance["InstanceId"]])
    assert describe(ec2, instance["InstanceId"])["PublicIpAddress"] == elastic["PublicIp"]


def test_terminate_removes_the_host_and_may_be_repeated(cloud, ec2, launch):
    instance = launch()
    for _ in range(2):
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert cloud.engine.containers() == {}
    assert cloud.network.plugged == {}
    assert cloud.storage.sizes == {}


def test_termination_protection_protects_the_host(cloud, ec2, launch):
    instance = launch()
    ec2.modify_instance_attribute(
        InstanceId=instance["InstanceId"], DisableApiTermination={"Value": True}
    )
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert instance["InstanceId"] in cloud.engine.containers()


def test_a_killed_host_is_stopped_with_the_reason(cloud, ec2, launch):
    instance = launch()
    cloud.engine.die(instance["InstanceId"], KILLED)
    cloud.reconcile()
    found = describe(ec2, instance["InstanceId"])
    assert found["State"]["Name"] == "stopped"
    assert found["StateReason"]["Code"] == "Server.InternalError"


def test_a_host_that_reboots_itself_is_started_again(cloud, ec2, launch):
    instance = launch()
    cloud.engine.die(instance["InstanceId"], REBOOTED)
    cloud.reconcile()
    assert cloud.engine.containers()[instance["InstanceId"]].running
    assert describe(ec2, instance["InstanceId"])["State"]["Name"] == "running"


@pytest.mark.parametrize(("behaviour", "state"), [("stop", "stopped"), ("terminate", "terminated")])
def test_a_host_that_powers_off_does_what_was_asked(cloud, ec2, launch, behaviour, state):
    instance = launch(InstanceInitiatedShutdownBehavior=behaviour)
    cloud.engine.die(instance["InstanceId"], POWERED_OFF)
    cloud.reconcile()
    assert describe(ec2, instance["InstanceId"])["State"]["Name"] == state


def test_a_volume_shrinks_never_and_grows_at_once(cloud, ec2, launch):
    volume = launch()["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    ec2.modify_volume(VolumeId=volume, Size=30)
    assert cloud.storage.sizes[volume] == 30
    with pytest.raises(ClientError, match="cannot be smaller"):
        ec2.modify_volume(VolumeId=volume, Size=10)


def test_limits_are_the_types_own_within_the_machine():
    assert limits("t3.micro")[1] == 1024
    assert limits("t3.small")[1] == 2048
    assert limits("t3.micro")[0] < limits("t3.xlarge")[0]
    assert limits("m5.24xlarge")[1] < 384 * 1024
