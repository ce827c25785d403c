"""Network interfaces: an address of their own each, plugged into the host that has them."""

import ipaddress

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from localcloud.hooks import hook
from localcloud.network import NetworkError
from localcloud.services.base import Service
from localcloud.shell import CommandError

RESERVED = 4  # the first addresses of a subnet are AWS's: network, router, resolver, future


class NetworkInterfaces(Service):
    """CreateNetworkInterface, Attach and Detach; addresses out of a subnet."""

    @hook(Subnet, "get_available_subnet_ip", "self, instance")
    def free_address(self, original, subnet, instance):
        """moto forgets over a restart how far it was, and which addresses are AWS's."""
        taken = set(subnet._subnet_ips) | {str(each) for each in subnet._reserved_ips}
        taken |= _addresses(subnet)
        for address in list(subnet.cidr.hosts())[RESERVED - 1 :]:
            if str(address) not in taken:
                subnet._subnet_ips[str(address)] = instance
                return str(address)
        raise EC2ClientError(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the "
            "requested number of instances.",
        )

    @hook(Subnet, "request_ip", "self, ip, instance")
    def address(self, original, subnet, ip, instance):
        _check_address(subnet, ip)
        subnet._subnet_ips[ip] = instance

    @hook(NetworkInterfaceBackend, "create_network_interface",
          "self, subnet, private_ip_address, private_ip_addresses, group_ids, description, tags, "
          "delete_on_termination, kwargs")  # fmt: skip
    def create(self, original, backend, subnet, private_ip_address, private_ip_addresses=None,
               *args, **kwargs):  # fmt: skip
        wanted = [each["PrivateIpAddress"] for each in private_ip_addresses or ()]
        asked = any(kwargs.get(each) for each in ("secondary_ips_count", "ipv6_address_count"))
        if len(wanted) > 1 or asked or kwargs.get("ipv6_addresses"):
            raise _one_address()
        if isinstance(subnet, str):
            subnet = backend.get_subnet(subnet)
        if isinstance(private_ip_address, list):
            wanted = wanted or private_ip_address
            private_ip_address = None
        address = private_ip_address or next(iter(wanted), None)
        if not address:
            address = subnet.get_available_subnet_ip(None)
        elif address not in subnet._subnet_ips:
            subnet.request_ip(address, None)
        return original(backend, subnet, address, None, *args, **kwargs)

    @hook(ElasticNetworkInterfaces, "create_network_interface", "self")
    def create_by_request(self, original, response):
        address = response._get_param("PrivateIpAddress")
        if address:
            _check_address(
                response.ec2_backend.get_subnet(response._get_param("SubnetId")), address
            )
        return original(response)

    @hook(NetworkInterfaceBackend, "attach_network_interface",
          "self, eni_id, instance_id, device_index")  # fmt: skip
    def attach(self, original, backend, eni_id, instance_id, device_index):
        interface = backend.get_network_interface(eni_id)
        instance = backend.get_instance(instance_id)
        index = int(device_index)
        check_free(interface)
        if instance.state not in ("running", "stopped"):
            raise EC2ClientError(
                "IncorrectInstanceState", f"Instance '{instance_id}' is {instance.state}."
            )
        if index in instance.nics:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Instance '{instance_id}' already has an interface attached at device index "
                f"'{index}'.",
            )
        check_number(instance.instance_type, len(instance.nics) + 1)
        check_zones([interface.availability_zone, instance.availability_zone])
        attachment = original(backend, eni_id, instance_id, index)
        if instance.state == "running":
            try:
                self.plug(instance, index)
            except (CommandError, NetworkError, OSError) as error:
                instance.detach_eni(interface)
                raise EC2ClientError("InternalError", str(error)) from error
        return attachment

    @hook(NetworkInterfaceBackend, "detach_network_interface", "self, attachment_id")
    def detach(self, original, backend, attachment_id):
        interface = _attached(backend, attachment_id)
        if interface and interface.device_index == 0:
            raise EC2ClientError(
                "OperationNotPermitted",
                "The network interface at device index 0 and networkCard index 0 cannot be "
                "detached.",
            )
        original(backend, attachment_id)
        self.cloud.network.unplug(interface.id)

    def plug(self, instance, index: int) -> str:
        """Give a host its interface of this index; return the name of its namespace."""
        interface, first = instance.nics[index], instance.nics[0]
        return self.cloud.network.plug(
            interface.id,
            interface.private_ip_address,
            interface.subnet.cidr_block,
            interface.mac_address,
            index=index,
            host=first.id,
        )

    @hook(ElasticNetworkInterfaces, "modify_network_interface_attribute", "self")
    def modify(self, original, response):
        """moto drops what is to become of the interface, and this cloud routes for nobody else."""
        if response._get_param("SourceDestCheck.Value") is False:
            raise EC2ClientError(
                "UnsupportedOperation",
                "Hosts of this local cloud send from their own addresses only: SourceDestCheck "
                "stays true.",
            )
        change = response._get_param("Attachment", {})
        if "DeleteOnTermination" in change:
            interface = _attached(response.ec2_backend, change.get("AttachmentId"))
            if interface is None or interface.id != response._get_param("NetworkInterfaceId"):
                raise EC2ClientError(
                    "InvalidAttachmentID.NotFound",
                    f"The attachment '{change.get('AttachmentId')}' does not exist",
                )
            interface.delete_on_termination = change["DeleteOnTermination"]
        return original(response)

    @hook(NetworkInterfaceBackend, "assign_private_ip_addresses",
          "self, eni_id, private_ip_addresses, secondary_ips_count")  # fmt: skip
    def assign(self, original, backend, *args, **kwargs):
        raise _one_address()

    @hook(NetworkInterfaceBackend, "assign_ipv6_addresses",
          "self, eni_id, ipv6_addresses, ipv6_count")  # fmt: skip
    def assign_ipv6(self, original, backend, *args, **kwargs):
        raise _one_address()


def check_request(specifications: list[dict], instance_type: str, count: int, backend) -> None:
    """Whether instances can be launched with these interfaces."""
    indexes = [int(each.get("DeviceIndex") or 0) for each in specifications]
    if specifications and (len(set(indexes)) < len(indexes) or 0 not in indexes):
        raise EC2ClientError(
            "InvalidParameterValue",
            "Each network interface requires a device index of its own, and one is 0.",
        )
    check_number(instance_type, max(1, len(specifications)))
    given = [each["NetworkInterfaceId"] for each in specifications if "NetworkInterfaceId" in each]
    if given and count > 1:
        raise EC2ClientError(
            "InvalidParameterCombination",
            "A network interface may not be specified for several instances.",
        )
    interfaces = [backend.get_network_interface(each) for each in given]
    for each in interfaces:
        check_free(each)
    subnets = [backend.get_subnet(e["SubnetId"]) for e in specifications if e.get("SubnetId")]
    check_zones([each.availability_zone for each in [*interfaces, *subnets]])


def check_free(interface) -> None:
    if interface.status != "available":
        raise EC2ClientError(
            "InvalidNetworkInterface.InUse", f"Interface: [{interface.id}] in use."
        )


def check_number(instance_type: str, number: int) -> None:
    limit = INSTANCE_TYPES[instance_type]["NetworkInfo"]["MaximumNetworkInterfaces"]
    if number > limit:
        raise EC2ClientError(
            "AttachmentLimitExceeded",
            f"Interface count {number} exceeds the limit for {instance_type}, which is {limit}.",
        )


def check_zones(zones: list[str]) -> None:
    if len(set(zones)) > 1:
        raise EC2ClientError(
            "InvalidParameterCombination",
            "You may not attach a network interface to an instance if they are not in the same "
            "availability zone",
        )


def _attached(backend, attachment_id: str | None):
    found = [each for each in backend.enis.values() if each.attachment_id == attachment_id]
    return found[0] if attachment_id and found else None


def _addresses(subnet) -> set[str]:
    return {
        each.private_ip_address
        for each in list(subnet.ec2_backend.enis.values())
        if each.subnet.id == subnet.id
    }


def _check_address(subnet, address: str) -> None:
    """Whether an address that was asked for is the subnet's to give."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        raise EC2ClientError(
            "InvalidParameterValue", f"invalid value for parameter address: {address}"
        ) from None
    if wanted not in subnet.cidr:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Address {address} does not fall within the subnet's address range",
        )
    number = int(wanted) - int(subnet.cidr.network_address)
    if number < RESERVED or wanted == subnet.cidr.broadcast_address:
        raise EC2ClientError(
            "InvalidParameterValue", f"Address {address} is in subnet's reserved address range"
        )
    if address in subnet._subnet_ips or address in _addresses(subnet):
        raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address} is in use.")


def _one_address() -> EC2ClientError:
    return EC2ClientError(
        "UnsupportedOperation",
        "A network interface of this local cloud has one private IPv4 address, and no IPv6.",
    )
