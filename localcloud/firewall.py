"""Security groups, addresses and routes to the world as one nftables table, replaced whole.

Traffic between hosts is forwarded by this machine and crosses the ``forward`` hook; traffic from
this machine to a public address is translated in ``output``. Both end in the same chain of the
target's interface, so a closed port is closed from everywhere.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from localcloud import registry, shell

METADATA = "169.254.169.254"
RESOLVER = "169.254.169.253"
# Hosts see visitors from this machine at an address outside every VPC, as they would on AWS.
VISITOR = "198.51.100.1"
# Sockets with this mark (SO_MARK) are the platform's own, which watches the hosts that it runs
# for its customers (database servers) whatever their security groups say.
PLATFORM_MARK = 0x6C63


@dataclass(frozen=True)
class Rule:
    """Allow ``protocol`` (a name, a number, "-1" for all) on these ports with these peers.

    The ports of ICMP are its type and code; a code of -1 is any.
    """

    protocol: str
    ports: tuple[int, int] | None
    peers: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A rule of a network ACL: packets that match it pass, or they do not."""

    allow: bool
    rule: Rule


@dataclass(frozen=True)
class Acl:
    """A subnet's network ACL. It knows no connections: answers need a rule too."""

    subnet: str
    block: str
    ingress: tuple[Entry, ...] = ()
    egress: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Interface:
    """A host's network interface as the firewall sees it.

    Only hosts of the same ``vpc`` reach each other.
    ``public`` are the loopback addresses that lead to it from this machine; ``internet`` says
    whether its route table and addresses let it out; ``isolated`` cuts it off entirely. One on the
    ``edge`` is outside every VPC: it reaches what is public, and who has a way out reaches it.
    """

    id: str
    address: str
    vpc: str = ""
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    public: tuple[str, ...] = ()
    internet: bool = False
    isolated: bool = False
    acl: Acl | None = None
    edge: bool = False


@dataclass(frozen=True)
class Services:
    """Ports of this cloud's own servers on 127.0.0.1."""

    api: int
    metadata: int
    resolver: int
    website: int


def table_name(cloud_id: str) -> str:
    return f"localcloud_{cloud_id}"


def render(cloud_id: str, interfaces: Iterable[Interface], services: Services) -> str:
    """The nftables script that replaces this cloud's table by one for these interfaces."""
    interfaces = sorted(interfaces, key=lambda each: each.id)
    name = table_name(cloud_id)
    ours = f'"lc{cloud_id}*"'
    websites = registry.website_address(cloud_id)
    public = {address: each.address for each in interfaces for address in each.public}
    chains = "".join(_chains(each) for each in interfaces)
    acls = {each.acl.subnet: each.acl for each in interfaces if each.acl}
    chains += "".join(_acl_chains(each) for _, each in sorted(acls.items()))
    leave, enter = _subnets("out", "saddr", interfaces), _subnets("in", "daddr", interfaces)
    return f"""\
table inet {name} {{}}
delete table inet {name}
table inet {name} {{
    map public {{ type ipv4_addr : ipv4_addr; {_elements(f"{a} : {b}" for a, b in public.items())}}}
    set hosts {{ type ipv4_addr; {_elements(each.address for each in interfaces)}}}
    set open {{ type ipv4_addr; {_elements(e.address for e in interfaces if e.public)}}}
    set edge {{ type ipv4_addr; {_elements(e.address for e in interfaces if e.edge)}}}
    set internet {{ type ipv4_addr; {_elements(e.address for e in interfaces if e.internet)}}}
    set isolated {{ type ipv4_addr; {_elements(e.address for e in interfaces if e.isolated)}}}
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname != {ours} return
        ip daddr {METADATA} tcp dport 80 dnat ip to 127.0.0.1:{services.metadata}
        ip daddr {RESOLVER} udp dport 53 dnat ip to 127.0.0.1:{services.resolver}
        ip daddr {RESOLVER} tcp dport 53 dnat ip to 127.0.0.1:{services.resolver}
        ip daddr {RESOLVER} tcp dport 5000 dnat ip to 127.0.0.1:{services.api}
        ip daddr {RESOLVER} tcp dport 80 dnat ip to 127.0.0.1:{services.website}
    }}
    chain visit {{
        type nat hook output priority -100; policy accept;
        ip daddr {websites} tcp dport 80 dnat ip to 127.0.0.1:{services.website}
        dnat ip to ip daddr map @public
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        oifname {ours} ip saddr 127.0.0.0/8 snat ip to {VISITOR}
        oifname != {ours} ip saddr @hosts masquerade
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname != {ours} oifname != {ours} accept
        ip saddr @isolated drop
        ip daddr @isolated drop
{_ways_out(ours)}{leave}{enter}        ct state established,related accept
        iifname {ours} jump from_host
        iifname != {ours} drop
        oifname {ours} jump to_host
    }}
    chain from_host {{
        ip saddr != @hosts drop
{_vpcs(ours, interfaces)}        ip saddr vmap {{ {_verdicts("out", interfaces)} }}
        oifname {ours} return
        oifname "lc*" drop
    }}
    chain to_host {{
        ip daddr vmap {{ {_verdicts("in", interfaces)} }}
    }}
    chain input {{
        type filter hook input priority filter; policy accept;
        iifname != {ours} accept
        ip saddr @isolated drop
        ct mark {PLATFORM_MARK:#x} accept
{_answers(leave)}        ct state established,related accept
        ct status dnat accept
        drop
    }}
    chain output {{
        type filter hook output priority filter; policy accept;
        ip daddr != @hosts accept
        ip daddr @isolated drop
        meta mark {PLATFORM_MARK:#x} ct mark set {PLATFORM_MARK:#x} accept
        ct direction reply accept
        ct status dnat ip daddr != @open drop
{enter}        ct state established,related accept
        ct status & dnat == 0 reject with icmpx type admin-prohibited
        jump to_host
    }}
{chains}}}
"""


def apply(script: str) -> None:
    shell.run("nft", "-f", "-", input=script)


def remove(cloud_id: str) -> None:
    shell.run("nft", "delete", "table", "inet", table_name(cloud_id), check=False)


def present(cloud_id: str) -> bool:
    return shell.succeeds("nft", "list", "table", "inet", table_name(cloud_id))


def _ways_out(ours: str) -> str:
    """The lines between hosts and the internet, the edge among it. They stand before what is
    established: security groups know connections, routes do not."""
    return (
        f'        iifname {ours} oifname != "lc*" ip saddr != @internet '
        "reject with icmpx type admin-prohibited\n"
        f"        oifname {ours} ip saddr @edge ip daddr != @open ct direction original drop\n"
        f"        oifname {ours} ip daddr @edge ip saddr != @edge ip saddr != @internet drop\n"
    )


def _vpcs(ours: str, interfaces: Iterable[Interface]) -> str:
    """The lines that keep hosts of different VPCs apart; the edge is the world to all of them."""
    vpcs: dict[str, list[str]] = {}
    for each in interfaces:
        if not each.edge:
            vpcs.setdefault(each.vpc, []).append(each.address)
    members = [f"{{ {', '.join(addresses)} }}" for addresses in vpcs.values()]
    return "".join(
        f"        oifname {ours} ip saddr {each} ip daddr != {each} ip daddr != @edge drop\n"
        for each in members
    )


def _chains(interface: Interface) -> str:
    return _chain("in", "saddr", interface, interface.ingress) + _chain(
        "out", "daddr", interface, interface.egress
    )


def _chain(direction: str, peer: str, interface: Interface, rules: Iterable[Rule]) -> str:
    lines = "".join(f"        {line}\n" for rule in rules for line in _match(rule, peer))
    return f"    chain {direction}-{interface.id} {{\n{lines}        drop\n    }}\n"


def _acl_chains(acl: Acl) -> str:
    """What leaves and enters a subnet; inside it no packet meets the ACL."""
    chains = ""
    for direction, peer, entries in (("in", "saddr", acl.ingress), ("out", "daddr", acl.egress)):
        lines = [f"ip {peer} {acl.block} return"]
        for entry in entries:
            verdict = "return" if entry.allow else "drop"
            lines += [
                f"{line.removesuffix('return')}{verdict}" for line in _match(entry.rule, peer)
            ]
        body = "".join(f"        {line}\n" for line in lines)
        chains += f"    chain {direction}-{acl.subnet} {{\n{body}        drop\n    }}\n"
    return chains


def _subnets(direction: str, peer: str, interfaces: Iterable[Interface]) -> str:
    """The line that leads packets of hosts to their subnet's ACL; none without one."""
    listed = ", ".join(
        f"{e.address} : jump {direction}-{e.acl.subnet}" for e in interfaces if e.acl
    )
    return f"        ip {peer} vmap {{ {listed} }}\n" if listed else ""


def _answers(line: str) -> str:
    """The same for answers to this machine; what hosts ask it is the platform's, as on AWS."""
    return line.replace("        ip", "        ct direction reply ip")


def _match(rule: Rule, peer: str) -> list[str]:
    """The lines that let ``rule``'s packets pass; none when it names no peer."""
    if not rule.peers:
        return []
    blocks = ipaddress.collapse_addresses(
        ipaddress.ip_network(each, strict=False) for each in rule.peers
    )
    peers = [str(each).removesuffix("/32") for each in blocks]
    source = "" if "0.0.0.0/0" in peers else f"ip {peer} {{ {', '.join(peers)} }} "
    if rule.protocol == "-1":
        return [f"{source}return".strip()]
    if rule.protocol in ("tcp", "udp") and rule.ports:
        first, last = rule.ports
        ports = f"{first}" if first == last else f"{first}-{last}"
        return [f"{source}{rule.protocol} dport {ports} return"]
    if rule.protocol in ("icmp", "icmpv6") and rule.ports:
        kind, code = rule.ports
        detail = "" if code < 0 else f" {rule.protocol} code {code}"
        return [f"{source}{rule.protocol} type {kind}{detail} return"]
    # the kernel's number: nft does not know every name
    number = {"icmpv6": "ipv6-icmp"}.get(rule.protocol, rule.protocol)
    return [f"{source}meta l4proto {number} return"]


def _elements(items: Iterable[str]) -> str:
    listed = ", ".join(items)
    return f"elements = {{ {listed} }} " if listed else ""


def _verdicts(direction: str, interfaces: Iterable[Interface]) -> str:
    # an empty anonymous map is no syntax; 0.0.0.0 is never a host
    listed = [f"{each.address} : jump {direction}-{each.id}" for each in interfaces]
    return ", ".join(listed or ["0.0.0.0 : drop"])
