"""Security groups: rules that the firewall keeps, or the API refuses."""

import contextlib

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    DependencyViolationError,
    EC2ClientError,
    InvalidCIDRSubnetError,
    InvalidPermissionNotFoundError,
    InvalidSecurityGroupNotFoundError,
    InvalidSecurityGroupRuleIdNotFoundError,
)
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupBackend, SecurityGroupRule
from moto.ec2.responses.security_groups import SecurityGroups as SecurityGroupsResponse
from moto.ec2.utils import is_valid_cidr, is_valid_ipv6_cidr

from localcloud import firewall
from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.prefix_lists import PrefixLists, check_quota, no_prefix_list

# The API takes numbers and names, and answers these by name.
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "-1": "-1", "all": "-1"}
ICMP = ("icmp", "icmpv6")


def protocol_of(given) -> str:
    """The protocol as the API answers it; an error for what is none."""
    name = str(given if given is not None else "").lower()
    name = PROTOCOLS.get(name, name)
    if name in PROTOCOLS.values() or (name.isdecimal() and int(name) <= 255):
        return name
    raise _invalid(f"Invalid value '{given}' for IP protocol. Unknown protocol.")


def ports_of(protocol: str, first, last) -> tuple[int | None, int | None]:
    """Ports, or the type and code of ICMP; an error for what AWS refuses."""
    if protocol in ICMP:
        kind, code = (-1 if each is None else int(each) for each in (first, last))
        if not (-1 <= kind <= 255 and -1 <= code <= 255) or (kind == -1 and code != -1):
            raise _invalid(f"Invalid ICMP type or code: {kind}, {code}.")
        return kind, code
    if protocol not in ("tcp", "udp"):
        return None, None  # the rule is for all that the protocol carries
    if first is None or last is None:
        raise _invalid(
            "Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
        )
    first, last = int(first), int(last)
    if (first, last) == (-1, -1):
        return 0, 65535
    if not 0 <= first <= last <= 65535:
        raise _invalid(f"Invalid value '{first}-{last}' for portRange.")
    return first, last


class SecurityGroups(Service):
    """What is authorized is rendered; what is used stays; descriptions can be changed."""

    @hook(SecurityGroupRule, "__init__",
          "self, ec2_backend, ip_protocol, group_id, from_port, to_port, ip_range, source_group, "
          "prefix_list_id, is_egress, tags")  # fmt: skip
    def make(self, original, rule, ec2_backend, ip_protocol, group_id, from_port, to_port,
             ip_range, source_group=None, prefix_list_id=None, *args, **kwargs):  # fmt: skip
        protocol = protocol_of(ip_protocol)
        ports = ports_of(protocol, from_port, to_port)
        prefix = (prefix_list_id or {}).get("PrefixListId")
        if prefix and prefix not in ec2_backend.managed_prefix_lists:
            raise no_prefix_list(prefix)
        original(rule, ec2_backend, protocol, group_id, 0, 0, ip_range, source_group,
                 prefix_list_id, *args, **kwargs)  # fmt: skip
        rule.from_port, rule.to_port = ports
        rule.prefix_description = (prefix_list_id or {}).get("Description")

    @hook(SecurityGroupRule, "__eq__", "self, other")
    def same(self, original, rule, other):
        """Rules are told apart by what they let through, not by their descriptions."""
        return isinstance(other, SecurityGroupRule) and _key(rule) == _key(other)

    @hook(SecurityGroupRule, "description", "self")
    def description(self, original, rule):
        return (
            rule.ip_range.get("Description")
            or rule.source_group.get("Description")
            or getattr(rule, "prefix_description", None)
        )

    @hook(SecurityGroup, "_flattened_rules", "self, rules")
    def permissions(self, original, group, rules):
        views = original(group, rules)
        described = {each.prefix_list_id: each.description for each in rules}
        for each in [each for view in views for each in view.prefix_list_ids]:
            if described.get(each["PrefixListId"]):
                each["Description"] = described[each["PrefixListId"]]
        return views

    @hook(SecurityGroupBackend, "delete_security_group", "self, name, group_id")
    def delete(self, original, backend, name=None, group_id=None):
        if group_id is None:
            found = backend.get_security_group_by_name_or_id(name) if name else None
            group_id = found.id if found else None
        groups = [each for of_vpc in backend.groups.values() for each in of_vpc.values()]
        users = [
            group.id
            for group in groups
            if group.id != group_id
            for rule in [*group.ingress_rules, *group.egress_rules]
            if group_id and rule.source_group.get("GroupId") == group_id
        ]
        users += [
            address
            for service in self.cloud.services
            for address, of_interface in service.memberships().items()
            if group_id in of_interface
        ]
        if users:
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        return original(backend, name, group_id)

    @hook(SecurityGroupsResponse, "authorize_security_group_ingress", "self")
    def authorize_ingress(self, original, response):
        with _all_or_nothing(response, "ingress_rules") as made:
            answer = original(response)
            check_quota(_group(response))
        answer.result["SecurityGroupRules"] = made()
        return answer

    @hook(SecurityGroupsResponse, "authorize_security_group_egress", "self")
    def authorize_egress(self, original, response):
        with _all_or_nothing(response, "egress_rules") as made:
            answer = original(response)
            check_quota(_group(response))
        answer.result["SecurityGroupRules"] = made()
        return answer

    @hook(SecurityGroupsResponse, "revoke_security_group_ingress", "self")
    def revoke_ingress(self, original, response):
        with _all_or_nothing(response, "ingress_rules"):
            return original(response)

    @hook(SecurityGroupsResponse, "revoke_security_group_egress", "self")
    def revoke_egress(self, original, response):
        with _all_or_nothing(response, "egress_rules"):
            return original(response)

    @hook(SecurityGroupsResponse, "update_security_group_rule_descriptions_ingress", "self")
    def describe_ingress(self, original, response):
        return self._describe(response, "ingress_rules")

    @hook(SecurityGroupsResponse, "update_security_group_rule_descriptions_egress", "self")
    def describe_egress(self, original, response):
        return self._describe(response, "egress_rules")

    def _describe(self, response, direction):
        """Set descriptions, of rules named by their ids or by what they let through."""
        rules = getattr(_group(response), direction)
        wanted = []
        for each in response._get_param("SecurityGroupRuleDescriptions", []):
            rule_id = each.get("SecurityGroupRuleId")
            rule = next((rule for rule in rules if rule.id == rule_id), None)
            if rule is None:
                raise InvalidSecurityGroupRuleIdNotFoundError(rule_id)
            wanted.append((rule, each.get("Description")))
        for given in _rules(response) if response._get_param("IpPermissions") else ():
            if given not in rules:
                raise InvalidPermissionNotFoundError()
            wanted.append((rules[rules.index(given)], given.description))
        if not wanted:
            raise EC2ClientError("MissingParameter", "The request must contain rules to describe.")
        for rule, description in wanted:
            _set_description(rule, description)
        return ActionResult({"Return": True})

    @hook(SecurityGroupBackend, "modify_security_group_rules", "self, group_id, rules")
    def modify(self, original, backend, group_id, rules):
        """moto changes ports and IPv4 ranges only."""
        group = backend.get_security_group_by_name_or_id(group_id)
        if group is None:
            raise InvalidSecurityGroupNotFoundError(group_id)
        changes = []
        for rule_id, wanted in rules.items():
            rule = group.get_rule(rule_id)
            if rule is None:
                raise InvalidSecurityGroupRuleIdNotFoundError(rule_id)
            changes.append((rule, _replacement(backend, rule, wanted)))
        for rule, new in changes:
            for name in ("ip_protocol", "from_port", "to_port", "ip_range", "source_group",
                         "prefix_list_id", "prefix_description"):  # fmt: skip
                setattr(rule, name, getattr(new, name))

    def render(self, rule, members) -> firewall.Rule:
        """The firewall's rule; ``members`` gives the addresses of a group's interfaces."""
        if rule.source_group.get("GroupId"):
            peers = tuple(members(rule.source_group["GroupId"]))
        elif rule.prefix_list_id:
            peers = self.cloud.service(PrefixLists).blocks(rule.prefix_list_id)
        else:
            # hosts have no IPv6 here, so its ranges let nobody in
            peers = (rule.ip_range["CidrIp"],) if rule.ip_range.get("CidrIp") else ()
        ports = None
        if rule.from_port is not None and rule.from_port >= 0:
            ports = (int(rule.from_port), int(rule.to_port))
        return firewall.Rule(rule.ip_protocol, ports, peers)


def _invalid(message: str) -> EC2ClientError:
    return EC2ClientError("InvalidParameterValue", message)


def _key(rule: SecurityGroupRule) -> tuple:
    return (
        rule.ip_protocol,
        rule.from_port,
        rule.to_port,
        rule.ip_range.get("CidrIp"),
        rule.ip_range.get("CidrIpv6"),
        rule.source_group.get("GroupId"),
        rule.prefix_list_id,
    )


def _group(response) -> SecurityGroup:
    name = response._get_param("GroupName") or response._get_param("GroupId")
    group = response.ec2_backend.get_security_group_by_name_or_id(name)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(name)
    return group


@contextlib.contextmanager
def _all_or_nothing(response, direction: str):
    """moto handles one permission after the other: an error undoes the ones before it.

    Yields what gives the rules that are new.
    """
    group = _group(response)
    before = list(getattr(group, direction))
    try:
        yield lambda: [
            rule for rule in getattr(group, direction) if all(rule is not old for old in before)
        ]
    except Exception:
        setattr(group, direction, before)
        raise


def _rules(response) -> list[SecurityGroupRule]:
    """The rules that a request names by what they let through."""
    backend = response.ec2_backend
    return [
        rule
        for given in response._process_rules_from_querystring()
        for rule in backend._iterate_security_rules(
            given["ip_protocol"],
            _group(response).id,
            given["from_port"],
            given["to_port"],
            given["ip_ranges"],
            backend._add_source_group(given["source_groups"], None),
            given["prefix_list_ids"],
        )
    ]


def _set_description(rule: SecurityGroupRule, description: str | None) -> None:
    if rule.prefix_list_id:
        rule.prefix_description = description
        return
    where = rule.source_group or rule.ip_range
    where.pop("Description", None)
    if description:
        where["Description"] = description


def _replacement(backend, rule: SecurityGroupRule, wanted: dict) -> SecurityGroupRule:
    """What ModifySecurityGroupRules makes of a rule."""
    peers = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")
    given = [name for name in peers if wanted.get(name) is not None]
    if len(given) != 1:
        code = "MissingParameter" if not given else "InvalidParameterCombination"
        raise EC2ClientError(code, f"The request must contain exactly one of: {', '.join(peers)}")
    was = (
        "ReferencedGroupId" if rule.source_group
        else "PrefixListId" if rule.prefix_list_id
        else "CidrIpv6" if rule.ip_range.get("CidrIpv6")
        else "CidrIpv4"
    )  # fmt: skip
    if given != [was]:
        raise _invalid(
            f"Invalid rule type for security group rule '{rule.id}'. "
            f"You may not specify {given[0]} for an existing {was} rule."
        )
    value = wanted[was]
    description = {"Description": wanted["Description"]} if wanted.get("Description") else {}
    group = prefix = block = None
    if was == "ReferencedGroupId":
        group = backend._add_source_group([{"GroupId": value, **description}], None)[0]
    elif was == "PrefixListId":
        prefix = {"PrefixListId": value, **description}
    else:
        block = {"CidrIp" if was == "CidrIpv4" else "CidrIpv6": value, **description}
        valid = is_valid_cidr if was == "CidrIpv4" else is_valid_ipv6_cidr
        if not valid(value):
            raise InvalidCIDRSubnetError(cidr=value)
    return SecurityGroupRule(
        backend, wanted.get("IpProtocol"), rule.group_id, wanted.get("FromPort"),
        wanted.get("ToPort"), block, group, prefix, is_egress=rule.is_egress,
    )  # fmt: skip
