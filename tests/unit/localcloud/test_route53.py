"""Names: zones, aliases and announced names, as hosts and as this machine see them."""

import pytest
from botocore.exceptions import ClientError
from dnslib import QTYPE, RCODE, DNSRecord
from unit.localcloud.conftest import client

from localcloud.dns import Answer, Resolver
from localcloud.services.route53 import Route53


@pytest.fixture
def zone(cloud):
    route53 = client("route53")
    made = route53.create_hosted_zone(Name="mustache.localhost", CallerReference="1")

    def upsert(name, kind, *values, **more):
        record = {"Name": name, "Type": kind, **more}
        if values:
            record |= {"TTL": 60, "ResourceRecords": [{"Value": value} for value in values]}
        route53.change_resource_record_sets(
            HostedZoneId=made["HostedZone"]["Id"],
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
        )

    return upsert


def test_an_elastic_ip_leads_hosts_to_the_private_address(cloud, launch, zone):
    instance = launch()
    zone("mustache.localhost", "A", instance["PublicIpAddress"])
    names = cloud.service(Route53)
    assert names.lookup("mustache.localhost", "A") == [("A", instance["PrivateIpAddress"])]
    assert names.visit("mustache.localhost") == [instance["PublicIpAddress"]]


def test_aliases_follow_announced_names(cloud, launch, zone):
    instance = launch()
    zone(
        "mustache.localhost",
        "A",
        AliasTarget={
            "HostedZoneId": "Z1",
            "DNSName": f"dualstack.{instance['PublicDnsName']}.",
            "EvaluateTargetHealth": False,
        },
    )
    names = cloud.service(Route53)
    assert names.visit("mustache.localhost") == [instance["PublicIpAddress"]]
    assert names.lookup("mustache.localhost", "A") == [("A", instance["PrivateIpAddress"])]


def test_a_service_that_cannot_tell_hides_no_other_names(cloud, launch, zone, monkeypatch):
    instance = launch()
    zone("mustache.localhost", "A", instance["PublicIpAddress"])

    def fail(self):
        raise KeyError("an instance that is just going")

    monkeypatch.setattr("localcloud.services.instances.Instances.names", fail)
    names = cloud.service(Route53)
    assert names.lookup("aws.localcloud", "A") == [("A", "169.254.169.253")]
    # Nobody knows whether that is its name.
    with pytest.raises(KeyError):
        names.lookup(instance["PrivateDnsName"], "A")


def test_cname_wildcard_and_missing_names(cloud, launch, zone):
    names = cloud.service(Route53)
    assert names.visit("mustache.localhost") is None
    zone("mustache.localhost", "A", "127.30.0.1")
    zone("www.mustache.localhost", "CNAME", "mustache.localhost")
    zone("*.apps.mustache.localhost", "A", "127.30.0.2")
    assert names.lookup("www.mustache.localhost", "A") == [
        ("CNAME", "mustache.localhost"),
        ("A", "127.30.0.1"),
    ]
    assert names.visit("one.apps.mustache.localhost") == ["127.30.0.2"]
    assert names.lookup("none.mustache.localhost", "A") == []
    assert names.lookup("example.org", "A") is None


def ask(resolver, name, kind="A"):
    return resolver.resolve(DNSRecord.question(name, kind), handler=None)


def test_the_resolver_answers_from_the_lookup():
    records = {("a.zone", "A"): Answer([("CNAME", "b.zone"), ("A", "10.0.0.1")])}
    resolver = Resolver(lambda name, kind, _: records.get((name, kind)), upstream="192.0.2.1")
    reply = ask(resolver, "A.zone.")
    assert [(QTYPE[each.rtype], str(each.rdata)) for each in reply.rr] == [
        ("CNAME", "b.zone."),
        ("A", "10.0.0.1"),
    ]
    assert str(reply.rr[1].rname) == "b.zone."


@pytest.mark.parametrize("name", ["ec2.us-east-1.amazonaws.com", "x.ec2.internal", "y.localcloud"])
def test_names_of_aws_never_leave_the_machine(name):
    resolver = Resolver(lambda *_: None, upstream="192.0.2.1")
    assert ask(resolver, name).header.rcode == RCODE.NXDOMAIN


def test_a_lookup_that_fails_is_a_server_failure():
    def lookup(*_):
        raise RuntimeError

    assert ask(Resolver(lookup, upstream="192.0.2.1"), "x.zone").header.rcode == RCODE.SERVFAIL


@pytest.fixture
def resolver(cloud):
    return Resolver(cloud.service(Route53).answer, upstream="192.0.2.1")


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("MX", "10 mail.example.org", "10 mail.example.org."),
        ("TXT", '"v=spf1 -all" "second"', '"v=spf1 -all","second"'),
        ("SRV", "1 2 443 web.example.org.", "1 2 443 web.example.org."),
        ("CAA", '0 issue "ca.example.org"', '0 issue "ca.example.org"'),
        ("NS", "ns.example.org", "ns.example.org."),
        ("AAAA", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_records_of_every_type_are_answered(resolver, zone, kind, value, said):
    zone("x.mustache.localhost", kind, value)
    (record,) = ask(resolver, "x.mustache.localhost", kind).rr
    assert (QTYPE[record.rtype], str(record.rdata)) == (kind, said)


def test_an_absent_name_is_not_there_and_an_absent_type_is_empty(resolver, zone):
    zone("www.mustache.localhost", "A", "192.0.2.7")
    for name, kind, code in [
        ("none.mustache.localhost", "A", RCODE.NXDOMAIN),
        ("www.mustache.localhost", "MX", RCODE.NOERROR),
    ]:
        reply = ask(resolver, name, kind)
        assert (reply.header.rcode, reply.rr) == (code, [])
        (soa,) = reply.auth
        assert (str(soa.rname), QTYPE[soa.rtype]) == ("mustache.localhost.", "SOA")


@pytest.mark.usefixtures("zone")
def test_a_zone_names_its_servers(resolver):
    assert len(ask(resolver, "mustache.localhost", "NS").rr) == 4
    assert len(ask(resolver, "mustache.localhost", "SOA").rr) == 1


def test_a_wildcard_stands_for_names_that_are_not_there(cloud, zone):
    names = cloud.service(Route53)
    zone("*.mustache.localhost", "A", "192.0.2.1")
    zone("a.mustache.localhost", "TXT", '"text"')
    zone("x.b.mustache.localhost", "A", "192.0.2.2")
    assert names.lookup("any.thing.mustache.localhost", "A") == [("A", "192.0.2.1")]
    assert names.lookup("a.mustache.localhost", "A") == []
    assert names.lookup("b.mustache.localhost", "A") == []
    assert not names.answer("y.b.mustache.localhost", "A").exists
    assert names.lookup("x.b.mustache.localhost", "A") == [("A", "192.0.2.2")]


def test_of_weighted_records_one_is_answered(cloud, zone):
    def weigh(identifier, value, weight):
        zone("w.mustache.localhost", "A", value, SetIdentifier=identifier, Weight=weight)

    weigh("a", "192.0.2.1", 1)
    weigh("b", "192.0.2.2", 1)
    weigh("c", "192.0.2.3", 0)
    names = cloud.service(Route53)
    answers = [names.lookup("w.mustache.localhost", "A") for _ in range(100)]
    assert {tuple(each) for each in answers} == {(("A", "192.0.2.1"),), (("A", "192.0.2.2"),)}


def test_a_private_zone_is_seen_in_its_vpc_only(cloud, ec2, site, launch, zone):
    zone("mustache.localhost", "A", "192.0.2.1")
    route53 = client("route53")
    private = route53.create_hosted_zone(
        Name="mustache.localhost",
        CallerReference="2",
        VPC={"VPCRegion": "us-east-1", "VPCId": site["vpc"]},
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]
    record = {"Name": "mustache.localhost", "Type": "A", "TTL": 1,
              "ResourceRecords": [{"Value": "10.9.1.9"}]}  # fmt: skip
    route53.change_resource_record_sets(
        HostedZoneId=private,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    other = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=other, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
    stranger = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    answer = cloud.service(Route53).answer
    inside = answer("mustache.localhost", "A", launch()["PrivateIpAddress"])
    assert inside.records == [("A", "10.9.1.9")]
    outside = answer("mustache.localhost", "A", stranger["PrivateIpAddress"])
    assert outside.records == [("A", "192.0.2.1")]


@pytest.mark.parametrize(
    ("name", "kind", "value", "message"),
    [
        ("mustache.localhost", "CNAME", "example.org", "not permitted at apex"),
        ("www.mustache.localhost", "CNAME", "example.org", "conflicts"),
        ("a.mustache.localhost", "A", "300.0.0.1", "not a valid value"),
        ("a.mustache.localhost", "AAAA", "192.0.2.1", "not a valid value"),
    ],
)
def test_a_record_that_cannot_be_is_refused(zone, name, kind, value, message):
    zone("www.mustache.localhost", "A", "192.0.2.1")
    with pytest.raises(ClientError, match=f"InvalidChangeBatch.*{message}"):
        zone(name, kind, value)


def test_a_policy_that_is_not_followed_is_refused(zone):
    with pytest.raises(ClientError, match="GeoLocation"):
        zone("a.mustache.localhost", "A", "192.0.2.1", SetIdentifier="x",
             GeoLocation={"CountryCode": "CH"})  # fmt: skip


def test_a_batch_is_done_whole_or_not_at_all(cloud, zone):
    zone("a.mustache.localhost", "A", "192.0.2.1", SetIdentifier="x", Weight=1)
    zone("b.mustache.localhost", "A", "192.0.2.2", SetIdentifier="x", Weight=1)
    route53 = client("route53")
    (found,) = route53.list_hosted_zones()["HostedZones"]

    def change(*changes):
        route53.change_resource_record_sets(
            HostedZoneId=found["Id"],
            ChangeBatch={
                "Changes": [
                    {
                        "Action": action,
                        "ResourceRecordSet": {
                            "Name": name, "Type": "A", "TTL": 60, "SetIdentifier": "x", "Weight": 1,
                            "ResourceRecords": [{"Value": value}],
                        },
                    }
                    for action, name, value in changes
                ]
            },
        )  # fmt: skip

    names = cloud.service(Route53)
    gone = ("DELETE", "a.mustache.localhost", "192.0.2.1")
    with pytest.raises(ClientError, match=r"InvalidChangeBatch.*already exists"):
        change(gone, ("CREATE", "b.mustache.localhost", "192.0.2.3"))
    assert names.lookup("a.mustache.localhost", "A") == [("A", "192.0.2.1")]
    change(gone)
    assert not names.answer("a.mustache.localhost", "A").exists
    assert names.lookup("b.mustache.localhost", "A") == [("A", "192.0.2.2")]
    with pytest.raises(ClientError, match=r"InvalidChangeBatch.*was not found"):
        change(gone)


def test_a_private_zones_record_proves_nothing(cloud, site):
    acm, route53 = client("acm"), client("route53")
    arn = acm.request_certificate(DomainName="mustache.localhost", ValidationMethod="DNS")
    arn = arn["CertificateArn"]

    def certificate():
        return acm.describe_certificate(CertificateArn=arn)["Certificate"]

    record = certificate()["DomainValidationOptions"][0]["ResourceRecord"]
    for reference, more in [
        ("1", {"VPC": {"VPCRegion": "us-east-1", "VPCId": site["vpc"]},
               "HostedZoneConfig": {"PrivateZone": True}}),
        ("2", {}),
    ]:  # fmt: skip
        assert certificate()["Status"] == "PENDING_VALIDATION"
        made = route53.create_hosted_zone(
            Name="mustache.localhost", CallerReference=reference, **more
        )
        route53.change_resource_record_sets(
            HostedZoneId=made["HostedZone"]["Id"],
            ChangeBatch={
                "Changes": [
                    {
                        "Action": "CREATE",
                        "ResourceRecordSet": {
                            "Name": record["Name"], "Type": "CNAME", "TTL": 60,
                            "ResourceRecords": [{"Value": record["Value"]}],
                        },
                    }
                ]
            },
        )  # fmt: skip
    assert certificate()["Status"] == "ISSUED"
