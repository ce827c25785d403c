"""Node types and versions that there are, and what ElastiCache has on AWS and not here."""

import re

from moto.elasticache.exceptions import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
)
from moto.elasticache.responses import ElastiCacheResponse

from localcloud.hooks import hook
from localcloud.services.base import Service

# maxmemory of a node type in bytes, before what is reserved.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
MEMORY = {
    "cache.t3.micro": 536870912,
    "cache.t3.small": 1471026299,
    "cache.t3.medium": 3317862236,
    "cache.t4g.micro": 536870912,
    "cache.t4g.small": 1471026299,
    "cache.t4g.medium": 3317862236,
    "cache.m5.large": 6854542746,
    "cache.m6g.large": 6854542746,
    "cache.m7g.large": 6854542746,
    "cache.r5.large": 14037181030,
    "cache.r6g.large": 14037181030,
    "cache.r7g.large": 14037181030,
}
FAMILY = "valkey8"
REPLICAS = 5
# AuthToken: printable, 16 to 128 characters, without what breaks command lines.
TOKEN = re.compile(r"[A-Za-z0-9!&#$^<>\-]{16,128}")
NAME = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,39}(?<!-)")


def unsupported(what: str) -> InvalidParameterCombinationException:
    """The API error for what nothing would stand behind."""
    return InvalidParameterCombinationException(f"This local cloud has no {what}.")


def instance_type(node_type: str) -> str:
    """The EC2 type with the cores and memory of a node type."""
    return node_type.removeprefix("cache.")


def check_node_type(node_type: str | None) -> None:
    if node_type not in MEMORY:
        raise InvalidParameterValueException(
            f"Invalid cache node type: {node_type}. This local cloud has {', '.join(MEMORY)}."
        )


def check_version(version: str | None, there: str) -> None:
    """``there`` is the Valkey of the hosts' image, such as 8.1."""
    if version not in (None, there, there.split(".")[0]):
        raise InvalidParameterValueException(
            f"Unknown engine version {version} for valkey: this local cloud has {there}."
        )


def check_token(token: str | None) -> None:
    if token is not None and not TOKEN.fullmatch(token):
        raise InvalidParameterValueException(
            "Invalid AuthToken provided: 16 to 128 alphanumeric characters or symbols (excluding "
            '@, ", /)'
        )


def check_new(wanted: dict, version: str, zones: set[str]) -> None:
    """Raise for a replication group that cannot be made; ``wanted`` has moto's names."""
    name = wanted["replication_group_id"]
    if not NAME.fullmatch(name):
        raise InvalidParameterValueException(f"The replication group name {name} is not valid.")
    if wanted.get("engine") != "valkey":
        raise InvalidParameterValueException(
            f"This local cloud runs Valkey: set Engine to valkey, not {wanted.get('engine')}."
        )
    for key, what in (
        ("global_replication_group_id", "global datastores"),
        ("primary_cluster_id", "clusters to make a primary of"),
        ("user_group_ids", "user groups: use AuthToken"),
        ("serverless_cache_snapshot_name", "serverless caches"),
        ("snapshot_arns", "imports from S3"),
        ("data_tiering_enabled", "data tiering"),
        ("node_group_configuration", "node group configuration: use NumCacheClusters"),
    ):
        if wanted.get(key):
            raise unsupported(what)
    if wanted.get("cluster_mode") == "enabled" or int(wanted.get("num_node_groups") or 1) > 1:
        raise unsupported("cluster mode: one node group with replicas is what there is")
    if wanted.get("transit_encryption_mode") == "preferred":
        raise unsupported("transit encryption mode preferred: set it to required")
    check_version(wanted.get("engine_version"), version)
    check_node_type(wanted.get("cache_node_type"))
    check_token(wanted.get("auth_token"))
    if wanted.get("auth_token") and not wanted.get("transit_encryption_enabled"):
        raise InvalidParameterCombinationException(
            "Auth token can only be used when transit encryption is enabled."
        )
    check_availability(
        count_of(wanted),
        bool(wanted.get("automatic_failover_enabled")),
        bool(wanted.get("multi_az_enabled")),
        zones,
    )


def check_availability(count: int, failover: bool, multi_az: bool, zones: set[str]) -> None:
    if not 1 <= count <= REPLICAS + 1:
        raise InvalidParameterValueException(
            f"The number of cache clusters must be between 1 and {REPLICAS + 1}."
        )
    if failover and count < 2:
        raise InvalidParameterCombinationException(
            "Automatic failover is not supported for replication groups with less than 2 members."
        )
    if multi_az and (not failover or len(zones) < 2):
        raise InvalidParameterCombinationException(
            "Multi-AZ needs automatic failover, and a subnet group with subnets in two zones."
        )


def count_of(wanted: dict) -> int:
    """How many nodes are asked for."""
    replicas = wanted.get("replicas_per_node_group")
    return int(replicas) + 1 if replicas else int(wanted.get("num_cache_clusters") or 1)


class Refusals(Service):
    """Calls that nothing stands behind."""

    @hook(ElastiCacheResponse, "create_cache_cluster", "self")
    def no_cluster(self, original, response):
        raise unsupported("single cache clusters: create a replication group with Engine valkey")

    @hook(ElastiCacheResponse, "create_user", "self")
    def no_user(self, original, response):
        raise unsupported("users: use AuthToken")
