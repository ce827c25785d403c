"""Which zone, type and purchase option is next, and which instance is to go."""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from moto.ec2.models.instance_types import INSTANCE_TYPES

from localcloud.services.autoscaling.configuration import Configuration
from localcloud.services.autoscaling.model import Member

POLICIES = (
    "Default", "OldestInstance", "NewestInstance", "OldestLaunchTemplate",
    "ClosestToNextInstanceHour",
)  # fmt: skip
HOUR = 3600


def on_demand(distribution: dict | None, capacity: int) -> int:
    """How many of ``capacity`` are bought on demand; a fraction is rounded up to it."""
    if distribution is None:
        return capacity
    base = min(capacity, int(distribution["OnDemandBaseCapacity"]))
    share = int(distribution["OnDemandPercentageAboveBaseCapacity"])
    return base + math.ceil((capacity - base) * share / 100)


def wants_spot(configuration: Configuration, spots: Iterable[bool], capacity: int) -> bool:
    """Whether the next instance beside these is to be a Spot instance."""
    if configuration.distribution is None:
        return False
    bought = sum(not each for each in spots)
    return bought >= on_demand(configuration.distribution, capacity)


def zones(subnet_zones: dict[str, str], used: Iterable[str]) -> list[str]:
    """Zones, those with the fewest instances first."""
    count = Counter(used)
    return sorted(dict.fromkeys(subnet_zones.values()), key=lambda each: count[each])


def types(configuration: Configuration, own: str, spot: bool) -> list[str]:
    """Types in the order in which they are tried; ``own`` is the template's.

    Prices here follow the size, and no pool is deeper than another: so strategies that ask for
    capacity alone take the order of the overrides.
    """
    listed = list(configuration.types) or [own]
    distribution = configuration.distribution or {}
    strategy = distribution.get(
        "SpotAllocationStrategy" if spot else "OnDemandAllocationStrategy", ""
    )
    return sorted(listed, key=_size) if strategy in CHEAPEST else listed


CHEAPEST = ("lowest-price", "price-capacity-optimized")


def _size(instance_type: str) -> tuple[int, int]:
    kind = INSTANCE_TYPES[instance_type]
    return kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]


def unbalanced(subnet_zones: dict[str, str], used: list[str]) -> bool:
    """Whether a zone has two instances more than another, or one is in none of the group's."""
    count = Counter(used)
    known = set(subnet_zones.values())
    if set(count) - known:
        return True
    numbers = [count[each] for each in known]
    return max(numbers, default=0) - min(numbers, default=0) > 1


def victim(members: list[Member], policies: list[str], configuration: Configuration, ec2,
           capacity: int, now: datetime) -> Member | None:  # fmt: skip
    """The one to terminate: from the fullest zone, by the termination policies in their order."""
    found = [each for each in members if not each.protected_from_scale_in]
    if not found:
        return None
    started = [each for each in found if each.in_service]
    found = started or found
    if configuration.distribution is not None:
        bought = [each for each in members if not each.origin.spot]
        spare = len(bought) > on_demand(configuration.distribution, capacity)
        found = [each for each in found if each.origin.spot != spare] or found
    fullest = Counter(each.zone for each in members)
    most = max(fullest[each.zone] for each in found)
    found = [each for each in found if fullest[each.zone] == most]
    for policy in policies:
        found = _narrow(found, policy, configuration, ec2, now)
    return min(found, key=lambda each: (each.launched, each.id))


def _narrow(found: list[Member], policy: str, configuration: Configuration, ec2,
            now: datetime) -> list[Member]:  # fmt: skip
    if len(found) == 1:
        return found
    if policy == "OldestInstance":
        return _least(found, lambda each: each.launched)
    if policy == "NewestInstance":
        return _least(found, lambda each: -each.launched.timestamp())
    if policy == "ClosestToNextInstanceHour":
        return _least(found, lambda each: HOUR - (now - each.launched).total_seconds() % HOUR)
    found = _oldest_template(found, configuration, ec2)
    if policy == "Default":
        return _narrow(found, "ClosestToNextInstanceHour", configuration, ec2, now)
    return found


def _oldest_template(found: list[Member], configuration: Configuration, ec2) -> list[Member]:
    """Those of another template than the group's, else those of the oldest version."""
    wanted = configuration.template(ec2).id
    others = [each for each in found if each.origin.template_id != wanted]
    return others or _least(found, lambda each: int(each.origin.version))


def _least(found: list[Member], key) -> list[Member]:
    least = min(map(key, found))
    return [each for each in found if key(each) == least]
