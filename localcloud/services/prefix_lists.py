"""Managed prefix lists: an account's own, and AWS's, of which CloudFront's holds the edge here."""

from moto.ec2.exceptions import (
    DependencyViolationError,
    EC2ClientError,
    RulesPerSecurityGroupLimitExceededError,
)
from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend

from localcloud import registry
from localcloud.hooks import hook
from localcloud.services.base import Service

CLOUDFRONT = "com.amazonaws.global.cloudfront.origin-facing"
# As how many rules a rule with one of AWS's lists counts; with an account's own list, as many as
# that may have entries.
WEIGHTS = {CLOUDFRONT: 55, "com.amazonaws.global.groundstation": 5, "vpc-lattice": 10}
QUOTA = 60  # rules of a security group, of each direction


class PrefixLists(Service):
    """What a list holds, and who may change it."""

    def adopt(self) -> list[str]:
        """CloudFront comes from this cloud's edge, not from AWS's addresses."""
        block = str(registry.edge_block(self.cloud.settings.id))
        for each in self._lists().values():
            if each.prefix_list_name == CLOUDFRONT and each.owner_id == "AWS":
                each.entries = {1: [{"Cidr": block, "Description": "default"}]}
        return []

    @hook(ManagedPrefixListBackend, "delete_managed_prefix_list", "self, prefix_list_id")
    def delete(self, original, backend, prefix_list_id):
        _own(backend, prefix_list_id)
        for group in [each for of_vpc in backend.groups.values() for each in of_vpc.values()]:
            rules = [*group.ingress_rules, *group.egress_rules]
            if any(each.prefix_list_id == prefix_list_id for each in rules):
                raise DependencyViolationError(
                    f"The prefix list '{prefix_list_id}' is referenced by {group.id}."
                )
        return original(backend, prefix_list_id)

    @hook(ManagedPrefixListBackend, "modify_managed_prefix_list",
          "self, add_entry, remove_entry, prefix_list_id, current_version, "
          "prefix_list_name")  # fmt: skip
    def modify(self, original, backend, add_entry, remove_entry, prefix_list_id=None,
               current_version=None, prefix_list_name=None):  # fmt: skip
        found = _own(backend, prefix_list_id)
        name = prefix_list_name or found.prefix_list_name
        return original(backend, add_entry, remove_entry, prefix_list_id, current_version, name)

    @hook(ManagedPrefixListBackend, "get_managed_prefix_list_entries", "self, prefix_list_id")
    def entries(self, original, backend, prefix_list_id):
        if prefix_list_id not in backend.managed_prefix_lists:
            raise no_prefix_list(prefix_list_id)
        return original(backend, prefix_list_id)

    def blocks(self, prefix_list_id: str) -> tuple[str, ...]:
        """The IPv4 blocks of a prefix list; none when it is gone."""
        found = self._lists().get(prefix_list_id)
        if found is None or found.address_family != "IPv4" or found.state == "delete-complete":
            return ()
        entries = found.entries.get(found.version or max(found.entries, default=None)) or []
        return tuple(each["Cidr"] for each in entries)

    def _lists(self) -> dict:
        return self.cloud.backend("ec2").managed_prefix_lists


def check_quota(group) -> None:
    """Raise when a security group has more rules than EC2 lets it have."""
    for rules in (group.ingress_rules, group.egress_rules):
        if sum(map(_weight, rules)) > QUOTA:
            raise RulesPerSecurityGroupLimitExceededError


def _weight(rule) -> int:
    """As how many rules a rule counts."""
    found = rule.ec2_backend.managed_prefix_lists.get(rule.prefix_list_id)
    if found is None:
        return 1
    if found.owner_id != "AWS":
        return int(found.max_entries or 1)
    name = found.prefix_list_name
    return next((weight for end, weight in WEIGHTS.items() if name.endswith(end)), 1)


def _own(backend, prefix_list_id: str | None):
    """A list that is the account's to change."""
    found = backend.managed_prefix_lists.get(prefix_list_id)
    if found is None:
        raise no_prefix_list(prefix_list_id)
    if found.owner_id == "AWS":
        raise EC2ClientError(
            "UnauthorizedOperation", f"The prefix list '{prefix_list_id}' is managed by AWS."
        )
    return found


def no_prefix_list(prefix_list_id: str | None) -> EC2ClientError:
    return EC2ClientError(
        "InvalidPrefixListID.NotFound", f"The prefix list ID '{prefix_list_id}' does not exist"
    )
