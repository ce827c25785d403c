"""Lists: filters and pages."""

import contextlib

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model
from unit.localcloud.conftest import client

from localcloud.services.lists import documented, pagination

NOTHING = ["none-such"]


def found(ec2, name, *wanted):
    reservations = ec2.describe_instances(Filters=[{"Name": name, "Values": list(wanted)}])
    return [i["InstanceId"] for each in reservations["Reservations"] for i in each["Instances"]]


# filters


@pytest.fixture
def everything(cloud, ec2, site, launch):
    """One of many kinds of resources."""
    launch()
    vpc = {"VpcId": site["vpc"]}
    elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(SubnetId=site["subnet"], AllocationId=elastic)
    ec2.create_egress_only_internet_gateway(**vpc)
    ec2.create_vpc_endpoint(**vpc, ServiceName="com.amazonaws.us-east-1.s3")
    ec2.create_key_pair(KeyName="operator")
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={})
    ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.org"]}])
    ec2.create_vpn_gateway(Type="ipsec.1")
    cloud.storage.snapshot = lambda *_, **__: None
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    ec2.create_snapshot(VolumeId=volume)
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "Name", "Value": "data"}])


def test_filters_that_the_collection_uses_and_nobody_documents(ec2, site):
    """By amazon.aws.ec2_vpc_net and ec2_eip, in every account."""
    cidr = ec2.describe_vpcs(VpcIds=[site["vpc"]])["Vpcs"][0]["CidrBlock"]
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "cidr-block", "Values": [cidr]}])["Vpcs"]
    assert [each["VpcId"] for each in vpcs] == [site["vpc"]]
    address = ec2.allocate_address(Domain="vpc")["PublicIp"]
    found = ec2.describe_addresses(Filters=[{"Name": "domain", "Values": ["vpc"]}])["Addresses"]
    assert [each["PublicIp"] for each in found] == [address]
    none = ec2.describe_addresses(Filters=[{"Name": "domain", "Values": ["standard"]}])
    assert none["Addresses"] == []


@pytest.mark.usefixtures("everything")
def test_every_documented_filter_of_what_there_is_filters(ec2):
    """One that matches nothing leaves nothing; none is passed over, none ends in an error."""
    tried = {}
    for action in get_service_model("ec2").operation_names:
        call, paging = getattr(ec2, xform_name(action)), pagination("ec2", action)
        whole = {}
        if documented(action) and paging:
            # what moto has not at all is refused elsewhere
            with contextlib.suppress(NotImplementedError, ClientError, Exception):
                whole = call()
        if not whole.get((paging or {}).get("result_key")):
            continue
        # of the nine hundred types of instances, a few will do
        for name in sorted(documented(action))[: 3 if action == "DescribeInstanceTypes" else None]:
            # an id that cannot be one is refused
            with contextlib.suppress(ec2.exceptions.ClientError):
                answer = call(Filters=[{"Name": name, "Values": NOTHING}])
                assert answer.get(paging["result_key"], []) == [], (action, name)
        tried[action] = len(documented(action))
    assert len(tried) > 20, sorted(tried)
    assert tried["DescribeInstances"] > 100


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("tenancy", "default"),
        ("reservation-id", "r-*"),
        ("iam-instance-profile.arn", "*instance-profile/web"),
        ("availability-zone", "us-east-1a"),
        ("block-device-mapping.device-name", "/dev/xvda"),
        ("block-device-mapping.volume-id", "vol-*"),
        ("hypervisor", "xen"),
        ("instance-state-code", "16"),
        ("instance.group-name", "web"),
        ("launch-index", "0"),
        ("launch-time", "20*T*"),
        ("metadata-options.http-tokens", "required"),
        ("monitoring-state", "disabled"),
        ("network-interface.addresses.private-ip-address", "10.9.1.?"),
        ("network-interface.attachment.device-index", "0"),
        ("network-interface.group-id", "sg-*"),
        ("network-interface.subnet-id", "subnet-*"),
        ("owner-id", "123456789012"),
        ("private-dns-name", "ip-10-9-1-*"),
        ("root-device-name", "/dev/xvda"),
        ("tag:Name", "we?"),
        ("tag-key", "Name"),
    ],
)
def test_a_filter_of_instances_finds_what_it_describes(ec2, site, launch, name, pattern):
    iam = client("iam")
    iam.create_instance_profile(InstanceProfileName="web")
    web = launch(
        IamInstanceProfile={"Name": "web"},
        MetadataOptions={"HttpTokens": "required"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    )["InstanceId"]
    assert found(ec2, name, pattern) == [web]
    assert found(ec2, name, "none-such", pattern) == [web]


def test_a_filter_that_ec2_does_not_know_is_refused(ec2):
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*The filter 'colour' is invalid"):
        found(ec2, "colour", "red")


def test_a_subnet_is_found_by_its_ipv6_block(ec2, site):
    block = "2400:6500:a:b00::/64"
    made = ec2.create_subnet(VpcId=site["vpc"], CidrBlock="10.9.7.0/24", Ipv6CidrBlock=block)
    name = "ipv6-cidr-block-association.ipv6-cidr-block"
    subnets = ec2.describe_subnets(Filters=[{"Name": name, "Values": [block]}])["Subnets"]
    assert [each["SubnetId"] for each in subnets] == [made["Subnet"]["SubnetId"]]


def test_the_table_of_a_subnet_is_found_by_it(ec2, site):
    table = ec2.create_route_table(VpcId=site["vpc"])["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=site["subnet"])
    filters = [{"Name": "association.subnet-id", "Values": [site["subnet"]]}]
    tables = ec2.describe_route_tables(Filters=filters)["RouteTables"]

    assert [each["RouteTableId"] for each in tables] == [table]


def test_several_values_are_alternatives(ec2, site, launch):
    """Of an interface with one group, when two are asked for."""
    launch()
    other = ec2.create_security_group(GroupName="app", Description="app", VpcId=site["vpc"])
    for groups in ([site["group"], other["GroupId"], "sg-1"], [other["GroupId"], site["group"]]):
        filters = [{"Name": "group-id", "Values": groups}]
        assert len(ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]) == 1


# pages


def pages(call, key, **options):
    return [page[key] for page in call.paginate(**options)]


def test_lists_of_ec2_come_in_pages(ec2, site):
    for number in range(12):
        ec2.create_security_group(GroupName=f"g{number}", Description="g", VpcId=site["vpc"])
    of_vpc = {"Filters": [{"Name": "vpc-id", "Values": [site["vpc"]]}]}
    paged = pages(
        ec2.get_paginator("describe_security_groups"),
        "SecurityGroups",
        PaginationConfig={"PageSize": 5},
        **of_vpc,
    )
    assert [len(each) for each in paged] == [5, 5, 4]
    whole = ec2.describe_security_groups(**of_vpc)["SecurityGroups"]
    assert [g["GroupId"] for page in paged for g in page] == [g["GroupId"] for g in whole]
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_security_groups(MaxResults=1001)
    with pytest.raises(ClientError, match="InvalidNextToken"):
        ec2.describe_security_groups(NextToken="lc.?")


def test_filtered_lists_come_in_pages_too(ec2, launch):
    launch(MinCount=1, MaxCount=1)
    for _ in range(6):
        launch()
    paged = pages(
        ec2.get_paginator("describe_instances"),
        "Reservations",
        Filters=[{"Name": "tenancy", "Values": ["default"]}],
        PaginationConfig={"PageSize": 5},
    )
    assert sum(len(each) for each in paged) == 7
    assert len(paged[0]) == 5


@pytest.mark.parametrize(
    ("paginator", "options", "most"),
    [("describe_parameters", {}, 50), ("get_parameters_by_path", {"Path": "/x"}, 10)],
)
def test_parameters_come_in_pages(cloud, paginator, options, most):
    ssm = client("ssm")
    for number in range(60):
        ssm.put_parameter(Name=f"/x/{number}", Value="v", Type="String")
    paged = pages(ssm.get_paginator(paginator), "Parameters", **options)
    assert max(len(each) for each in paged) == most
    assert len({each["Name"] for names in paged for each in names}) == 60
    call = getattr(ssm, paginator)
    assert len(call(**options, MaxResults=most)["Parameters"]) == most
    with pytest.raises(ClientError, match="ValidationException"):
        call(**options, MaxResults=most + 1)


@pytest.mark.parametrize(
    ("make", "options", "paginator", "key"),
    [
        ("create_role", {"RoleName": "n{}", "AssumeRolePolicyDocument": "{{}}"}, "list_roles",
         "Roles"),
        ("create_user", {"UserName": "n{}"}, "list_users", "Users"),
        ("create_group", {"GroupName": "n{}"}, "list_groups", "Groups"),
        ("create_instance_profile", {"InstanceProfileName": "n{}"}, "list_instance_profiles",
         "InstanceProfiles"),
    ],
)  # fmt: skip
def test_lists_of_iam_come_in_pages(cloud, make, options, paginator, key):
    iam = client("iam")
    for number in range(105):
        getattr(iam, make)(**{name: value.format(number) for name, value in options.items()})
    first = getattr(iam, paginator)()
    assert (len(first[key]), first["IsTruncated"]) == (100, True)
    paged = pages(iam.get_paginator(paginator), key)
    assert [len(each) for each in paged] == [100, 5]


def test_records_come_in_pages(cloud):
    route53 = client("route53")
    zone = route53.create_hosted_zone(Name="example.org", CallerReference="1")["HostedZone"]["Id"]
    records = [{"Value": "192.0.2.1"}]
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": f"{n}.example.org", "Type": "A", "TTL": 1, "ResourceRecords": records
            },
        }
        for n in range(310)
    ]  # fmt: skip
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    paged = pages(
        route53.get_paginator("list_resource_record_sets"), "ResourceRecordSets", HostedZoneId=zone
    )
    assert [len(each) for each in paged] == [300, 12]
