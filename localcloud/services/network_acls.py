"""Network ACLs: the firewall keeps a subnet's rules, in their order and for each packet."""

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.network_acls import NetworkAclBackend
from moto.ec2.responses.network_acls import NetworkACLs

from localcloud import firewall
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.instances import tag
from localcloud.services.security_groups import ports_of, protocol_of

LAST = 32767  # what no rule has let through is denied


class NetworkAcls(Service):
    """CreateNetworkAclEntry takes what the firewall can keep."""

    def of(self, subnet) -> firewall.Acl | None:
        """A subnet's rules; None where they let everything through."""
        for acl in self.cloud.backend("ec2").network_acls.values():
            if any(each.subnet_id == subnet.id for each in acl.associations):
                ingress, egress = (_entries(acl, egress) for egress in (False, True))
                if _all(ingress) and _all(egress):
                    return None
                return firewall.Acl(subnet.id, subnet.cidr_block, ingress, egress)
        return None

    def rows(self) -> list[Row]:
        return [
            Row(
                id=each.id,
                kind="network ACL",
                name=tag(each, "Name"),
                state=f"{len(_entries(each, False))} in, {len(_entries(each, True))} out",
                address=each.vpc_id,
                real=f"firewall of {len(each.associations)} subnets",
                health="ok",
            )
            for each in list(self.cloud.backend("ec2").network_acls.values())
            if not each.default
        ]

    @hook(NetworkAclBackend, "create_network_acl", "self, vpc_id, tags, default")
    def create(self, original, backend, vpc_id, tags=None, default=False):
        acl = original(backend, vpc_id, tags, default)
        for egress in (True, False) if not default else ():
            backend.create_network_acl_entry(
                acl.id, LAST, "-1", "deny", egress, "0.0.0.0/0", None, None, None, None, None
            )
        return acl

    @hook(NetworkACLs, "create_network_acl_entry", "self")
    def add_by_request(self, original, response):
        return original(_with_icmp(response))

    @hook(NetworkACLs, "replace_network_acl_entry", "self")
    def replace_by_request(self, original, response):
        return original(_with_icmp(response))

    @hook(NetworkAclBackend, "create_network_acl_entry",
          "self, network_acl_id, rule_number, protocol, rule_action, egress, cidr_block, "
          "icmp_code, icmp_type, port_range_from, port_range_to, ipv6_cidr_block")  # fmt: skip
    def add(self, original, backend, network_acl_id, rule_number, protocol, rule_action, egress,
            cidr_block, icmp_code, icmp_type, port_range_from, port_range_to,
            ipv6_cidr_block):  # fmt: skip
        name = protocol_of(protocol)
        first, last = port_range_from, port_range_to
        if name in ("icmp", "icmpv6"):
            first, last = icmp_type, icmp_code
        ports_of(name, first, last)
        if rule_action not in ("allow", "deny") or not 1 <= int(rule_number) <= LAST:
            raise EC2ClientError(
                "InvalidParameterValue", f"Invalid rule: {rule_number} {rule_action}."
            )
        return original(
            backend, network_acl_id, int(rule_number), protocol, rule_action, egress, cidr_block,
            icmp_code, icmp_type, port_range_from, port_range_to, ipv6_cidr_block,
        )  # fmt: skip

    @hook(NetworkAclBackend, "delete_network_acl_entry",
          "self, network_acl_id, rule_number, egress")  # fmt: skip
    def remove(self, original, backend, network_acl_id, rule_number, egress):
        acl = backend.get_network_acl(network_acl_id)
        number, outwards = int(rule_number), bool(egress)
        if not any(e.rule_number == number and e.egress == outwards for e in acl.entries):
            raise EC2ClientError(
                "InvalidNetworkAclEntry.NotFound",
                f"The network acl entry identified by {number} does not exist.",
            )
        return original(backend, network_acl_id, number, outwards)

    @hook(NetworkAclBackend, "delete_network_acl", "self, network_acl_id")
    def delete(self, original, backend, network_acl_id):
        if backend.get_network_acl(network_acl_id).default:
            raise EC2ClientError(
                "InvalidParameterValue", f"cannot delete default network ACL {network_acl_id}"
            )
        return original(backend, network_acl_id)

    @hook(NetworkAclBackend, "replace_network_acl_association",
          "self, association_id, network_acl_id")  # fmt: skip
    def associate(self, original, backend, association_id, network_acl_id):
        wanted = backend.get_network_acl(network_acl_id)
        held = [a for a in backend.network_acls.values() if association_id in a._associations]
        if not held:
            raise EC2ClientError(
                "InvalidAssociationID.NotFound",
                f"The association ID '{association_id}' does not exist",
            )
        if held[0].vpc_id != wanted.vpc_id:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"{network_acl_id} and the subnet are of different VPCs.",
            )
        return original(backend, association_id, network_acl_id)


def _with_icmp(response):
    """moto looks for ICMP's type and code under the name that they have on the wire."""
    response.params["Icmp"] = response._get_param("IcmpTypeCode", {})
    return response


def _entries(acl, egress: bool) -> tuple[firewall.Entry, ...]:
    """The rules of one direction in their order; hosts have no IPv6, so its rules are left out."""
    found = []
    for each in sorted(acl.entries, key=lambda entry: int(entry.rule_number)):
        if bool(each.egress) is not egress or not each.cidr_block:
            continue
        protocol = protocol_of(each.protocol)
        icmp = protocol in ("icmp", "icmpv6")
        first = each.icmp_type if icmp else each.port_range_from
        last = each.icmp_code if icmp else each.port_range_to
        ports = ports_of(protocol, first, last)
        known = ports if ports[0] is not None and ports[0] >= 0 else None
        rule = firewall.Rule(protocol, known, (each.cidr_block,))
        found.append(firewall.Entry(each.rule_action == "allow", rule))
    return tuple(found)


def _all(entries: tuple[firewall.Entry, ...]) -> bool:
    first = entries[0] if entries else None
    return (
        bool(first)
        and first.allow
        and first.rule.protocol == "-1"
        and first.rule.peers == ("0.0.0.0/0",)
    )
