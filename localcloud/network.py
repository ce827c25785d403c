"""Network interfaces of hosts: a namespace, a veth pair and a route each.

Every packet between hosts is routed by this machine, never switched, so one nftables table sees
all of it with connection tracking, whatever the kernel was built with. The namespace outlives the
container: a stopped host keeps its interface.
"""

import ipaddress
import json
from pathlib import Path

from localcloud import processes, shell

# Routes we make carry this protocol number, and their cloud's number as the metric, so that `down`
# finds them after a crash too.
PROTOCOL = "76"
FIRST_TABLE = 100  # of a host's further interfaces


class NetworkError(RuntimeError):
    """A network cannot be made; the message names the conflict."""


class Network:
    """Interfaces of one local cloud. Device names start with ``prefix``."""

    def __init__(self, cloud_id: str):
        self.prefix = f"lc{cloud_id}"
        self.metric = int(cloud_id, 16) + 1

    def device(self, interface_id: str) -> str:
        """The veth's name on this machine's side: at most 15 characters, unique by the id's end."""
        return f"{self.prefix}{interface_id[-9:]}"

    namespace = device

    @staticmethod
    def namespace_path(name: str) -> Path:
        return Path("/run/netns", name)

    def plug(self, interface_id: str, address: str, subnet: str, mac: str, index: int = 0,
             host: str | None = None) -> str:  # fmt: skip
        """Make the interface with ``address`` in ``subnet``; return its namespace's name.

        A further one (``index`` above 0) comes into the namespace of the ``host``'s first
        interface, with a routing table of its own: answers leave by the interface that was asked.
        """
        link = self.device(interface_id)
        name = self.namespace(host or interface_id)
        network = ipaddress.ip_network(subnet)
        gateway = str(network.network_address + 1)
        inside = f"eth{index}"
        if not Path("/run/netns", name).exists():
            shell.run("ip", "netns", "add", name)
        if not Path("/sys/class/net", link).exists():
            shell.run("ip", "link", "add", link, "type", "veth",
                      "peer", "name", inside, "address", mac, "netns", name)  # fmt: skip
        for key, value in {
            f"net.ipv4.conf.{link}.proxy_arp": "1",
            # clients on this machine come from 127.0.0.1, and so do answers to them
            f"net.ipv4.conf.{link}.route_localnet": "1",
            f"net.ipv4.conf.{link}.rp_filter": "1",
            f"net.ipv4.neigh.{link}.proxy_delay": "0",
        }.items():
            _sysctl(key, value)
        if Path("/proc/sys/net/ipv6/conf", link).exists():
            # it would get an address by itself, and browsers on this machine end what they are
            # loading whenever the machine has another address (ERR_NETWORK_CHANGED)
            _sysctl(f"net.ipv6.conf.{link}.disable_ipv6", "1")
        shell.run("ip", "link", "set", link, "up")
        mac_here = Path("/sys/class/net", link, "address").read_text().strip()
        table = f" table {FIRST_TABLE + index}" if index else ""
        lines = [
            "link set lo up",
            # on-link routes of a second interface in the same subnet would take the first one's
            f"address replace {address}/{32 if index else network.prefixlen} dev {inside}",
            f"link set {inside} up",
            f"neighbor replace {gateway} lladdr {mac_here} dev {inside}",
            f"route replace default via {gateway} dev {inside}{table}{' onlink' if index else ''}",
        ]
        if index:
            shell.run("ip", "-n", name, "rule", "delete", "from", address, check=False)
            lines.append(f"rule add from {address} lookup {FIRST_TABLE + index}")
        shell.run("ip", "-n", name, "-batch", "-", input="".join(f"{line}\n" for line in lines))
        shell.run("ip", "route", "replace", f"{address}/32", "dev", link, "proto", PROTOCOL)
        return name

    def unplug(self, interface_id: str) -> None:
        self.remove(self.device(interface_id))

    def remove(self, name: str) -> None:
        """Delete a device and its namespace by name."""
        shell.run("ip", "link", "delete", name, check=False)
        shell.run("ip", "netns", "delete", name, check=False)

    def hold(self, cidr: str) -> None:
        """Keep packets to addresses that no host has from leaving this machine."""
        shell.run("ip", "route", "replace", "unreachable", cidr, "proto", PROTOCOL,
                  "metric", self.metric)  # fmt: skip

    def release(self, cidr: str) -> None:
        shell.run("ip", "route", "delete", "unreachable", cidr, "proto", PROTOCOL,
                  "metric", self.metric, check=False)  # fmt: skip

    def held(self) -> set[str]:
        """Address ranges that this cloud holds."""
        listed = json.loads(shell.run("ip", "-json", "-4", "route", "show", "proto", PROTOCOL))
        return {route["dst"] for route in listed if route.get("metric") == self.metric}

    def devices(self) -> set[str]:
        return {
            path.name
            for path in Path("/sys/class/net").iterdir()
            if path.name.startswith(self.prefix)
        }

    def namespaces(self) -> set[str]:
        directory = Path("/run/netns")
        if not directory.exists():
            return set()
        return {path.name for path in directory.iterdir() if path.name.startswith(self.prefix)}

    def processes(self) -> list[int]:
        """What runs on this cloud's hosts."""
        return [
            int(pid)
            for name in self.namespaces()
            for pid in shell.run("ip", "netns", "pids", name, check=False).split()
        ]

    def destroy(self) -> None:
        processes.end(self.processes(), seconds=1)
        for cidr in self.held():
            self.release(cidr)
        for name in self.devices() | self.namespaces():
            self.remove(name)


def conflicting_route(cidr: str) -> str | None:
    """The route of this machine, made by someone else, that overlaps ``cidr``."""
    wanted = ipaddress.ip_network(cidr)
    for route in json.loads(shell.run("ip", "-json", "-4", "route", "show", "table", "main")):
        destination = route["dst"]
        if destination == "default" or str(route.get("protocol")) == PROTOCOL:
            continue
        if wanted.overlaps(ipaddress.ip_network(destination, strict=False)):
            return f"{destination} dev {route.get('dev', '-')}"
    return None


def _sysctl(key: str, value: str) -> None:
    # interface names hold no dots, so the plain replacement is right
    Path("/proc/sys", key.replace(".", "/")).write_text(value)
