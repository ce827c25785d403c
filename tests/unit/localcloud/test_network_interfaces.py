"""Network interfaces: what is in use is plugged, and an address is given once."""

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import describe

from localcloud.services.network import Interfaces


@pytest.fixture
def create(ec2, site):
    def make(**options):
        options = {"SubnetId": site["subnet"], "Groups": [site["group"]], **options}
        return ec2.create_network_interface(**options)["NetworkInterface"]

    return make


def attach(ec2, interface, instance, index=1):
    return ec2.attach_network_interface(
        NetworkInterfaceId=interface["NetworkInterfaceId"],
        InstanceId=instance["InstanceId"],
        DeviceIndex=index,
    )["AttachmentId"]


def test_a_second_interface_is_plugged_and_unplugged(cloud, ec2, launch, create):
    instance, second = launch(), create()
    interface = second["NetworkInterfaceId"]
    attachment = attach(ec2, second, instance)
    assert cloud.network.plugged[interface] == second["PrivateIpAddress"]
    seen = {each.address for each in cloud.service(Interfaces).interfaces()}
    assert second["PrivateIpAddress"] in seen
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    cloud.network.plugged.clear()
    ec2.start_instances(InstanceIds=[instance["InstanceId"]])
    assert interface in cloud.network.plugged
    ec2.detach_network_interface(AttachmentId=attachment)
    assert interface not in cloud.network.plugged
    ec2.delete_network_interface(NetworkInterfaceId=interface)


def test_an_interface_that_cannot_be_attached_is_refused(ec2, site, launch, create):
    elsewhere = ec2.create_subnet(
        VpcId=site["vpc"], CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b"
    )["Subnet"]["SubnetId"]  # fmt: skip
    instance = launch()
    first = instance["NetworkInterfaces"][0]
    with pytest.raises(ClientError, match="already has an interface"):
        attach(ec2, create(), instance, 0)
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
        attach(ec2, first, instance)
    with pytest.raises(ClientError, match="same availability zone"):
        attach(ec2, create(SubnetId=elsewhere), instance)
    attach(ec2, create(), instance)
    with pytest.raises(ClientError, match="AttachmentLimitExceeded"):
        attach(ec2, create(), instance, 2)  # a t3.micro has two
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.detach_network_interface(AttachmentId=first["Attachment"]["AttachmentId"])


def test_instances_start_with_several_interfaces(cloud, ec2, site, launch, create):
    kept = create()
    launch_options = {
        "NetworkInterfaces": [
            {"DeviceIndex": 0, "SubnetId": site["subnet"], "Groups": [site["group"]]},
            {"DeviceIndex": 1, "NetworkInterfaceId": kept["NetworkInterfaceId"]},
        ],
        "InstanceType": "t3.micro",
    }
    image = site["image"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, **launch_options)["Instances"]
    instance = describe(ec2, made[0]["InstanceId"])
    assert len(instance["NetworkInterfaces"]) == len(cloud.network.plugged) == 2
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, **launch_options)
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    (left,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert (left["NetworkInterfaceId"], left["Status"]) == (kept["NetworkInterfaceId"], "available")


def test_an_address_is_given_once(cloud, make_cloud, ec2, site, launch, create):
    given = [create()["PrivateIpAddress"], launch()["PrivateIpAddress"]]
    cloud.settle()
    make_cloud(cloud.engine, cloud.network, cloud.storage)  # which knows it after a restart too
    given += [create()["PrivateIpAddress"], launch()["PrivateIpAddress"]]
    assert given == ["10.9.1.4", "10.9.1.5", "10.9.1.6", "10.9.1.7"]
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        create(PrivateIpAddress="10.9.1.5")
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        launch(PrivateIpAddress="10.9.1.4")
    with pytest.raises(ClientError, match="reserved address range"):
        create(PrivateIpAddress="10.9.1.1")
    with pytest.raises(ClientError, match="does not fall within"):
        launch(PrivateIpAddress="10.9.2.9")


def test_a_full_subnet_says_so(ec2, site, create):
    small = ec2.create_subnet(VpcId=site["vpc"], CidrBlock="10.9.3.0/28")["Subnet"]["SubnetId"]
    for _ in range(11):
        create(SubnetId=small)
    with pytest.raises(ClientError, match="InsufficientFreeAddressesInSubnet"):
        create(SubnetId=small)


def test_what_a_host_would_not_have_is_refused(ec2, launch, create):
    interface = create()["NetworkInterfaceId"]
    for call in (
        lambda: create(SecondaryPrivateIpAddressCount=1),
        lambda: ec2.assign_private_ip_addresses(
            NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=1
        ),
        lambda: ec2.assign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6AddressCount=1),
        lambda: ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface, SourceDestCheck={"Value": False}
        ),
    ):
        with pytest.raises(ClientError, match="UnsupportedOperation"):
            call()


def test_an_interface_ends_with_its_instance_or_not_as_asked(ec2, launch):
    instance = launch()
    interface = instance["NetworkInterfaces"][0]
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface["NetworkInterfaceId"],
        Attachment={
            "AttachmentId": interface["Attachment"]["AttachmentId"],
            "DeleteOnTermination": False,
        },
    )
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 1
