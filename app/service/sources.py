"""Where pictures may be fetched from: public addresses that are not our own."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings

from service import names
from service.errors import Problem

# Where the web is served. At others a visitor could have us knock on every door of a network.
PORTS = {80, 443, 8080, 8443}
UNICAST_6 = ip_network("2000::/3")
NAT64 = ip_network("64:ff9b::/96")


def resolve(host: str, port: int, deadline: float) -> list[str]:
    """The addresses of `host` to connect to, once all of them are allowed."""
    if names.is_own(host):
        raise forbidden()
    addresses = names.lookup(host, deadline)
    if not addresses or not all(is_allowed(address) for address in addresses):
        raise forbidden()
    if all(is_opened(address) for address in addresses):
        return addresses
    if port not in PORTS:
        listed = ", ".join(map(str, sorted(PORTS)))
        raise Problem(403, f"Pictures are fetched from these ports only: {listed}.")
    if not {str(reached(address)) for address in addresses} & names.own_addresses(deadline):
        return addresses
    raise forbidden()


def forbidden() -> Problem:
    return Problem(403, "Pictures cannot be fetched from this source.")


def is_opened(address: str) -> bool:
    """Whether a setting says so: at any port."""
    return any(reached(address) in network for network in settings.ALLOWED_SOURCES)


def is_allowed(address: str) -> bool:
    """Whether a connection may go there: public unicast addresses, and those that are opened."""
    ip = reached(address)
    if ip.is_link_local:  # the metadata service: no setting opens it
        return False
    if any(ip in network for network in settings.FORBIDDEN_SOURCES):
        return False
    if is_opened(address):
        return True
    # Python calls site-local and other retired IPv6 networks global; routers may know them still.
    if ip.version == 6 and ip not in UNICAST_6:
        return False
    return ip.is_global and not ip.is_multicast


def reached(address: str) -> IPv4Address | IPv6Address:
    """Where it leads: ::ffff:10.0.0.1, 2002:0a00:0001:: and 64:ff9b::a00:1 all to 10.0.0.1."""
    ip = ip_address(address)
    if ip.version == 4:
        return ip
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
