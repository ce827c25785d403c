"""RunInstances does what the request, its launch template and its image say."""

import base64
import ipaddress
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client, describe

from localcloud.services.autoscaling.groups import AutoScaling


def volumes(cloud, ec2, instance):
    found = describe(ec2, instance["InstanceId"])["BlockDeviceMappings"]
    return {
        each["DeviceName"]: cloud.backend("ec2").get_volume(each["Ebs"]["VolumeId"])
        for each in found
    }


# subnets


@pytest.mark.parametrize(
    ("asked", "zone"),
    [
        ({}, "us-east-1a"),
        ({"Placement": {"AvailabilityZone": "us-east-1b"}}, "us-east-1b"),
        ({"NetworkInterfaces": [{"DeviceIndex": 0, "DeleteOnTermination": True}]}, "us-east-1a"),
    ],
)
def test_without_a_subnet_it_is_the_default_one(ec2, site, asked, zone):
    made = ec2.run_instances(
        ImageId=site["image"], InstanceType="t3.micro", MinCount=1, MaxCount=1, **asked
    )["Instances"][0]
    [subnet] = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"]
    assert (subnet["DefaultForAz"], subnet["AvailabilityZone"]) == (True, zone)
    network = ipaddress.ip_network(subnet["CidrBlock"])
    assert ipaddress.ip_address(made["PrivateIpAddress"]) in network


# block devices


def test_a_device_without_a_volume_is_left_out(cloud, ec2, launch):
    instance = launch(
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdb", "NoDevice": ""},
            {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3, "Throughput": 200,
                                               "VolumeType": "gp3"}},
        ]
    )  # fmt: skip
    found = volumes(cloud, ec2, instance)
    assert sorted(found) == ["/dev/sdf", "/dev/xvda"]
    assert found["/dev/sdf"].throughput == 200


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"DeviceName": "/dev/sdf", "Ebs": {"VolumeType": "gp3"}}, "size or snapshotId"),
        ({"DeviceName": "/dev/sdf"}, "size or snapshotId"),
        ({"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-12345678"}},
         "InvalidSnapshot.NotFound"),
        ({"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}, "InvalidBlockDeviceMapping"),
        ({"DeviceName": "/dev/xvda", "NoDevice": ""}, "InvalidBlockDeviceMapping"),
    ],
)  # fmt: skip
def test_a_device_that_cannot_be_is_refused(cloud, launch, mapping, message):
    with pytest.raises(ClientError, match=message):
        launch(BlockDeviceMappings=[mapping])
    assert cloud.storage.sizes == {}


def test_an_image_of_another_architecture_is_refused(launch):
    with pytest.raises(ClientError, match="matching architectures"):
        launch(InstanceType="t4g.micro")


def test_an_unknown_profile_is_refused(cloud, launch):
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*Instance Profile"):
        launch(IamInstanceProfile={"Name": "nobody"})
    assert cloud.backend("ec2").reservations == {}


# tokens


def test_one_token_makes_one_instance(cloud, ec2, launch):
    first = launch(ClientToken="t", InstanceType="t3.micro")
    again = launch(ClientToken="t", InstanceType="t3.micro")
    assert again["InstanceId"] == first["InstanceId"]
    assert len(cloud.engine.started) == 1
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        launch(ClientToken="t", InstanceType="t3.small")
    assert launch(ClientToken="other")["InstanceId"] != first["InstanceId"]


def test_a_token_is_known_after_a_restart(cloud, make_cloud, launch):
    first = launch(ClientToken="t")
    cloud.settle()
    make_cloud(cloud.engine, cloud.network, cloud.storage)
    assert launch(ClientToken="t")["InstanceId"] == first["InstanceId"]


def test_a_token_used_twice_at_once_makes_one_instance(cloud, ec2, launch):
    run = cloud.engine.run
    cloud.engine.run = lambda container: (time.sleep(0.2), run(container))
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: launch(ClientToken="t")["InstanceId"], range(3)))
    assert len(set(made)) == 1


# launch templates


@pytest.fixture
def template(ec2, site):
    """A template whose version 2 says everything, and whose version 1 says nothing."""
    iam = client("iam")
    iam.create_role(RoleName="web", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    ec2.create_key_pair(KeyName="operator")
    ec2.create_launch_template(
        LaunchTemplateName="web",
        LaunchTemplateData={"ImageId": site["image"]},
        TagSpecifications=[
            {"ResourceType": "launch-template", "Tags": [{"Key": "Name", "Value": "template"}]}
        ],
    )
    ec2.create_launch_template_version(
        LaunchTemplateName="web",
        SourceVersion="1",
        LaunchTemplateData={
            "InstanceType": "t3.small",
            "KeyName": "operator",
            "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
            "IamInstanceProfile": {"Name": "web"},
            "MetadataOptions": {"HttpTokens": "required"},
            "Monitoring": {"Enabled": True},
            "DisableApiTermination": True,
            "InstanceInitiatedShutdownBehavior": "terminate",
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "Throughput": 150}}
            ],
            "NetworkInterfaces": [
                {"DeviceIndex": 0, "SubnetId": site["subnet"], "Groups": [site["group"]],
                 "AssociatePublicIpAddress": False}
            ],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
                {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "root"}]},
            ],
        },
    )  # fmt: skip
    return {"LaunchTemplateName": "web"}


@pytest.fixture
def start(ec2):
    def run(**options):
        made = ec2.run_instances(MinCount=1, MaxCount=1, **options)["Instances"][0]
        return describe(ec2, made["InstanceId"])

    return run


@pytest.mark.parametrize("version", ["2", "$Latest", "$Default"])
def test_an_instance_gets_all_of_its_version(cloud, ec2, site, template, start, version):
    if version == "$Default":
        ec2.modify_launch_template(LaunchTemplateName="web", DefaultVersion="2")
    found = start(LaunchTemplate={**template, "Version": version})
    root = volumes(cloud, ec2, found)["/dev/xvda"]
    assert found["InstanceType"] == "t3.small"
    assert found["KeyName"] == "operator"
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["Monitoring"]["State"] == "enabled"
    assert found["IamInstanceProfile"]["Arn"].endswith("/web")
    assert found["SubnetId"] == site["subnet"]
    assert [each["GroupId"] for each in found["SecurityGroups"]] == [site["group"]]
    assert "PublicIpAddress" not in found
    assert {"Key": "Name", "Value": "web"} in found["Tags"]
    assert (root.size, root.throughput) == (20, 150)
    assert [(each["key"], each["value"]) for each in root.get_tags()] == [("Name", "root")]
    instance = cloud.backend("ec2").get_instance(found["InstanceId"])
    assert instance.instance_initiated_shutdown_behavior == "terminate"
    assert base64.b64decode(str(instance.user_data)) == b"#!/bin/sh\n"
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[found["InstanceId"]])


def test_the_request_goes_before_the_template(cloud, ec2, template, start):
    found = start(
        LaunchTemplate={**template, "Version": "2"},
        InstanceType="t3.medium",
        MetadataOptions={"HttpTokens": "optional"},
        DisableApiTermination=False,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "mine"}]}
        ],
    )
    assert found["InstanceType"] == "t3.medium"
    assert found["MetadataOptions"]["HttpTokens"] == "optional"
    assert {"Key": "Name", "Value": "mine"} in found["Tags"]
    ec2.terminate_instances(InstanceIds=[found["InstanceId"]])


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"LaunchTemplateId": "lt-0123456789abcdef0"}, "InvalidLaunchTemplateId"),
        ({"LaunchTemplateName": "none"}, "InvalidLaunchTemplateName"),
        ({"LaunchTemplateName": "web", "Version": "7"}, "InvalidLaunchTemplateId.VersionNotFound"),
        ({"LaunchTemplateName": "web", "Version": "0"}, "InvalidLaunchTemplateId.VersionNotFound"),
    ],
)
@pytest.mark.usefixtures("template")
def test_an_unknown_template_or_version_is_refused(start, named, code):
    with pytest.raises(ClientError, match=code):
        start(LaunchTemplate=named)


@pytest.mark.usefixtures("template")
def test_a_templates_tags_are_its_own(ec2):
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["1"])
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert list(data) == ["ImageId"]
    (found,) = ec2.describe_launch_templates()["LaunchTemplates"]
    assert found["Tags"] == [{"Key": "Name", "Value": "template"}]


@pytest.mark.usefixtures("template")
def test_versions_are_deleted_and_numbers_never_used_again(ec2):
    def versions():
        found = ec2.describe_launch_template_versions(LaunchTemplateName="web")
        return [each["VersionNumber"] for each in found["LaunchTemplateVersions"]]

    answer = ec2.delete_launch_template_versions(LaunchTemplateName="web", Versions=["1", "2", "9"])
    deleted = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    assert [each["VersionNumber"] for each in deleted] == [2]
    assert len(answer["UnsuccessfullyDeletedLaunchTemplateVersions"]) == 2
    assert versions() == [1]
    ec2.create_launch_template_version(LaunchTemplateName="web", LaunchTemplateData={})
    assert versions() == [1, 3]


def test_a_group_launches_its_version(cloud, ec2, site, template):
    ec2.create_launch_template_version(
        LaunchTemplateName="web",
        SourceVersion="2",
        LaunchTemplateData={
            "DisableApiTermination": False,
            "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [site["group"]]}],
        },
    )
    client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=1,
        LaunchTemplate={**template, "Version": "3"},
        VPCZoneIdentifier=site["subnet"],
    )
    cloud.service(AutoScaling).engine.hosts.run = lambda job: job()
    cloud.reconcile()
    (found,) = ec2.describe_instances()["Reservations"][0]["Instances"]
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["SubnetId"] == site["subnet"]
    assert volumes(cloud, ec2, found)["/dev/xvda"].size == 20


def test_the_data_of_an_instance_starts_one_like_it(ec2, site, launch):
    like = launch(MetadataOptions={"HttpTokens": "required"})
    data = ec2.get_launch_template_data(InstanceId=like["InstanceId"])["LaunchTemplateData"]
    assert [each["DeviceName"] for each in data["BlockDeviceMappings"]] == ["/dev/xvda"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["NetworkInterfaces"][0]["Groups"] == [site["group"]]
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True


def test_a_disabled_image_starts_nothing(ec2, site, launch):
    ec2.disable_image(ImageId=site["image"])
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        launch()
