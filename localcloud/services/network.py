"""VPC, subnets, routes, security groups and public addresses, as one firewall and routes."""

import ipaddress
import logging
import random
from collections import Counter

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.vpcs import VPC, VPCBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

from localcloud import firewall, registry
from localcloud.hooks import hook
from localcloud.network import conflicting_route
from localcloud.services import dependencies
from localcloud.services.base import Row, Service
from localcloud.services.instances import tag
from localcloud.services.network_acls import NetworkAcls
from localcloud.services.security_groups import SecurityGroups

log = logging.getLogger("localcloud.network")

# The types that DescribeTags filters by on AWS; modules look for tags with them.
EC2_PREFIX_TO_RESOURCE.update(eipalloc="elastic-ip", nat="natgateway")
# DescribeRouteTables always has them, and modules compare them.
RouteTable.propagating_vgws = []


class Vpcs(Service):
    """CreateVpc claims its addresses on this machine, or fails and says who has them."""

    @hook(VPCBackend, "create_vpc",
          "self, cidr_block, instance_tenancy, amazon_provided_ipv6_cidr_block, "
          "ipv6_cidr_block_network_border_group, tags, is_default")  # fmt: skip
    def create(self, original, backend, cidr_block, *args, **kwargs):
        if kwargs.get("is_default"):
            # every region has one from the start; it claims its addresses with its first host
            return original(backend, cidr_block, *args, **kwargs)
        self.claim(cidr_block)
        vpc = original(backend, cidr_block, *args, **kwargs)
        self._register()
        self.cloud.network.hold(cidr_block)
        return vpc

    @hook(VPCBackend, "delete_vpc", "self, vpc_id")
    def delete(self, original, backend, vpc_id):
        backend.get_vpc(vpc_id)
        if any(dependencies.of_vpc(backend, vpc_id)):
            raise DependencyViolationError(
                f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
            )
        backend.disassociate_dhcp_options(backend.get_vpc(vpc_id))  # moto would delete the set
        vpc = original(backend, vpc_id)
        # moto leaves what came with the VPC
        for acl in [each for each in backend.network_acls.values() if each.vpc_id == vpc_id]:
            del backend.network_acls[acl.id]
        backend.groups.pop(vpc_id, None)
        self.cloud.network.release(vpc.cidr_block)
        self._register()
        return vpc

    @hook(VPC, "dhcp_options_id", "self")
    def dhcp_options(self, original, vpc):
        """Of a VPC without its own: the set that every region has."""
        if vpc.dhcp_options:
            return original(vpc)
        backend = vpc.ec2_backend
        for each in backend.dhcp_options_sets.values():
            if getattr(each, "of_region", False):
                return each.id
        made = backend.create_dhcp_options(["AmazonProvidedDNS"], ["ec2.internal"])
        made.of_region = True
        return made.id

    def adopt(self) -> list[str]:
        self._register()
        known = {vpc.cidr_block for vpc in self._claimed()}
        for cidr in known:
            self.cloud.network.hold(cidr)
        unknown = sorted(self.cloud.network.held() - known)
        for cidr in unknown:
            self.cloud.network.release(cidr)
        return [f"released {cidr}: the API knows no such VPC" for cidr in unknown]

    def claim(self, cidr: str) -> None:
        """Fail unless ``cidr`` is free on this machine."""
        try:
            wanted = ipaddress.ip_network(cidr)
        except ValueError:
            return  # moto says what is wrong with it
        own = [vpc for vpc in self._claimed() if ipaddress.ip_network(vpc.cidr_block) == wanted]
        holders = [f"the VPC {vpc.id} of this local cloud" for vpc in own]
        holders += [
            f"the local cloud in {entry['state']}"
            for entry in registry.others(self.cloud.settings.id)
            for taken in entry["cidrs"]
            if wanted.overlaps(ipaddress.ip_network(taken))
        ]
        route = conflicting_route(cidr)
        if route:
            holders.append(f"this machine's route {route}")
        if holders:
            raise EC2ClientError(
                "InvalidVpc.Range",
                f"{cidr} overlaps {holders[0]}; give this one another CIDR block",
            )

    def rows(self) -> list[Row]:
        return [
            Row(
                id=vpc.id,
                kind="VPC",
                name=tag(vpc, "Name"),
                state=vpc.state,
                address=vpc.cidr_block,
                real=f"nftables inet {firewall.table_name(self.cloud.settings.id)}",
                health="ok" if firewall.present(self.cloud.settings.id) else "no firewall",
            )
            for vpc in self._claimed()
        ] + self._parts()

    def _parts(self) -> list[Row]:
        """What the VPCs consist of."""
        backend = self.cloud.backend("ec2")
        vpcs = {vpc.id for vpc in self._claimed()}
        enis = Counter(each.subnet.id for each in list(backend.enis.values()))
        rows = [
            Row(
                id=each.id,
                kind="subnet",
                name=tag(each, "Name"),
                state=each.availability_zone,
                address=each.cidr_block,
                real=f"{enis[each.id]} network interfaces",
                health="ok",
            )
            for each in backend.describe_subnets()
            if each.vpc_id in vpcs
        ]
        rows += [
            Row(
                id=each.id,
                kind="route table",
                name=tag(each, "Name"),
                state="main" if each.main_association_id else "",
                address=", ".join(filter(None, map(_leads, each.routes))),
                real=f"firewall of {len(each._associations)} subnets",
                health="ok",
            )
            for each in list(backend.route_tables.values())
            if each.vpc_id in vpcs
        ]
        rows += [
            Row(
                id=each.id,
                kind="internet gateway",
                name=tag(each, "Name"),
                state="attached" if each.vpc else "detached",
                address=each.vpc.id if each.vpc else "",
                real="masquerade and loopback addresses",
                health="ok",
            )
            for each in list(backend.internet_gateways.values())
        ]
        rows += [
            Row(
                id=each.id,
                kind="NAT gateway",
                name=tag(each, "Name"),
                state=each.state,
                address=each.subnet_id,
                real="masquerade",
                health="ok",
            )
            for each in list(backend.nat_gateways.values())
        ]
        return rows

    def reconcile(self) -> None:
        self._register()

    def _claimed(self):
        return [vpc for vpc in self.cloud.backend("ec2").vpcs.values() if not vpc.is_default]

    def _register(self) -> None:
        registry.write(self.cloud.settings, [vpc.cidr_block for vpc in self._claimed()])


class Interfaces(Service):
    """Network interfaces with their security groups; addresses from the loopback range."""

    @hook(elastic_network_interfaces, "random_public_ip", "")
    def public_address(self, original):
        return self.free_address()

    @hook(elastic_ip_addresses, "random_ip", "")
    def elastic_address(self, original):
        return self.free_address()

    @hook(NetworkInterface, "stop", "self")
    def keep_elastic(self, original, interface):
        """An Elastic IP stays with a stopped instance."""
        if not self._elastic(interface):
            original(interface)

    @hook(NetworkInterface, "check_auto_public_ip", "self")
    def keep_elastic_at_start(self, original, interface):
        if not self._elastic(interface):
            original(interface)

    def interfaces(self) -> list[firewall.Interface]:
        backend = self.cloud.backend("ec2")
        hosts = {
            interface.id
            for each in backend.all_instances()
            if each.state in ("pending", "running")
            for interface in each.nics.values()
        }
        found = []
        for each in [each for each in list(backend.enis.values()) if each.id in hosts]:
            try:
                found.append(
                    self.describe(
                        each.id,
                        each.private_ip_address,
                        each.group_set,
                        each.subnet,
                        each.public_ip,
                    )
                )
            except Exception:
                # to an address that it does not know the firewall lets nothing pass
                log.exception("the firewall leaves %s out", each.id)
        return found

    def describe(self, interface_id, address, groups, subnet, public_ip=None):
        """The firewall's view of an interface with these security groups (moto's objects)."""
        groups = list(groups)
        routed, translated = self._default_route(subnet)
        rendered = self.cloud.service(SecurityGroups).render
        return firewall.Interface(
            id=interface_id,
            address=address,
            vpc=subnet.vpc_id,
            ingress=tuple(
                rendered(rule, self.members) for group in groups for rule in group.ingress_rules
            ),
            egress=tuple(
                rendered(rule, self.members) for group in groups for rule in group.egress_rules
            ),
            public=(public_ip,) if public_ip and routed else (),
            internet=bool((public_ip and routed) or translated),
            isolated=address in self.cloud.isolated,
            acl=self.cloud.service(NetworkAcls).of(subnet),
        )

    def rows(self) -> list[Row]:
        backend = self.cloud.backend("ec2")
        rows = []
        for group in backend.describe_security_groups():
            vpc = backend.vpcs.get(group.vpc_id)
            if vpc is None or vpc.is_default:
                continue
            members = self.members(group.id)
            rows.append(
                Row(
                    id=group.id,
                    kind="security group",
                    name=group.name,
                    state=f"{len(group.ingress_rules)} in, {len(group.egress_rules)} out",
                    address=group.vpc_id,
                    real=f"firewall of {len(members)} network interfaces",
                    health="ok",
                )
            )
        rows += [
            Row(
                id=each.allocation_id,
                kind="Elastic IP",
                name=tag(each, "Name"),
                state="associated" if each.eni else "free",
                address=each.public_ip,
                real=f"leads to {each.eni.private_ip_address}" if each.eni else "",
                health="ok",
            )
            for each in list(backend.addresses)
        ]
        rows += [
            Row(
                id=each.id,
                kind="key pair",
                name=each.key_name,
                state=each.key_type,
                real="the metadata of hosts made with it",
                health="ok",
            )
            for each in list(backend.key_pairs.values())
        ]
        return rows

    def members(self, group_id: str) -> list[str]:
        """Private addresses of all interfaces in a security group, of every service."""
        return [
            address
            for service in self.cloud.services
            for address, groups in service.memberships().items()
            if group_id in groups
        ]

    def memberships(self) -> dict[str, set[str]]:
        backend = self.cloud.backend("ec2")
        return {
            interface.private_ip_address: {group.id for group in interface.group_set}
            for interface in list(backend.enis.values())
            if interface.private_ip_address
        }

    def _default_route(self, subnet) -> tuple[bool, bool]:
        """Whether the subnet's table leads to an internet gateway, and to a NAT gateway."""
        backend = self.cloud.backend("ec2")
        tables = [t for t in backend.route_tables.values() if t.vpc_id == subnet.vpc_id]
        own = [t for t in tables if subnet.id in t._associations.values()]
        main = [t for t in tables if t.main_association_id]
        for route in [route for table in (own or main)[:1] for route in table.routes]:
            if route.destination_cidr_block != "0.0.0.0/0":
                continue
            if route.nat_gateway:
                return False, route.nat_gateway.state == "available"
            if route.gateway_id and route.gateway_id.startswith("igw-"):
                return True, False
        return False, False

    def _elastic(self, interface) -> bool:
        return any(
            each.eni is interface for each in getattr(interface.ec2_backend, "addresses", ())
        )

    def free_address(self) -> str:
        """An unused loopback address of this cloud's own block, so that clouds do not collide."""
        backend = self.cloud.backend("ec2")
        used = {each.public_ip for each in backend.addresses}
        used |= {each.public_ip for each in backend.enis.values()}
        used |= {host.public_address for service in self.cloud.services for host in service.hosts()}
        used.add(registry.website_address(self.cloud.settings.id))
        block = registry.loopback_block(self.cloud.settings.id)
        free = [
            str(address)
            for address in random.sample(list(block.hosts()), 64)
            if str(address) not in used
        ]
        return free[0]


def _leads(route) -> str:
    """Where a route of moto's leads, but for the VPC's own."""
    target = route.nat_gateway.id if route.nat_gateway else route.gateway_id
    return "" if route.local else f"{route.destination_cidr_block} by {target or 'nothing'}"
