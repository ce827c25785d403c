"""moto answers as AWS does where modules need it."""

import pytest
from unit.localcloud.conftest import client


@pytest.fixture
def template(ec2, site, cloud):
    iam = cloud.backend("iam", "aws")
    iam.create_role("web", "{}", "/", None, None, [], 3600)
    iam.create_instance_profile("web", "/", []).roles = [iam.get_role("web")]
    return ec2.create_launch_template(
        LaunchTemplateName="web",
        LaunchTemplateData={
            "ImageId": site["image"],
            "InstanceType": "t3.micro",
            "SecurityGroupIds": [site["group"]],
            "IamInstanceProfile": {"Name": "web"},
        },
    )["LaunchTemplate"]["LaunchTemplateId"]


def test_several_instances_all_have_the_profile(cloud, ec2, template, launch):
    launch(MinCount=2, MaxCount=2, IamInstanceProfile={"Name": "web"})
    assert len(cloud.backend("ec2").iam_instance_profile_associations) == 2


def test_a_table_has_the_same_id_each_time(cloud):
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ids = {dynamodb.describe_table(TableName="t")["Table"]["TableId"] for _ in range(2)}
    assert len(ids) == 1


def test_a_key_is_deleted_by_its_arn(cloud):
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.schedule_key_deletion(KeyId=key["Arn"], PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_nat_gateways_have_tags(cloud, ec2, site):
    elastic = ec2.allocate_address(Domain="vpc")
    gateway = ec2.create_nat_gateway(
        SubnetId=site["subnet"],
        AllocationId=elastic["AllocationId"],
        TagSpecifications=[
            {"ResourceType": "natgateway", "Tags": [{"Key": "Name", "Value": "nat"}]}
        ],
    )["NatGateway"]["NatGatewayId"]
    found = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [gateway]}])["Tags"]
    assert [each["ResourceType"] for each in found] == ["natgateway"]


def test_max_count_instances_are_started(cloud, launch):
    launch(MinCount=1, MaxCount=3)
    assert len(cloud.engine.containers()) == 3


def test_a_vpc_has_the_regions_dhcp_options(ec2, site):
    (vpc,) = ec2.describe_vpcs(VpcIds=[site["vpc"]])["Vpcs"]
    (found,) = ec2.describe_dhcp_options(DhcpOptionsIds=[vpc["DhcpOptionsId"]])["DhcpOptions"]
    options = {each["Key"]: each["Values"] for each in found["DhcpConfigurations"]}
    assert options["domain-name-servers"] == [{"Value": "AmazonProvidedDNS"}]
    others = {each["DhcpOptionsId"] for each in ec2.describe_vpcs()["Vpcs"]}
    assert others == {vpc["DhcpOptionsId"]}


def test_a_users_dhcp_options_outlive_the_vpc(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.org"]}]
    )["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=made, VpcId=vpc)
    ec2.delete_vpc(VpcId=vpc)
    ec2.delete_dhcp_options(DhcpOptionsId=made)


def test_a_route_table_names_its_virtual_gateways(ec2, site):
    made = ec2.create_route_table(VpcId=site["vpc"])["RouteTable"]
    assert made["PropagatingVgws"] == []
    found = ec2.describe_route_tables(RouteTableIds=[made["RouteTableId"]])["RouteTables"]
    assert found[0]["PropagatingVgws"] == []


def test_a_public_instance_has_a_public_name(ec2, launch):
    assert launch()["PublicDnsName"].startswith("ec2-127-")


def test_a_role_keeps_what_is_not_updated(cloud):
    iam = client("iam")
    iam.create_role(
        RoleName="web", AssumeRolePolicyDocument="{}", MaxSessionDuration=7200, Description="old"
    )
    iam.update_role(RoleName="web", Description="new")
    role = iam.get_role(RoleName="web")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (7200, "new")
    iam.update_role(RoleName="web", MaxSessionDuration=3600)
    assert iam.get_role(RoleName="web")["Role"]["Description"] == "new"


def test_profiles_and_groups_are_listed_by_path(cloud):
    iam = client("iam")
    for path in ("/a/", "/b/"):
        iam.create_instance_profile(InstanceProfileName=path.strip("/"), Path=path)
        iam.create_group(GroupName=path.strip("/"), Path=path)
    found = iam.list_instance_profiles(PathPrefix="/a/")["InstanceProfiles"]
    assert [each["InstanceProfileName"] for each in found] == ["a"]
    assert [each["GroupName"] for each in iam.list_groups(PathPrefix="/b/")["Groups"]] == ["b"]
