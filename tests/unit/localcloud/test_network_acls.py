"""Network ACLs become the firewall's, or are refused."""

import pytest
from botocore.exceptions import ClientError

from localcloud.firewall import Rule
from localcloud.services.network import Interfaces


@pytest.fixture
def acl(ec2, site):
    """An ACL of the site's subnet instead of the default one."""
    made = ec2.create_network_acl(VpcId=site["vpc"])["NetworkAcl"]["NetworkAclId"]
    filters = [{"Name": "association.subnet-id", "Values": [site["subnet"]]}]
    (default,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (association,) = [a for a in default["Associations"] if a["SubnetId"] == site["subnet"]]
    ec2.replace_network_acl_association(
        AssociationId=association["NetworkAclAssociationId"], NetworkAclId=made
    )
    return made


@pytest.fixture
def entry(ec2, acl):
    def create(number, action, **options):
        options = {"Protocol": "-1", "CidrBlock": "0.0.0.0/0", "Egress": False, **options}
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, RuleAction=action, **options
        )

    return create


def test_the_default_acl_needs_no_rule(cloud, launch):
    launch()
    assert cloud.service(Interfaces).interfaces()[0].acl is None


def test_rules_are_kept_in_their_order(cloud, launch, entry, acl):
    launch()
    entry(200, "allow")
    entry(100, "deny", Protocol="6", PortRange={"From": 22, "To": 22}, CidrBlock="192.0.2.0/24")
    entry(150, "deny", Protocol="1", IcmpTypeCode={"Type": 8, "Code": -1})
    seen = cloud.service(Interfaces).interfaces()[0].acl
    assert [(each.allow, each.rule) for each in seen.ingress] == [
        (False, Rule("tcp", (22, 22), ("192.0.2.0/24",))),
        (False, Rule("icmp", (8, -1), ("0.0.0.0/0",))),
        (True, Rule("-1", None, ("0.0.0.0/0",))),
        (False, Rule("-1", None, ("0.0.0.0/0",))),
    ]
    assert [each.allow for each in seen.egress] == [False]
    (row,) = [each for each in cloud.rows() if each.id == acl]
    assert (row.state, row.real) == ("4 in, 1 out", "firewall of 1 subnets")
    cloud.settle()
    chain = cloud.scripts[-1].split(f"chain in-{seen.subnet} {{")[1].split("}\n    ")[0]
    assert [line.strip() for line in chain.splitlines() if line.strip()][:4] == [
        "ip saddr 10.9.1.0/24 return",
        "ip saddr { 192.0.2.0/24 } tcp dport 22 drop",
        "icmp type 8 drop",
        "return",
    ]


def test_an_acl_that_cannot_be_is_refused(ec2, site, acl, entry):
    for options, message in [
        ({"Protocol": "6"}, "Must specify both from and to ports"),
        ({"Protocol": "gre"}, "Unknown protocol"),
    ]:
        with pytest.raises(ClientError, match=message):
            entry(100, "allow", **options)
    with pytest.raises(ClientError, match=r"InvalidNetworkAclEntry\.NotFound"):
        ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=5, Egress=True)
    with pytest.raises(ClientError, match=r"InvalidAssociationID\.NotFound"):
        ec2.replace_network_acl_association(AssociationId="aclassoc-1", NetworkAclId=acl)
    filters = [{"Name": "vpc-id", "Values": [site["vpc"]]}, {"Name": "default", "Values": ["true"]}]
    (default,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    with pytest.raises(ClientError, match="cannot delete default"):
        ec2.delete_network_acl(NetworkAclId=default["NetworkAclId"])
