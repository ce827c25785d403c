"""The resolver inside the VPC: this cloud's names first, everything else by the machine's own."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, TXT, A, DNSHeader, DNSRecord
from dnslib.server import BaseResolver, DNSServer

TTL = 2
# Names that must never be looked up in the world: what we do not know does not exist.
OWN_SUFFIXES = ("amazonaws.com", "ec2.internal", "compute.internal", "localcloud")

# (name, type) -> records as (type, value), or None when the name is not ours.
Lookup = Callable[[str, str], list[tuple[str, str]] | None]


class Resolver(BaseResolver):
    """Answers from ``lookup``; asks the machine's resolver for names that are not ours."""

    def __init__(self, lookup: Lookup, upstream: str | None = None):
        self.lookup = lookup
        self.upstream = upstream or machine_resolver()

    def resolve(self, request: DNSRecord, handler) -> DNSRecord:
        name = str(request.q.qname).rstrip(".").lower()
        kind = QTYPE[request.q.qtype]
        try:
            records = self.lookup(name, kind)
        except Exception:
            return _empty(request, RCODE.SERVFAIL)
        if records is None:
            if name.endswith(OWN_SUFFIXES):
                return _empty(request, RCODE.NXDOMAIN)
            return self._forward(request, handler)
        reply = request.reply()
        owner = name
        for record_kind, value in records:
            reply.add_answer(_record(owner, record_kind, value))
            if record_kind == "CNAME":
                owner = value.rstrip(".")
        return reply

    def _forward(self, request: DNSRecord, handler) -> DNSRecord:
        try:
            answer = request.send(self.upstream, 53, tcp=handler.protocol == "tcp", timeout=3)
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
    data = {"A": A, "AAAA": AAAA, "CNAME": CNAME, "TXT": lambda text: TXT(text.strip('"'))}
    return RR(owner, QTYPE.reverse[kind], ttl=TTL, rdata=data[kind](value))


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
