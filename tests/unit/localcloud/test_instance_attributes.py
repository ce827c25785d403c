"""What of an instance is changed, and what stays."""

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import describe

from localcloud.services.network import Interfaces


@pytest.fixture
def other(ec2, site):
    made = ec2.create_security_group(GroupName="app", Description="app", VpcId=site["vpc"])
    ec2.authorize_security_group_ingress(
        GroupId=site["group"], IpPermissions=[{"IpProtocol": "-1",
                                               "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )  # fmt: skip
    return made["GroupId"]


def of_instance(ec2, instance, groups):
    ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], Groups=groups)


def of_interface(ec2, instance, groups):
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=groups)


@pytest.mark.parametrize("modify", [of_instance, of_interface])
def test_other_groups_are_instead_of_the_first_ones(cloud, ec2, other, launch, modify):
    instance = launch()
    (before,) = cloud.service(Interfaces).interfaces()
    assert before.ingress
    modify(ec2, instance, [other])
    (after,) = cloud.service(Interfaces).interfaces()
    assert after.ingress == ()
    found = describe(ec2, instance["InstanceId"])
    assert [each["GroupId"] for each in found["SecurityGroups"]] == [other]
    assert [each["GroupId"] for each in found["NetworkInterfaces"][0]["Groups"]] == [other]
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        modify(ec2, instance, ["sg-12345678"])


def test_the_shutdown_behaviour_is_changed_and_nothing_else(cloud, ec2, site, launch):
    instance = launch()["InstanceId"]
    ec2.modify_instance_attribute(
        InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"}
    )
    found = ec2.describe_instance_attribute(
        InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert found["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    with pytest.raises(ClientError, match="No attributes specified"):
        ec2.modify_instance_attribute(InstanceId=instance, EnaSupport={"Value": True})
    groups = describe(ec2, instance)["SecurityGroups"]
    assert [each["GroupId"] for each in groups] == [site["group"]]


def test_metadata_options_not_named_stay(ec2, launch):
    instance = launch(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2})
    ec2.modify_instance_metadata_options(
        InstanceId=instance["InstanceId"], InstanceMetadataTags="enabled"
    )
    options = describe(ec2, instance["InstanceId"])["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    assert options["HttpPutResponseHopLimit"] == 2
    assert options["InstanceMetadataTags"] == "enabled"
