"""Whether the internet is led to a hosted zone: what its parent's name servers say."""

import socket
from pathlib import Path

try:
    from dnslib import QTYPE, DNSError, DNSRecord
except ImportError:
    QTYPE = None  # `make env` installs it


class NoAnswer(Exception):
    """No resolver of this machine could be asked."""


def public_zones(pages, name):
    """Of ListHostedZones' pages, the public zones called ``name``."""
    return [
        zone
        for page in pages
        for zone in page["HostedZones"]
        if zone["Name"] == f"{name.rstrip('.')}." and not zone["Config"]["PrivateZone"]
    ]


def resolvers(configuration="/etc/resolv.conf"):
    lines = [line.split() for line in Path(configuration).read_text().splitlines()]
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def name_servers(zone, servers, port=53):
    """Where a resolver is led for ``zone``, in lower case and without the dot at the end."""
    question = DNSRecord.question(zone, "NS")
    for server in servers:
        try:
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as connection:
                connection.settimeout(5)
                connection.connect((server, port))
                connection.send(question.pack())
                reply = DNSRecord.parse(connection.recv(4096))
        except (OSError, DNSError):
            continue
        return sorted(plain(str(each.rdata)) for each in reply.rr if each.rtype == QTYPE.NS)
    raise NoAnswer(f"no resolver answered what the name servers of {zone} are")


def plain(name):
    return name.rstrip(".").lower()


def judge(zone, own, found):
    """Empty when ``found`` leads to the zone's ``own`` name servers, else what to do."""
    own = sorted(plain(each) for each in own)
    if set(own) & {plain(each) for each in found}:
        return ""
    now = f"leads to {', '.join(found)}" if found else "leads nowhere"
    return (
        f"{zone} {now}: give it these name servers where the domain is registered (or as NS "
        f"records in the zone above it), and run this again some minutes later: {', '.join(own)}"
    )
