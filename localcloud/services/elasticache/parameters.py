"""Cache parameter groups, of which moto has none: kept here, and told to every node."""

from dataclasses import dataclass, field

from moto.core.responses import ActionResult, EmptyResult
from moto.elasticache.exceptions import ElastiCacheException, InvalidParameterValueException
from moto.elasticache.responses import ElastiCacheResponse

from localcloud.hooks import addition
from localcloud.services.base import Service
from localcloud.services.elasticache.catalogue import FAMILY
from localcloud.settings import ACCOUNT, REGION

DEFAULT = f"default.{FAMILY}"


@dataclass(frozen=True)
class Parameter:
    """``allowed`` are choices, or a range "0-100"; empty for free text."""

    name: str
    value: str
    data_type: str
    allowed: str


# Those of Valkey 8 that matter for a cache, all of them dynamic.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
TABLE = {
    each.name: each
    for each in (
        Parameter(
            "maxmemory-policy", "volatile-lru", "string",
            "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,"
            "volatile-ttl,noeviction",
        ),
        Parameter("maxmemory-samples", "3", "integer", "1-64"),
        Parameter("reserved-memory-percent", "25", "integer", "0-100"),
        Parameter("timeout", "0", "integer", "0-2147483647"),
        Parameter("tcp-keepalive", "300", "integer", "0-2147483647"),
        Parameter("notify-keyspace-events", "", "string", ""),
        Parameter("slowlog-log-slower-than", "10000", "integer", "-1-2147483647"),
        Parameter("slowlog-max-len", "128", "integer", "0-2147483647"),
        Parameter("lazyfree-lazy-eviction", "yes", "string", "yes,no"),
        Parameter("lazyfree-lazy-expire", "yes", "string", "yes,no"),
        Parameter("lfu-decay-time", "1", "integer", "0-2147483647"),
        Parameter("lfu-log-factor", "10", "integer", "1-2147483647"),
    )
}  # fmt: skip


@dataclass
class ParameterGroup:
    """A group as it is kept: ``values`` are those that differ from the default."""

    name: str
    description: str
    family: str = FAMILY
    values: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:elasticache:{REGION}:{ACCOUNT}:parametergroup:{self.name}"

    def described(self) -> dict:
        return {
            "CacheParameterGroupName": self.name,
            "CacheParameterGroupFamily": self.family,
            "Description": self.description,
            "IsGlobal": False,
            "ARN": self.arn,
        }


class ParameterGroupNotFound(ElastiCacheException):
    code = "CacheParameterGroupNotFound"

    def __init__(self, name: str):
        super().__init__(f"CacheParameterGroup {name} not found.")


class ParameterGroups(Service):
    """Groups live on moto's backend, so that they are saved with it."""

    # for the rest of ElastiCache

    def values(self, name: str | None) -> dict[str, str]:
        """Parameters that the group called ``name`` sets, over the default ones."""
        return {each.name: each.value for each in TABLE.values()} | self.find(name).values

    def find(self, name: str | None) -> ParameterGroup:
        if name in (None, DEFAULT):
            return ParameterGroup(DEFAULT, f"Default parameter group for {FAMILY}")
        if name not in self._groups():
            raise ParameterGroupNotFound(name)
        return self._groups()[name]

    def _groups(self) -> dict[str, ParameterGroup]:
        backend = self.cloud.backend("elasticache")
        if not hasattr(backend, "cache_parameter_groups"):
            backend.cache_parameter_groups = {}
        return backend.cache_parameter_groups

    # the API's calls

    @addition(ElastiCacheResponse, "create_cache_parameter_group", "self")
    def create(self, response):
        name = response._get_param("CacheParameterGroupName").lower()
        family = response._get_param("CacheParameterGroupFamily")
        if family != FAMILY:
            raise InvalidParameterValueException(
                f"This local cloud runs Valkey 8: the family is {FAMILY}, not {family}."
            )
        if name in self._groups() or name == DEFAULT:
            error = ElastiCacheException(f"Cache parameter group {name} already exists.")
            error.code = "CacheParameterGroupAlreadyExists"
            raise error
        made = ParameterGroup(name, response._get_param("Description") or "")
        self._groups()[name] = made
        tags = response._get_param("Tags") or []
        if tags:
            response.elasticache_backend.tagging_service.tag_resource(made.arn, tags)
        return ActionResult({"CacheParameterGroup": made.described()})

    @addition(ElastiCacheResponse, "describe_cache_parameter_groups", "self")
    def describe(self, response):
        name = response._get_param("CacheParameterGroupName")
        found = [self.find(name)] if name else [self.find(DEFAULT), *self._groups().values()]
        return ActionResult({"CacheParameterGroups": [each.described() for each in found]})

    @addition(ElastiCacheResponse, "describe_cache_parameters", "self")
    def parameters(self, response):
        group = self.find(response._get_param("CacheParameterGroupName"))
        source = response._get_param("Source")
        rows = [
            {
                "ParameterName": each.name,
                "ParameterValue": group.values.get(each.name, each.value),
                "DataType": each.data_type,
                "AllowedValues": each.allowed,
                "Source": "user" if each.name in group.values else "system",
                "IsModifiable": True,
                "ChangeType": "immediate",
            }
            for each in TABLE.values()
        ]
        return ActionResult(
            {"Parameters": [row for row in rows if not source or row["Source"] == source]}
        )

    @addition(ElastiCacheResponse, "modify_cache_parameter_group", "self")
    def modify(self, response):
        group = self._own(response)
        changes = {
            each["ParameterName"]: str(each.get("ParameterValue", ""))
            for each in response._get_param("ParameterNameValues") or []
        }
        refused = [problem for name, value in changes.items() if (problem := _wrong(name, value))]
        if refused:
            raise InvalidParameterValueException(" ".join(refused))
        group.values.update(changes)
        self._tell(group)
        return ActionResult({"CacheParameterGroupName": group.name})

    @addition(ElastiCacheResponse, "reset_cache_parameter_group", "self")
    def reset(self, response):
        group = self._own(response)
        named = [each["ParameterName"] for each in response._get_param("ParameterNameValues") or []]
        for name in named or list(group.values):
            group.values.pop(name, None)
        self._tell(group)
        return ActionResult({"CacheParameterGroupName": group.name})

    @addition(ElastiCacheResponse, "delete_cache_parameter_group", "self")
    def delete(self, response):
        group = self._own(response)
        backend = response.elasticache_backend
        if any(each.cache_parameter_group_name == group.name
               for each in backend.replication_groups.values()):  # fmt: skip
            error = ElastiCacheException(
                f"One or more cache clusters are still members of this parameter group "
                f"{group.name}, so the group cannot be deleted."
            )
            error.code = "InvalidCacheParameterGroupState"
            raise error
        del self._groups()[group.name]
        return EmptyResult()

    def _own(self, response) -> ParameterGroup:
        name = response._get_param("CacheParameterGroupName")
        if name == DEFAULT:
            raise InvalidParameterValueException(
                f"The default parameter group {DEFAULT} cannot be changed."
            )
        return self.find(name)

    def _tell(self, group: ParameterGroup) -> None:
        from localcloud.services.elasticache.groups import ReplicationGroups

        self.cloud.service(ReplicationGroups).parameters_changed(group.name)


def _wrong(name: str, value: str) -> str:
    """Why ``value`` cannot be had; empty when it can."""
    parameter = TABLE.get(name)
    if parameter is None:
        return f"Could not find parameter with name: {name}."
    if parameter.data_type == "integer":
        low, high = parameter.allowed.rsplit("-", 1)
        right = value.lstrip("-").isdigit() and int(low) <= int(value) <= int(high)
    else:
        right = not parameter.allowed or value in parameter.allowed.split(",")
    return "" if right else f"Invalid value {value} for {name}: allowed is {parameter.allowed}."
