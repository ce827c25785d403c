"""The resolver inside the VPC: this cloud's names first, everything else by the machine's own."""

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dnslib import QTYPE, RCODE, RR, DNSHeader, DNSRecord
from dnslib.server import BaseResolver, DNSServer

log = logging.getLogger("localcloud.dns")

TTL = 2
# Names that must never be looked up in the world: what we do not know does not exist.
OWN_SUFFIXES = ("amazonaws.com", "ec2.internal", "compute.internal", "localcloud")


@dataclass(frozen=True)
class Answer:
    """Records of a name that is ours as (type, value).

    ``exists`` is false where there is no such name at all; ``authority`` is the zone's SOA record
    behind the zone's name; ``ends_at`` is where a chain of CNAMEs leaves our zones.
    """

    records: list[tuple[str, str]]
    exists: bool = True
    authority: str = ""
    ends_at: str = ""


# (name, type, who asks) -> answer, or None when the name is not ours.
Lookup = Callable[[str, str, str | None], Answer | None]


class Resolver(BaseResolver):
    """Answers from ``lookup``; asks the machine's resolver for names that are not ours."""

    def __init__(self, lookup: Lookup, upstream: str | None = None):
        self.lookup = lookup
        self.upstream = upstream or machine_resolver()

    def resolve(self, request: DNSRecord, handler) -> DNSRecord:
        name = str(request.q.qname).rstrip(".").lower()
        kind = QTYPE[request.q.qtype]
        client = handler.client_address[0] if handler else None
        try:
            answer = self.lookup(name, kind, client)
            if answer is not None:
                return self._reply(request, name, answer, handler)
        except Exception:
            log.exception("looking up %s %s", kind, name)
            return _empty(request, RCODE.SERVFAIL)
        if name.endswith(OWN_SUFFIXES):
            return _empty(request, RCODE.NXDOMAIN)
        return self._forward(request, handler)

    def _reply(self, request: DNSRecord, owner: str, answer: Answer, handler) -> DNSRecord:
        reply = request.reply()
        for kind, value in answer.records:
            reply.add_answer(_record(owner, kind, value))
            if kind == "CNAME":
                owner = value.rstrip(".")
        if answer.ends_at and not answer.ends_at.endswith(OWN_SUFFIXES):
            further = DNSRecord.question(answer.ends_at, QTYPE[request.q.qtype])
            for each in self._forward(further, handler).rr:
                reply.add_answer(each)
        if not answer.exists:
            reply.header.rcode = RCODE.NXDOMAIN
        if not reply.rr and answer.authority:
            zone, _, value = answer.authority.partition(" ")
            reply.add_auth(_record(zone.rstrip("."), "SOA", value))
        return reply

    def _forward(self, request: DNSRecord, handler) -> DNSRecord:
        tcp = bool(handler) and handler.protocol == "tcp"
        try:
            answer = request.send(self.upstream, 53, tcp=tcp, timeout=3)
            return DNSRecord.parse(answer)
        except OSError:
            return _empty(request, RCODE.SERVFAIL)


def serve(lookup: Lookup) -> int:
    """Answer on a free port of 127.0.0.1, UDP and TCP, in threads; return the port."""
    resolver = Resolver(lookup)
    port = _free_port()
    for tcp in (False, True):
        server = DNSServer(resolver, address="127.0.0.1", port=port, tcp=tcp, logger=_Silent())
        threading.Thread(target=server.server.serve_forever, name="dns", daemon=True).start()
    return port


def machine_resolver() -> str:
    """The first name server this machine asks."""
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and ":" not in words[1]:
            return words[1]
    return "127.0.0.53"


def _record(owner: str, kind: str, value: str) -> RR:
    """A record from its text in a zone file, which is how Route 53 has it."""
    if kind in ("CNAME", "NS", "PTR"):
        value = f"{value.rstrip('.')}."
    return RR.fromZone(f"{owner}. {TTL} IN {kind} {value}")[0]


def _empty(request: DNSRecord, code: int) -> DNSRecord:
    return DNSRecord(DNSHeader(id=request.header.id, qr=1, ra=1, rd=1, rcode=code), q=request.q)


def _free_port() -> int:
    """A port that is free for both UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class _Silent:
    """A dnslib logger that says nothing."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None
