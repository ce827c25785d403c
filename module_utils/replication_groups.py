"""Replication groups of ElastiCache as values: what is there, what is wanted, what differs."""

# Our names of what can be changed and what cannot: the API's.
CHANGEABLE = {
    "description": "ReplicationGroupDescription",
    "node_type": "CacheNodeType",
    "engine_version": "EngineVersion",
    "automatic_failover": "AutomaticFailoverEnabled",
    "multi_az": "MultiAZEnabled",
    "parameter_group": "CacheParameterGroupName",
    "security_groups": "SecurityGroupIds",
    "snapshot_days": "SnapshotRetentionLimit",
    "minor_upgrades": "AutoMinorVersionUpgrade",
}
FIXED = {
    "engine": "Engine",
    "port": "Port",
    "subnet_group": "CacheSubnetGroupName",
    "transit_encryption": "TransitEncryptionEnabled",
    "at_rest_encryption": "AtRestEncryptionEnabled",
}


def found(group, member):
    """A group by our names; ``member`` is one of its nodes, as DescribeCacheClusters tells it.

    A group that is still being made lacks some of it.
    """
    state = {
        "description": group.get("Description"),
        "node_type": group.get("CacheNodeType"),
        "nodes": len(group.get("MemberClusters", [])),
        "engine": member.get("Engine"),
        "engine_version": member.get("EngineVersion"),
        "automatic_failover": group.get("AutomaticFailover") in ("enabled", "enabling"),
        "multi_az": group.get("MultiAZ") == "enabled",
        "parameter_group": member.get("CacheParameterGroup", {}).get("CacheParameterGroupName"),
        "security_groups": sorted(
            each["SecurityGroupId"] for each in member.get("SecurityGroups", [])
        ),
        "snapshot_days": group.get("SnapshotRetentionLimit"),
        "minor_upgrades": group.get("AutoMinorVersionUpgrade"),
        "port": endpoint(group, "PrimaryEndpoint").get("port"),
        "subnet_group": member.get("CacheSubnetGroupName"),
        "transit_encryption": group.get("TransitEncryptionEnabled", False),
        "at_rest_encryption": group.get("AtRestEncryptionEnabled", False),
        "auth_token": group.get("AuthTokenEnabled", False),
    }
    return {name: value for name, value in state.items() if value is not None}


def endpoint(group, which):
    """``address`` and ``port`` of the primary or of the replicas; empty while there is none."""
    at = next((each[which] for each in group.get("NodeGroups", []) if which in each), None)
    return {"address": at["Address"], "port": at["Port"]} if at else {}


def differences(state, wanted):
    """What of ``wanted`` the group has not. A newer engine than the wanted one is no difference."""
    return {
        name: value
        for name, value in wanted.items()
        if (
            older(state.get(name, "0"), value)
            if name == "engine_version"
            else state.get(name) != value
        )
    }


def older(version, wanted):
    """Whether a version is before the wanted one, which may say less of it: 8.0.1 is an 8.0."""
    numbers, least = ([int(part) for part in each.split(".")] for each in (version, wanted))
    return numbers[: len(least)] < least


def fixed(changes):
    """Names of those that ElastiCache changes only by making the group anew."""
    return [name for name in changes if name in FIXED or name == "auth_token"]


def creation(name, wanted, token):
    """Arguments of CreateReplicationGroup."""
    arguments = {"ReplicationGroupId": name, "NumCacheClusters": wanted["nodes"]}
    arguments |= {key: wanted[ours] for ours, key in (CHANGEABLE | FIXED).items() if ours in wanted}
    return arguments | ({"AuthToken": token} if token else {})


def modification(changes):
    """Arguments of ModifyReplicationGroup; empty when it is not needed."""
    return {key: changes[ours] for ours, key in CHANGEABLE.items() if ours in changes}


def settled(group):
    """Whether nothing is under way in the group."""
    pending = group.get("PendingModifiedValues", {})
    return group["Status"] == "available" and "AuthTokenStatus" not in pending
