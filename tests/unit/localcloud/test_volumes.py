"""EBS volumes: attached once, or to several instances where EBS does that."""

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import describe


@pytest.fixture
def volume(ec2):
    def make(**options):
        options = {"AvailabilityZone": "us-east-1a", "Size": 4, **options}
        return ec2.create_volume(**options)["VolumeId"]

    return make


@pytest.fixture
def attach(ec2):
    def to(volume, instance, device="/dev/sdf"):
        return ec2.attach_volume(VolumeId=volume, InstanceId=instance["InstanceId"], Device=device)

    return to


def instances_of(ec2, volume):
    (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    return sorted(each["InstanceId"] for each in found["Attachments"])


@pytest.mark.parametrize("last", [0, 1])
def test_a_multi_attach_volume_is_at_both_and_leaves_with_each(ec2, volume, attach, launch, last):
    shared = volume(VolumeType="io2", Iops=100, MultiAttachEnabled=True)
    both = [launch(), launch()]
    for each in both:
        attach(shared, each)
    assert instances_of(ec2, shared) == sorted(each["InstanceId"] for each in both)
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        ec2.detach_volume(VolumeId=shared)
    ec2.terminate_instances(InstanceIds=[both[1 - last]["InstanceId"]])
    assert instances_of(ec2, shared) == [both[last]["InstanceId"]]
    ec2.terminate_instances(InstanceIds=[both[last]["InstanceId"]])
    assert instances_of(ec2, shared) == []
    assert describe(ec2, both[last]["InstanceId"])["State"]["Name"] == "terminated"
    ec2.delete_volume(VolumeId=shared)


def test_a_multi_attach_volume_is_detached_from_the_instance_named(ec2, volume, attach, launch):
    shared = volume(VolumeType="io1", Iops=100, MultiAttachEnabled=True)
    both = [launch(), launch()]
    for each in both:
        attach(shared, each)
    ec2.detach_volume(VolumeId=shared, InstanceId=both[0]["InstanceId"])
    assert instances_of(ec2, shared) == [both[1]["InstanceId"]]
    assert len(describe(ec2, both[0]["InstanceId"])["BlockDeviceMappings"]) == 1
    ec2.modify_volume(VolumeId=shared, Size=8)


def test_a_volume_is_deleted_with_the_last_instance_that_should(cloud, ec2, volume, attach, launch):
    shared = volume(VolumeType="io2", Iops=100, MultiAttachEnabled=True)
    both = [launch(), launch()]
    for each in both:
        attach(shared, each)
        ec2.modify_instance_attribute(
            InstanceId=each["InstanceId"],
            BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}],
        )
    ec2.terminate_instances(InstanceIds=[both[0]["InstanceId"]])
    assert shared in cloud.storage.sizes
    ec2.terminate_instances(InstanceIds=[both[1]["InstanceId"]])
    assert cloud.storage.sizes == {}


def test_what_ebs_refuses_is_refused(ec2, site, volume, attach, launch):
    plain = volume(VolumeType="gp3")
    shared = volume(VolumeType="io2", Iops=100, MultiAttachEnabled=True)
    first, second = launch(), launch()
    attach(plain, first)
    attach(shared, first, "/dev/sdg")
    for case, message in [
        ((plain, second), "VolumeInUse"),
        ((shared, first, "/dev/sdh"), "VolumeInUse"),
        ((volume(), first), "already in use"),
        ((shared, launch(InstanceType="t2.micro")), "InvalidParameterCombination"),
        ((volume(AvailabilityZone="us-east-1b"), second), r"InvalidVolume\.ZoneMismatch"),
    ]:
        with pytest.raises(ClientError, match=message):
            attach(*case)
    with pytest.raises(ClientError, match="IncorrectState"):
        ec2.detach_volume(VolumeId=plain, InstanceId=second["InstanceId"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"VolumeType": "gp3", "MultiAttachEnabled": True}, "InvalidParameterDependency"),
        ({"VolumeType": "gp9"}, "UnknownVolumeType"),
        ({"VolumeType": "st1", "Size": 10}, "too small"),
        ({"VolumeType": "gp3", "Size": 20000}, "too big"),
    ],
)
def test_a_volume_that_ebs_does_not_have_is_refused(cloud, volume, options, message):
    with pytest.raises(ClientError, match=message):
        volume(**options)
    assert cloud.storage.sizes == {}


def test_an_instance_starts_with_a_volume_of_any_type(cloud, ec2, launch):
    instance = launch(
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 4, "VolumeType": "io2", "Iops": 200}}
        ]
    )
    made = describe(ec2, instance["InstanceId"])["BlockDeviceMappings"][1]["Ebs"]["VolumeId"]
    found = cloud.backend("ec2").get_volume(made)
    assert (found.volume_type, found.iops) == ("io2", 200)
