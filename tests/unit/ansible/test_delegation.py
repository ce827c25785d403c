"""module_utils/delegation.py: whether the internet is led to a zone."""

import pytest
from dnslib import NS, QTYPE, RR
from dnslib.server import BaseResolver, DNSServer

from module_utils import delegation

SERVERS = ["ns-1.awsdns-01.org", "NS-2.awsdns-02.co.uk."]


@pytest.fixture
def port():
    """A resolver that leads example.com to Route 53's name servers, and nothing else."""

    class Resolver(BaseResolver):
        def resolve(self, request, handler):
            reply = request.reply()
            if str(request.q.qname) == "example.com.":
                for name in SERVERS:
                    reply.add_answer(RR("example.com", QTYPE.NS, rdata=NS(name)))
            return reply

    class Silent:
        def __getattr__(self, name):
            return lambda *arguments: None

    server = DNSServer(Resolver(), address="127.0.0.1", port=0, logger=Silent())
    server.start_thread()
    yield server.server.server_address[1]
    server.stop()
    server.server.server_close()


def test_the_resolver_says_where_a_name_leads(port):
    found = delegation.name_servers("example.com", ["127.0.0.1"], port)

    assert found == ["ns-1.awsdns-01.org", "ns-2.awsdns-02.co.uk"]
    assert delegation.judge("example.com", SERVERS, found) == ""
    assert delegation.name_servers("other.com", ["127.0.0.1"], port) == []


def test_without_a_resolver_there_is_no_answer(port):
    with pytest.raises(delegation.NoAnswer, match=r"example\.com"):
        delegation.name_servers("example.com", [])


def test_the_next_resolver_is_asked_when_one_does_not_answer(port):
    assert delegation.name_servers("example.com", ["127.0.0.1x", "127.0.0.1"], port) != []


def test_a_zone_that_nobody_is_led_to_names_its_servers():
    problem = delegation.judge("example.com", SERVERS, [])

    assert problem.startswith("example.com leads nowhere: give it these name servers")
    assert problem.endswith("ns-1.awsdns-01.org, ns-2.awsdns-02.co.uk")


def test_a_zone_of_somebody_else_is_named():
    problem = delegation.judge("example.com", SERVERS, ["ns.registrar.net"])

    assert "leads to ns.registrar.net" in problem


def test_private_and_other_zones_are_not_meant():
    pages = [
        {
            "HostedZones": [
                {"Id": "1", "Name": "example.com.", "Config": {"PrivateZone": True}},
                {"Id": "2", "Name": "example.com.", "Config": {"PrivateZone": False}},
                {"Id": "3", "Name": "www.example.com.", "Config": {"PrivateZone": False}},
            ]
        }
    ]

    assert [zone["Id"] for zone in delegation.public_zones(pages, "example.com.")] == ["2"]


def test_resolvers_of_this_machine(tmp_path):
    configuration = tmp_path / "resolv.conf"
    configuration.write_text(
        "# comment\nsearch example.com\nnameserver 192.0.2.1\nnameserver ::1\n"
    )

    assert delegation.resolvers(configuration) == ["192.0.2.1", "::1"]
