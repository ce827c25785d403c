"""AWS/ElastiCache: what nodes of replication groups do.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.html
"""

import logging
from collections.abc import Iterator

import redis
from moto.ec2.models.instance_types import INSTANCE_TYPES

from localcloud.services.cloudwatch import counters
from localcloud.services.cloudwatch.counters import Growth
from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point
from localcloud.services.elasticache.catalogue import instance_type
from localcloud.services.elasticache.groups import ReplicationGroups
from localcloud.services.instances import limits

log = logging.getLogger("localcloud.cloudwatch")

NODE = "0001"
"""The only node of a cluster of a replication group."""
ADDED = {
    "evicted_keys": "Evictions",
    "keyspace_hits": "CacheHits",
    "keyspace_misses": "CacheMisses",
}
OURS = 1
"""The connection that asks."""


class CacheMetrics(Source):
    """Of each node, as its Valkey and its control group tell."""

    namespace = "AWS/ElastiCache"

    def __init__(self, cloud):
        super().__init__(cloud)
        self._growth = Growth()

    def measure(self, at: int) -> Iterator[Point]:
        groups = self.cloud.service(ReplicationGroups)
        containers = self.cloud.engine.containers()
        seen = set()
        for made in groups.all():
            group = groups.group(made)
            for member, host in list(group.deployment.hosts.items()):
                container = containers.get(host.id)
                if not (container and container.running):
                    continue
                key = (host.id, container.pid)
                seen.add(key)
                cluster = {"CacheClusterId": member}
                every = (cluster, {**cluster, "CacheNodeId": NODE})
                told = self._told(group.node(member), made.cache_node_type, key)
                for metric, (value, unit) in told.items():
                    yield from self.points(metric, every, value, unit, at)
        self._growth.keep(seen)

    def _told(self, node, kind: str, key) -> dict[str, tuple[float, str]]:
        found: dict[str, tuple[float, str]] = {}
        try:
            told = node.ask("INFO")
        except (redis.RedisError, OSError) as error:  # who does not answer has no data points
            log.info("metrics of %s: %s", key[0], error)
            told = None
        numbers: dict[str, float] = {}
        if told:
            found["CurrConnections"] = max(0, told["connected_clients"] - OURS), "Count"
            numbers = {name: told[name] for name in ADDED}
            numbers["engine"] = sum(
                told[f"used_cpu_{each}_main_thread"] for each in ("sys", "user")
            )
        counted = counters.read(key[1])
        if counted:
            numbers["cpu"] = counted.cpu
        grown = self._growth.take(key, numbers, counters.age(key[1]))
        if grown is None:
            return found
        seconds, added = grown
        cores, _ = limits(instance_type(kind))
        vcpus = INSTANCE_TYPES[instance_type(kind)]["VCpuInfo"]["DefaultVCpus"]
        for name, share in (("cpu", cores), ("engine", cores / vcpus)):
            if name in added:
                metric = "CPUUtilization" if name == "cpu" else "EngineCPUUtilization"
                found[metric] = min(100.0, 100 * added[name] / (seconds * share)), "Percent"
        found |= {ADDED[name]: (added[name], "Count") for name in ADDED if name in added}
        return found
