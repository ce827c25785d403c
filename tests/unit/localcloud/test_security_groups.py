"""Rules of security groups: rendered by the firewall, or refused as on AWS."""

import pytest
from botocore.exceptions import ClientError

from localcloud import registry
from localcloud.firewall import Rule
from localcloud.services.network import Interfaces

ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]


@pytest.fixture
def authorize(ec2, site):
    def allow(*permissions):
        return ec2.authorize_security_group_ingress(
            GroupId=site["group"], IpPermissions=list(permissions)
        )["SecurityGroupRules"]

    return allow


@pytest.fixture
def permissions(ec2, site):
    def found():
        groups = ec2.describe_security_groups(GroupIds=[site["group"]])["SecurityGroups"]
        return groups[0]["IpPermissions"]

    return found


@pytest.fixture
def rendered(cloud, launch):
    """The firewall's rules of a host in the group."""
    launch()
    return lambda: cloud.service(Interfaces).interfaces()[0].ingress


@pytest.mark.parametrize(
    ("permission", "rule"),
    [
        ({"IpProtocol": "47"}, Rule("47", None, ("0.0.0.0/0",))),
        ({"IpProtocol": "6", "FromPort": 80, "ToPort": 81}, Rule("tcp", (80, 81), ("0.0.0.0/0",))),
        ({"IpProtocol": "tcp", "FromPort": -1, "ToPort": -1},
         Rule("tcp", (0, 65535), ("0.0.0.0/0",))),
        ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1},
         Rule("icmp", (8, -1), ("0.0.0.0/0",))),
        ({"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1}, Rule("icmp", None, ("0.0.0.0/0",))),
        ({"IpProtocol": "icmp"}, Rule("icmp", None, ("0.0.0.0/0",))),
        ({"IpProtocol": "-1"}, Rule("-1", None, ("0.0.0.0/0",))),
        ({"IpProtocol": "50", "FromPort": 1, "ToPort": 2}, Rule("50", None, ("0.0.0.0/0",))),
    ],
)  # fmt: skip
def test_every_protocol_is_rendered(authorize, rendered, permission, rule):
    authorize({**permission, "IpRanges": ANYWHERE})
    assert rendered() == (rule,)


@pytest.mark.parametrize(
    ("permission", "message"),
    [
        ({"IpProtocol": "gre"}, "Unknown protocol"),
        ({"IpProtocol": "256"}, "Unknown protocol"),
        ({"IpProtocol": "tcp"}, "Must specify both from and to ports"),
        ({"IpProtocol": "udp", "FromPort": 5, "ToPort": 4}, "portRange"),
        ({"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65536}, "portRange"),
        ({"IpProtocol": "icmp", "FromPort": -1, "ToPort": 3}, "ICMP"),
    ],
)
def test_what_is_no_rule_is_refused(authorize, permission, message):
    with pytest.raises(ClientError, match=f"InvalidParameterValue.*{message}"):
        authorize({**permission, "IpRanges": ANYWHERE})


def test_permissions_come_all_or_none(authorize, permissions):
    good = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": ANYWHERE}
    with pytest.raises(ClientError):
        authorize(good, {"IpProtocol": "gre", "IpRanges": ANYWHERE})
    assert permissions() == []
    made = authorize(good, {**good, "FromPort": 81, "ToPort": 81})
    assert [each["FromPort"] for each in made] == [80, 81]


def test_a_prefix_list_is_rendered_and_follows_its_entries(ec2, authorize, rendered):
    made = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        AddressFamily="IPv4",
        MaxEntries=5,
        Entries=[{"Cidr": "203.0.113.0/24"}],
    )["PrefixList"]["PrefixListId"]
    authorize(
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
         "PrefixListIds": [{"PrefixListId": made}]}
    )  # fmt: skip
    assert rendered() == (Rule("tcp", (22, 22), ("203.0.113.0/24",)),)
    ec2.modify_managed_prefix_list(
        PrefixListId=made, CurrentVersion=1, AddEntries=[{"Cidr": "198.51.100.0/24"}]
    )
    assert rendered()[0].peers == ("203.0.113.0/24", "198.51.100.0/24")
    lists = ec2.describe_managed_prefix_lists(PrefixListIds=[made])["PrefixLists"]
    assert lists[0]["PrefixListName"] == "offices"
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_managed_prefix_list(PrefixListId=made)


def test_an_unknown_prefix_list_is_refused(authorize):
    with pytest.raises(ClientError, match=r"InvalidPrefixListID\.NotFound"):
        authorize({"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-12345678"}]})


@pytest.fixture
def cloudfront_list(ec2):
    """Id of the list that CloudFront's addresses are in."""
    lists = ec2.describe_managed_prefix_lists(
        Filters=[
            {
                "Name": "prefix-list-name",
                "Values": ["com.amazonaws.global.cloudfront.origin-facing"],
            }
        ]
    )["PrefixLists"]
    assert [each["OwnerId"] for each in lists] == ["AWS"]
    return lists[0]["PrefixListId"]


def port(number, prefix_list):
    return {"IpProtocol": "tcp", "FromPort": number, "ToPort": number,
            "PrefixListIds": [{"PrefixListId": prefix_list}]}  # fmt: skip


def test_cloudfront_s_list_holds_the_edge_and_nothing_else(
    cloud, ec2, authorize, rendered, cloudfront_list
):
    edge = str(registry.edge_block(cloud.settings.id))
    entries = ec2.get_managed_prefix_list_entries(PrefixListId=cloudfront_list)["Entries"]
    assert [each["Cidr"] for each in entries] == [edge]
    authorize(port(443, cloudfront_list))
    assert rendered() == (Rule("tcp", (443, 443), (edge,)),)


def test_cloudfront_s_list_counts_as_55_rules(ec2, site, authorize, permissions, cloudfront_list):
    authorize(port(443, cloudfront_list))
    with pytest.raises(ClientError, match="RulesPerSecurityGroupLimitExceeded"):
        authorize(port(80, cloudfront_list))
    five = [{"CidrIp": f"203.0.113.{number}/32"} for number in range(5)]
    authorize({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": five})
    with pytest.raises(ClientError, match="RulesPerSecurityGroupLimitExceeded"):
        authorize({"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "IpRanges": ANYWHERE})
    assert sorted(each["FromPort"] for each in permissions()) == [22, 443]


def test_aws_s_lists_are_not_the_account_s_to_change(ec2, cloudfront_list):
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.modify_managed_prefix_list(
            PrefixListId=cloudfront_list, AddEntries=[{"Cidr": "203.0.113.0/24"}]
        )
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.delete_managed_prefix_list(PrefixListId=cloudfront_list)
    with pytest.raises(ClientError, match=r"InvalidPrefixListID\.NotFound"):
        ec2.get_managed_prefix_list_entries(PrefixListId="pl-12345678")


def of_block(ec2):
    return {"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "old"}]}


def of_group(ec2):
    group = ec2.describe_security_groups(GroupNames=["web"])["SecurityGroups"][0]["GroupId"]
    return {"UserIdGroupPairs": [{"GroupId": group, "Description": "old"}]}


def of_prefix_list(ec2):
    lists = ec2.describe_managed_prefix_lists()["PrefixLists"]
    return {"PrefixListIds": [{"PrefixListId": lists[0]["PrefixListId"], "Description": "old"}]}


@pytest.mark.parametrize("peers", [of_block, of_group, of_prefix_list])
def test_a_description_is_changed_by_content_and_by_id(ec2, site, authorize, permissions, peers):
    ports = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    (kind, (peer,)), *_ = peers(ec2).items()
    (rule,) = authorize({**ports, kind: [peer]})
    assert rule["Description"] == "old"
    answer = ec2.update_security_group_rule_descriptions_ingress(
        GroupId=site["group"], IpPermissions=[{**ports, kind: [{**peer, "Description": "new"}]}]
    )
    assert answer["Return"] is True
    assert permissions()[0][kind][0]["Description"] == "new"
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=site["group"],
        SecurityGroupRuleDescriptions=[
            {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "newest"}
        ],
    )
    assert permissions()[0][kind][0]["Description"] == "newest"
    del peer["Description"]
    ec2.revoke_security_group_ingress(
        GroupId=site["group"], IpPermissions=[{**ports, kind: [peer]}]
    )
    assert permissions() == []


def test_a_description_of_no_rule_is_refused(ec2, site):
    with pytest.raises(ClientError, match=r"InvalidPermission\.NotFound"):
        ec2.update_security_group_rule_descriptions_egress(
            GroupId=site["group"],
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": ANYWHERE}],
        )


def test_a_rule_is_modified_whole_or_not(ec2, site, authorize, permissions):
    (rule,) = authorize({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": ANYWHERE})

    def modify(**wanted):
        ec2.modify_security_group_rules(
            GroupId=site["group"],
            SecurityGroupRules=[
                {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": wanted}
            ],
        )

    modify(IpProtocol="47", CidrIpv4="10.0.0.0/8", Description="tunnel")
    assert permissions()[0]["IpProtocol"] == "47"
    assert permissions()[0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "tunnel"}]
    with pytest.raises(ClientError, match="Invalid rule type"):
        modify(IpProtocol="-1", ReferencedGroupId=site["group"])
