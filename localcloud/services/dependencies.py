"""What stands on something keeps it: deletions that EC2 refuses with DependencyViolation."""

import ipaddress
from collections.abc import Iterator

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import nat_gateways
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from localcloud.hooks import hook
from localcloud.services.base import Service


def of_vpc(backend, vpc_id: str) -> Iterator:
    """What keeps a VPC; its default group, main route table and default ACL do not."""
    yield from (each for each in backend.describe_subnets() if each.vpc_id == vpc_id)
    groups = backend.groups.get(vpc_id, {}).values()
    yield from (each for each in groups if each.name != "default")
    gateways = backend.internet_gateways.values()
    yield from (each for each in gateways if each.vpc and each.vpc.id == vpc_id)
    tables = backend.route_tables.values()
    yield from (e for e in tables if e.vpc_id == vpc_id and not e.main_association_id)
    acls = backend.network_acls.values()
    yield from (each for each in acls if each.vpc_id == vpc_id and not each.default)
    endpoints = backend.vpc_end_points.values()
    yield from (e for e in endpoints if e.vpc_id == vpc_id and e.state != "deleted")
    egress_only = backend.egress_only_internet_gateways.values()
    yield from (each for each in egress_only if each.vpc_id == vpc_id)
    yield from (
        each
        for each in backend.vpc_pcxs.values()
        if vpc_id in (each.vpc.id, each.peer_vpc.id) and each._status.code == "active"
    )


class Dependencies(Service):
    """A subnet, a gateway, an address or an interface that is used cannot be taken away."""

    @hook(SubnetBackend, "delete_subnet", "self, subnet_id")
    def delete_subnet(self, original, backend, subnet_id):
        subnet = backend.get_subnet(subnet_id)
        block = ipaddress.ip_network(subnet.cidr_block)
        users = [each for each in backend.enis.values() if each.subnet.id == subnet_id]
        users += [
            each
            for service in self.cloud.services
            for each in service.interfaces()
            if each.vpc == subnet.vpc_id and ipaddress.ip_address(each.address) in block
        ]
        users += [
            each
            for each in backend.nat_gateways.values()
            if each.subnet_id == subnet_id and each.state not in ("deleted", "failed")
        ]
        if users:
            raise DependencyViolationError(
                f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
            )
        for acl in backend.network_acls.values():
            for key in [k for k, v in acl._associations.items() if v.subnet_id == subnet_id]:
                del acl._associations[key]
        for table in backend.route_tables.values():
            for key in [k for k, v in table._associations.items() if v == subnet_id]:
                del table._associations[key]
        return original(backend, subnet_id)

    @hook(InternetGatewayBackend, "detach_internet_gateway", "self, internet_gateway_id, vpc_id")
    def detach_gateway(self, original, backend, internet_gateway_id, vpc_id):
        gateway = backend.get_internet_gateway(internet_gateway_id)
        attached = gateway.vpc and gateway.vpc.id == vpc_id
        if attached and any(
            each.public_ip and each.subnet.vpc_id == vpc_id for each in backend.enis.values()
        ):
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public "
                "address(es) before detaching the gateway."
            )
        return original(backend, internet_gateway_id, vpc_id)

    @hook(ElasticAddressBackend, "release_address", "self, address, allocation_id")
    def release(self, original, backend, address=None, allocation_id=None):
        found = (
            backend.address_by_ip([address])
            if address
            else backend.address_by_allocation([allocation_id])
        )
        interface = found[0].eni
        if interface and interface.id in backend.enis:
            raise EC2ClientError(
                "InvalidIPAddress.InUse",
                f"Address {found[0].public_ip} is in use: disassociate it first.",
            )
        return original(backend, address, allocation_id)

    @hook(ElasticNetworkInterfaces, "delete_network_interface", "self")
    def delete_interface(self, original, response):
        interface = response.ec2_backend.get_network_interface(
            response._get_param("NetworkInterfaceId")
        )
        if interface.status == "in-use":
            raise EC2ClientError(
                "InvalidParameterValue", f"Network interface '{interface.id}' is currently in use."
            )
        return original(response)

    @hook(NetworkInterfaceBackend, "delete_network_interface", "self, eni_id")
    def free_addresses(self, original, backend, eni_id):
        """An Elastic IP is free again when its interface is gone."""
        original(backend, eni_id)
        for each in backend.addresses:
            if each.eni and each.eni.id == eni_id:
                each.eni = each.instance = each.association_id = None

    @hook(nat_gateways, "random_private_ip", "cidr, ipv6")
    def nat_address(self, original, cidr=None, ipv6=False):
        """moto's is of no subnet: None lets the subnet give one."""
        return

    @hook(NatGatewayBackend, "create_nat_gateway",
          "self, subnet_id, allocation_id, tags, connectivity_type")  # fmt: skip
    def create_nat(self, original, backend, *args, **kwargs):
        gateway = original(backend, *args, **kwargs)
        gateway.private_ip = gateway._eni.private_ip_address
        gateway._eni.status = "in-use"
        return gateway

    @hook(NatGatewayBackend, "delete_nat_gateway", "self, nat_gateway_id")
    def delete_nat(self, original, backend, nat_gateway_id):
        """moto keeps the interface, and with it the Elastic IP."""
        if nat_gateway_id not in backend.nat_gateways:
            raise EC2ClientError(
                "NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found"
            )
        gateway = original(backend, nat_gateway_id)
        if gateway._eni.id in backend.enis:
            gateway._eni.delete()
        return gateway
