"""Cache subnet groups: moto makes them, and neither changes nor deletes them."""

from moto.core.responses import ActionResult, EmptyResult
from moto.elasticache.exceptions import ElastiCacheException
from moto.elasticache.models import CacheSubnetGroup
from moto.elasticache.responses import ElastiCacheResponse

from localcloud.hooks import addition
from localcloud.services.base import Service
from localcloud.services.elasticache.groups import ReplicationGroups
from localcloud.settings import ACCOUNT, REGION


class SubnetGroups(Service):
    """A group that a cache is in keeps the subnets that the cache's nodes are in."""

    @addition(ElastiCacheResponse, "modify_cache_subnet_group", "self")
    def modify(self, response):
        found = self._find(response)
        subnets = response._get_param("SubnetIds") or found.subnet_ids
        ec2 = self.cloud.backend("ec2")
        used = {
            ec2.get_network_interface(host.interface_id).subnet.id for host in self._nodes(found)
        }
        if lost := used - set(subnets):
            raise _error(
                "SubnetInUse", f"The subnet {', '.join(sorted(lost))} is in use by a cache node."
            )
        text = response._get_param("CacheSubnetGroupDescription")
        made = CacheSubnetGroup(
            ACCOUNT, REGION, found.cache_subnet_group_name,
            text or found.cache_subnet_group_description, subnets, found.tags,
        )  # fmt: skip
        response.elasticache_backend.cache_subnet_groups[made.cache_subnet_group_name] = made
        return ActionResult({"CacheSubnetGroup": made})

    @addition(ElastiCacheResponse, "delete_cache_subnet_group", "self")
    def delete(self, response):
        found = self._find(response)
        if self._nodes(found):
            raise _error(
                "CacheSubnetGroupInUse",
                f"Cache subnet group {found.cache_subnet_group_name} is in use by a cache cluster.",
            )
        del response.elasticache_backend.cache_subnet_groups[found.cache_subnet_group_name]
        return EmptyResult()

    def _find(self, response):
        name = response._get_param("CacheSubnetGroupName")
        return response.elasticache_backend.describe_cache_subnet_groups(name)[0]

    def _nodes(self, found) -> list:
        groups = self.cloud.service(ReplicationGroups)
        return [
            host
            for made in groups.all()
            if made.cache_subnet_group_name == found.cache_subnet_group_name
            for host in groups.hosts_of(made)
        ]


def _error(code: str, message: str) -> ElastiCacheException:
    error = ElastiCacheException(message)
    error.code = code
    return error
