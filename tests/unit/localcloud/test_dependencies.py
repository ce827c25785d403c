"""EC2 keeps what something else stands on, and takes with a VPC what came with it."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def subnet(ec2, vpc):
    return ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]


def group(ec2, vpc):
    ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)


def gateway(ec2, vpc):
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc)


def subnetwork(ec2, vpc):
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")


def table(ec2, vpc):
    ec2.create_route_table(VpcId=vpc)


def acl(ec2, vpc):
    ec2.create_network_acl(VpcId=vpc)


def endpoint(ec2, vpc):
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")


def egress_only_gateway(ec2, vpc):
    ec2.create_egress_only_internet_gateway(VpcId=vpc)


@pytest.mark.parametrize(
    "made", [group, gateway, subnetwork, table, acl, endpoint, egress_only_gateway]
)
def test_a_vpc_with_something_in_it_stays_whole(cloud, ec2, vpc, made):
    made(ec2, vpc)
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    assert cloud.network.held() == {"10.8.0.0/16"}
    found = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    assert any(each.get("Main") for table in found["RouteTables"] for each in table["Associations"])


def test_a_vpc_takes_with_it_what_came_with_it(ec2, vpc):
    ec2.delete_vpc(VpcId=vpc)
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    assert ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"] == []
    assert ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"] == []
    assert ec2.describe_route_tables(Filters=of_vpc)["RouteTables"] == []


def test_an_unknown_vpc_is_not_deleted(ec2):
    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        ec2.delete_vpc(VpcId="vpc-12345678")


def test_a_subnet_with_a_host_stays(ec2, site, launch):
    instance = launch()
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_subnet(SubnetId=site["subnet"])
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_subnet(SubnetId=site["subnet"])
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    ec2.delete_subnet(SubnetId=site["subnet"])


def test_a_subnet_with_an_interface_stays(ec2, subnet):
    made = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    ec2.delete_subnet(SubnetId=subnet)
    acls = ec2.describe_network_acls()["NetworkAcls"]
    assert subnet not in {each["SubnetId"] for acl in acls for each in acl["Associations"]}


def test_a_gateway_stays_while_an_address_is_mapped(ec2, site, launch):
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    attached = {"InternetGatewayId": gateway, "VpcId": site["vpc"]}
    instance = launch()
    with pytest.raises(ClientError, match=r"DependencyViolation.*mapped public address"):
        ec2.detach_internet_gateway(**attached)
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    ec2.detach_internet_gateway(**attached)


def test_an_address_in_use_is_not_released(ec2, launch):
    instance = launch()["InstanceId"]
    elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=elastic, InstanceId=instance)
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        ec2.release_address(AllocationId=elastic)
    ec2.terminate_instances(InstanceIds=[instance])
    assert "AssociationId" not in ec2.describe_addresses()["Addresses"][0]
    ec2.release_address(AllocationId=elastic)


def test_an_interface_in_use_is_not_deleted(ec2, launch):
    interface = launch()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    with pytest.raises(ClientError, match="is currently in use"):
        ec2.delete_network_interface(NetworkInterfaceId=interface)


def test_a_nat_gateway_frees_its_address_and_subnet(ec2, site):
    elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=site["subnet"], AllocationId=elastic)["NatGateway"]
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_subnet(SubnetId=site["subnet"])
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        ec2.release_address(AllocationId=elastic)
    ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    ec2.release_address(AllocationId=elastic)
    ec2.delete_subnet(SubnetId=site["subnet"])


def test_what_cannot_be_shown_is_a_row_that_says_so(cloud, site):
    next(iter(cloud.backend("ec2").groups[site["vpc"]].values())).vpc_id = None
    zones = next(each for each in cloud.services if type(each).__name__ == "Route53")
    zones.rows = lambda: 1 / 0
    rows = cloud.rows()
    assert site["vpc"] in {each.id for each in rows}
    assert [each.health for each in rows if each.id == "Route53"] == [
        "unknown: ZeroDivisionError: division by zero"
    ]


def test_a_bad_interface_leaves_the_others_their_firewall(cloud, launch):
    good, bad = launch(), launch()
    backend = cloud.backend("ec2")
    backend.enis[bad["NetworkInterfaces"][0]["NetworkInterfaceId"]].subnet = None
    cloud.settle()
    elements = cloud.scripts[-1].split("set hosts")[1].split("}")[0]
    assert good["PrivateIpAddress"] in elements
    assert bad["PrivateIpAddress"] not in elements
