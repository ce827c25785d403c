"""docs/aws-policy.json and aws-boundary.json, as IAM enforces them: no way to others' things."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

DOCS = Path(__file__).parents[3] / "docs"
TRUST = (DOCS.parent / "roles/web/files/assume-role-policy.json").read_text()
TAGS = [{"Key": "Project", "Value": "mustache"}]
ROLE = "mustache-test-web-us-east-1"
BOUNDARY = "arn:aws:iam::123456789012:policy/mustache-boundary"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def tagged(kind):
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": TAGS}]}


def refused(call, **options):
    with pytest.raises(ClientError) as caught:
        call(**options)
    assert caught.value.response["Error"]["Code"] in ("UnauthorizedOperation", "AccessDenied")


@pytest.fixture
def operator(api):
    """``operator("ec2")`` is a client of somebody with the policy; the account has the boundary."""
    root = api.client("iam")
    for name, file in (("mustache", "policy"), ("mustache-boundary", "boundary")):
        document = (DOCS / f"aws-{file}.json").read_text()
        root.create_policy(PolicyName=name, PolicyDocument=document)
    root.create_user(UserName="operator")
    policy = BOUNDARY.replace("-boundary", "")
    root.attach_user_policy(UserName="operator", PolicyArn=policy)
    key = root.create_access_key(UserName="operator")["AccessKey"]
    return lambda service: api.client(service, key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture
def role(operator):
    operator("iam").create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=BOUNDARY, Tags=TAGS
    )
    return ROLE


def test_a_network_of_ones_own_comes_and_goes(operator):
    ec2 = operator("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16", **tagged("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/24", **tagged("subnet"))
    subnet = subnet["Subnet"]["SubnetId"]
    # The collection's modules tag these two once they are there.
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_tags(Resources=[gateway], Tags=TAGS)
    ec2.create_tags(Resources=[table], Tags=TAGS)
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    used = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    group = ec2.create_security_group(
        GroupName="web", Description="web", VpcId=vpc, **tagged("security-group")
    )["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
            "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}  # fmt: skip
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])

    ec2.delete_security_group(GroupId=group)
    ec2.disassociate_route_table(AssociationId=used)
    ec2.delete_route_table(RouteTableId=table)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_what_is_others_stays_theirs(api, operator):
    ec2 = operator("ec2")
    vpc = api.client("ec2").create_vpc(CidrBlock="10.79.0.0/16")["Vpc"]["VpcId"]

    refused(ec2.delete_vpc, VpcId=vpc)
    refused(ec2.create_tags, Resources=[vpc], Tags=TAGS)
    refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.79.0.0/24", **tagged("subnet"))
    refused(ec2.create_security_group, GroupName="web", Description="web", VpcId=vpc,
            **tagged("security-group"))  # fmt: skip
    refused(ec2.create_vpc, CidrBlock="10.78.0.0/16")  # without the tag nobody could remove it
    refused(
        operator("elbv2").create_target_group, Name="theirs", Protocol="HTTP", Port=80, VpcId=vpc
    )
    refused(operator("s3").create_bucket, Bucket="theirs")


def test_a_role_comes_within_the_boundary_only(operator):
    iam = operator("iam")

    refused(iam.create_role, RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    refused(iam.create_role, RoleName=ROLE, AssumeRolePolicyDocument=TRUST,
            PermissionsBoundary=ADMINISTRATOR)  # fmt: skip
    refused(iam.create_role, RoleName="another", AssumeRolePolicyDocument=TRUST,
            PermissionsBoundary=BOUNDARY)  # fmt: skip


def test_nobody_gets_out_of_the_boundary(operator, role):
    iam = operator("iam")

    refused(iam.delete_role_permissions_boundary, RoleName=role)
    refused(iam.put_role_permissions_boundary, RoleName=role, PermissionsBoundary=ADMINISTRATOR)
    refused(iam.attach_role_policy, RoleName=role, PolicyArn=ADMINISTRATOR)
    refused(iam.create_policy_version, PolicyArn=BOUNDARY, PolicyDocument="{}", SetAsDefault=True)
    refused(iam.put_user_policy, UserName="operator", PolicyName="more", PolicyDocument="{}")


def test_whatever_its_role_is_given_a_host_reads_settings_and_puts_dumps(
    api, cloud, operator, role
):
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    operator("iam").put_role_policy(RoleName=role, PolicyName="host", PolicyDocument=document)
    arn = operator("iam").get_role(RoleName=role)["Role"]["Arn"]
    made = cloud.backend("sts", "aws").assume_role("us-east-1", "i-1", arn, "", 3600, "")

    def host(service):
        return api.client(service, made.access_key_id, made.secret_access_key, made.session_token)

    bucket = "mustache-test-backups-us-east-1-123456789012"
    api.client("s3").create_bucket(Bucket=bucket)
    host("s3").put_object(Bucket=bucket, Key="dumps/1.dump", Body=b"1")
    host("ssm").get_parameters_by_path(Path="/mustache/test/web")
    refused(host("s3").list_objects_v2, Bucket=bucket)
    refused(host("s3").delete_object, Bucket=bucket, Key="dumps/1.dump")
    refused(host("ec2").describe_instances)
    refused(host("iam").list_roles)
