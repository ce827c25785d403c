"""Names: zones, aliases and announced names, as hosts and as this machine see them."""

import pytest
from dnslib import QTYPE, DNSRecord
from unit.localcloud.conftest import client

from localcloud.dns import Resolver
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
    records = {("a.zone", "A"): [("CNAME", "b.zone"), ("A", "10.0.0.1")]}
    resolver = Resolver(lambda name, kind: records.get((name, kind)), upstream="192.0.2.1")
    reply = ask(resolver, "A.zone.")
    assert [(QTYPE[each.rtype], str(each.rdata)) for each in reply.rr] == [
        ("CNAME", "b.zone."),
        ("A", "10.0.0.1"),
    ]
    assert str(reply.rr[1].rname) == "b.zone."


@pytest.mark.parametrize("name", ["ec2.us-east-1.amazonaws.com", "x.ec2.internal", "y.localcloud"])
def test_names_of_aws_never_leave_the_machine(name):
    resolver = Resolver(lambda name, kind: None, upstream="192.0.2.1")
    assert ask(resolver, name).header.rcode == 3


def test_a_lookup_that_fails_is_a_server_failure():
    def lookup(name, kind):
        raise RuntimeError

    assert ask(Resolver(lookup, upstream="192.0.2.1"), "x.zone").header.rcode == 2
