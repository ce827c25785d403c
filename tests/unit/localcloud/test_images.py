"""Images: what they hold, and that they are of one moment."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import describe

from localcloud.engine import EngineError
from localcloud.services.images import Images


@pytest.fixture
def host(cloud, ec2, launch):
    """A host with a data volume, which has written a file."""
    cloud.storage.snapshot = lambda *_, **__: None
    instance = launch(
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 10}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3, "VolumeType": "gp3"}},
        ]
    )
    upper = cloud.storage.upper(instance["InstanceId"])
    (upper / "opt").mkdir(parents=True)
    (upper / "opt/proof").write_text("here")
    return instance["InstanceId"]


def image_of(ec2, image):
    return ec2.describe_images(ImageIds=[image])["Images"][0]


def test_debians_image_says_what_it_is(ec2, site):
    image = image_of(ec2, site["image"])
    (root,) = image["BlockDeviceMappings"]
    assert image["RootDeviceType"] == "ebs"
    assert root["DeviceName"] == image["RootDeviceName"] == "/dev/xvda"
    assert (root["Ebs"]["VolumeSize"], root["Ebs"]["VolumeType"]) == (8, "gp3")
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    (snapshot,) = ec2.describe_snapshots()["Snapshots"]
    assert (snapshot["OwnerId"], snapshot["VolumeSize"]) == ("136693071363", 8)


@pytest.mark.parametrize("no_reboot", [False, True])
def test_a_host_is_rebooted_for_its_image_unless_it_may_not_be(cloud, ec2, host, no_reboot):
    ec2.create_image(InstanceId=host, Name="image", NoReboot=no_reboot)
    assert len(cloud.engine.started) == (1 if no_reboot else 2)
    assert describe(ec2, host)["State"]["Name"] == "running"


def test_nothing_is_left_of_an_image_whose_host_does_not_start_again(cloud, ec2, host, monkeypatch):
    def fail(_container):
        raise EngineError("no room")

    monkeypatch.setattr(cloud.engine, "run", fail)
    with pytest.raises(ClientError, match=r"could not be made: .*no room"):
        ec2.create_image(InstanceId=host, Name="image")
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def test_an_image_brings_the_volumes_along(cloud, ec2, launch, host):
    image = image_of(ec2, ec2.create_image(InstanceId=host, Name="image")["ImageId"])
    by_device = {each["DeviceName"]: each["Ebs"] for each in image["BlockDeviceMappings"]}
    assert {name: ebs["VolumeSize"] for name, ebs in by_device.items()} == {
        "/dev/xvda": 10,
        "/dev/sdf": 3,
    }
    snapshots = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert by_device["/dev/sdf"]["SnapshotId"] in {each["SnapshotId"] for each in snapshots}
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
        ec2.delete_snapshot(SnapshotId=by_device["/dev/sdf"]["SnapshotId"])
    copy = launch(ImageId=image["ImageId"])
    assert len(describe(ec2, copy["InstanceId"])["BlockDeviceMappings"]) == 2
    bare = launch(
        ImageId=image["ImageId"], BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "NoDevice": ""}]
    )
    assert len(describe(ec2, bare["InstanceId"])["BlockDeviceMappings"]) == 1


def test_an_image_is_made_with_the_mappings_asked_for(ec2, host):
    made = ec2.create_image(
        InstanceId=host,
        Name="image",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "NoDevice": ""},
            {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 7}},
        ],
    )["ImageId"]
    found = image_of(ec2, made)["BlockDeviceMappings"]
    assert [(each["DeviceName"], each["Ebs"]["VolumeSize"]) for each in found] == [
        ("/dev/xvda", 10),
        ("/dev/sdg", 7),
    ]


def test_an_image_is_copied_with_what_it_holds(ec2, launch, host):
    image = ec2.create_image(InstanceId=host, Name="image")["ImageId"]
    copy = ec2.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name="copy")["ImageId"]
    ec2.deregister_image(ImageId=image)
    instance = launch(ImageId=copy)
    assert len(describe(ec2, instance["InstanceId"])["BlockDeviceMappings"]) == 2


def test_an_image_of_a_foreign_disk_is_refused(cloud, ec2, host):
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    with pytest.raises(ClientError, match="snapshot of a root volume"):
        ec2.register_image(
            Name="foreign",
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
        )


def test_a_snapshot_keeps_its_size_when_the_volume_grows(cloud, ec2):
    cloud.storage.snapshot = lambda *_, **__: None
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=2)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.modify_volume(VolumeId=volume, Size=5)
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["VolumeSize"] == 2
    copy = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot)
    assert copy["Size"] == 2


def test_a_copy_of_a_snapshot_holds_what_it_held(cloud, ec2):
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    cloud.storage.snapshots.mkdir(parents=True, exist_ok=True)
    cloud.storage.snapshot = lambda _, name, **__: (
        cloud.storage.snapshots / f"{name}.img"
    ).write_text("data")
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    copy = ec2.copy_snapshot(SourceSnapshotId=snapshot, SourceRegion="us-east-1")["SnapshotId"]
    assert (cloud.storage.snapshots / f"{copy}.img").read_text() == "data"


def test_a_layer_that_nobody_needs_is_deleted_by_one_at_a_time(cloud, monkeypatch):
    images = cloud.service(Images)
    (images.directory / "ami-old").mkdir(parents=True)
    remove = shutil.rmtree

    def slowly(path):
        time.sleep(0.2)
        remove(path)

    monkeypatch.setattr("localcloud.services.images.shutil.rmtree", slowly)
    with ThreadPoolExecutor(2) as beside:
        for done in [beside.submit(images.reconcile) for _ in range(2)]:
            done.result()
    assert list(images.directory.iterdir()) == []
