"""Replication groups as the API makes, changes and removes them, and the watch over them.

Calls answer when what they promise is true: CreateReplicationGroup returns a primary that takes
writes and replicas that have everything.
"""

import copy
import logging
import secrets
import string
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.elasticache.exceptions import (
    ElastiCacheException,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
)
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse

from localcloud.appliance import Host
from localcloud.authority import Authority
from localcloud.firewall import Interface, Rule
from localcloud.hooks import addition, hook
from localcloud.services.base import Row
from localcloud.services.elasticache import catalogue, node
from localcloud.services.elasticache.deployment import Deployment, Group
from localcloud.services.elasticache.parameters import DEFAULT, ParameterGroups
from localcloud.services.managed import FAILURES, ManagedService

log = logging.getLogger("localcloud.elasticache")

PATIENCE = 3.0
"""Seconds without an answer until a node counts as lost. ElastiCache takes about 15."""
PAUSE = 10.0
"""Seconds between two attempts to replace a node."""
CREATE = (
    "self, replication_group_id, replication_group_description, global_replication_group_id, "
    "primary_cluster_id, automatic_failover_enabled, multi_az_enabled, num_cache_clusters, "
    "preferred_cache_cluster_azs, num_node_groups, replicas_per_node_group, "
    "node_group_configuration, cache_node_type, engine, engine_version, "
    "cache_parameter_group_name, cache_subnet_group_name, cache_security_group_names, "
    "security_group_ids, tags, snapshot_arns, snapshot_name, preferred_maintenance_window, port, "
    "notification_topic_arn, auto_minor_version_upgrade, snapshot_retention_limit, "
    "snapshot_window, auth_token, transit_encryption_enabled, at_rest_encryption_enabled, "
    "kms_key_id, user_group_ids, log_delivery_configurations, data_tiering_enabled, network_type, "
    "ip_discovery, transit_encryption_mode, cluster_mode, serverless_cache_snapshot_name"
)


class ReplicationGroups(ManagedService):
    """Valkey, cluster mode disabled."""

    recipe = node.RECIPE
    noun = "replication group"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.authority = Authority(cloud.settings.state / "authority")
        self._seen: dict[str, float] = {}

    # the API's calls

    @hook(ElastiCacheBackend, "create_replication_group", CREATE)
    def create(self, original, backend, **wanted):
        subnets = self._subnets(wanted.get("cache_subnet_group_name"))
        dump = self._dump(wanted.get("snapshot_name"))
        zones = {each.availability_zone for each in subnets}
        catalogue.check_new(wanted, self.version(), zones)
        self.cloud.service(ParameterGroups).find(wanted.get("cache_parameter_group_name"))
        for zone in wanted.get("preferred_cache_cluster_azs") or []:
            if zone not in zones:
                raise InvalidParameterValueException(
                    f"{zone} is not a zone of the cache subnet group."
                )
        ec2 = self.cloud.backend("ec2")
        for each in wanted.get("security_group_ids") or []:
            if ec2.get_security_group_from_id(each) is None:
                raise InvalidParameterValueException(f"Security group {each} does not exist.")
        wanted["security_group_ids"] = wanted.get("security_group_ids") or [
            ec2.get_default_security_group(subnets[0].vpc_id).id
        ]
        with self.cloud.lock:  # nobody may save it as moto makes it: available
            made = original(backend, **wanted)
            made.status = "creating"
        letters = string.ascii_lowercase + string.digits
        suffix = "".join(secrets.choice(letters) for _ in range(6))
        made.deployment = Deployment(
            f"{made.replication_group_id}.{suffix}.use1.cache.amazonaws.com",
            tokens=tuple(filter(None, [wanted.get("auth_token")])),
        )
        made.engine_version = self.version()
        made.cache_parameter_group_name = wanted.get("cache_parameter_group_name") or DEFAULT
        try:
            with self.lock(made):
                self.group(made).create(
                    wanted.get("preferred_cache_cluster_azs") or [],
                    catalogue.count_of(wanted),
                    dump,
                )
        except FAILURES as error:
            log.exception("create %s", made.replication_group_id)
            self.dismiss(made)
            raise failure(error) from error
        self._show(made)
        made.status = "available"
        return _answer(made)

    @hook(ElastiCacheResponse, "modify_replication_group", "self")
    def modify(self, original, response):
        made = self.find(response._get_param("ReplicationGroupId"))
        _require_available(made)
        self._check_changes(made, response)
        now = response._get_bool_param("ApplyImmediately")
        node_type = response._get_param("CacheNodeType")
        if node_type not in (None, made.cache_node_type) and not now:
            raise catalogue.unsupported("maintenance window: set ApplyImmediately to true")
        with self._busy(made, "modifying"):
            self._set_tokens(made, response)
            groups = response._get_param("SecurityGroupIds")
            if groups:
                made.security_group_ids = groups
                self.group(made).set_groups(groups)
            parameters = response._get_param("CacheParameterGroupName")
            if parameters:
                made.cache_parameter_group_name = parameters
                self.group(made).apply_parameters(self._parameters(made))
            upgrades = response._get_bool_param("AutoMinorVersionUpgrade")
            if upgrades is not None:  # moto leaves it as it was
                made.auto_minor_version_upgrade = upgrades
            resized = node_type not in (None, made.cache_node_type)
            original(response)
            if resized:
                self.group(made).resize()
            self._show(made)
        return ActionResult({"ReplicationGroup": _answer(made)})

    @addition(ElastiCacheResponse, "test_failover", "self")
    def test_failover(self, response):
        made = self.find(response._get_param("ReplicationGroupId"))
        _require_available(made)
        if response._get_param("NodeGroupId") != "0001":
            raise InvalidParameterValueException("The only node group is 0001.")
        if made.automatic_failover != "enabled":
            raise InvalidParameterCombinationException(
                "Automatic failover has to be enabled to test it."
            )
        self._hand_over(made)
        return ActionResult({"ReplicationGroup": _answer(made)})

    @addition(ElastiCacheResponse, "increase_replica_count", "self")
    def increase(self, response):
        made = self.find(response._get_param("ReplicationGroupId"))
        return self._scale(made, response._get_int_param("NewReplicaCount"), up=True)

    @addition(ElastiCacheResponse, "decrease_replica_count", "self")
    def decrease(self, response):
        made = self.find(response._get_param("ReplicationGroupId"))
        return self._scale(made, response._get_int_param("NewReplicaCount"), up=False)

    @hook(ElastiCacheBackend, "delete_replication_group",
          "self, replication_group_id, retain_primary_cluster")  # fmt: skip
    def delete(self, original, backend, replication_group_id, retain_primary_cluster=None):
        if retain_primary_cluster:
            raise catalogue.unsupported("single cache clusters: RetainPrimaryCluster")
        made = self.find(replication_group_id)
        answer = _answer(original(backend, replication_group_id, retain_primary_cluster))
        self.dismiss(made)
        return answer

    @hook(ElastiCacheBackend, "describe_cache_clusters", "self, cache_cluster_id")
    def members(self, original, backend, cache_cluster_id=None):
        """Every node is a cache cluster too."""
        found = [
            self._member(made, name, host)
            for made in self.all()
            for name, host in made.deployment.hosts.items()
            if cache_cluster_id in (None, name)
        ]
        return found or original(backend, cache_cluster_id)

    # what the cloud asks

    def all(self) -> list:
        found = list(self.cloud.backend("elasticache").replication_groups.values())
        return [each for each in found if hasattr(each, "deployment")]

    def name(self, made) -> str:
        return made.replication_group_id

    def identity(self, made) -> str:
        return made.deployment.identity if hasattr(made, "deployment") else made.arn

    def hosts_of(self, made) -> list[Host]:
        return list(made.deployment.hosts.values()) if hasattr(made, "deployment") else []

    def unfinished(self) -> list:
        found = list(self.cloud.backend("elasticache").replication_groups.values())
        return [each for each in found if each.status in ("creating", "deleting")]

    def forget(self, made) -> None:
        self.cloud.backend("elasticache").replication_groups.pop(made.replication_group_id, None)

    def take_over(self, made) -> None:
        made.status = "available"  # the process may have died while it changed this one
        group = self.group(made)
        leaders = [
            name for name in made.deployment.hosts
            if group.node(name).replication().get("role") == "master"
        ]  # fmt: skip
        if leaders and made.deployment.primary not in leaders:
            made.deployment.primary = leaders[0]  # it died in the middle of a failover
        self._show(made)

    def watch(self, made) -> None:
        if made.status != "available":
            return
        lost = [name for name in made.deployment.hosts if self._lost(made, name)]
        if not lost:
            return
        name = made.replication_group_id
        if made.deployment.primary in lost:
            self.work(f"{name}: failover", lambda: self._fail_over_now(made))
        elif time.time() - made.deployment.attempted > PAUSE:
            self.work(f"{name}: replace {lost[0]}", lambda: self._replace(made, lost[0]))

    def host_names(self) -> dict[str, str]:
        """Nodes by their names, such as shop-001; the primary by what it is besides."""
        found = {}
        for made in self.all():
            deployment = made.deployment
            found |= {name: host.id for name, host in deployment.hosts.items()}
            if deployment.primary in deployment.hosts:
                primary = f"elasticache:{made.replication_group_id}:primary"
                found[primary] = deployment.hosts[deployment.primary].id
        return found

    def failovers(self) -> dict[str, Callable[[], None]]:
        return {
            f"elasticache:{made.replication_group_id}": partial(self._hand_over, made)
            for made in self.all()
        }

    def interfaces(self) -> list[Interface]:
        found = []
        for made in self.all():
            hosts = self.hosts_of(made)
            for host in hosts:
                # replication is the platform's own traffic: no security group stops it
                peers = tuple(each.address for each in hosts if each is not host)
                rules = (Rule("tcp", (int(made.port), int(made.port)), peers),) if peers else ()
                seen = self.appliances.interface(host, rules, rules)
                if seen:
                    found.append(seen)
        return found

    def names(self) -> dict[str, list[str]]:
        found = {}
        for made in self.all():
            deployment = made.deployment
            if deployment.primary not in deployment.hosts:
                continue
            primary = deployment.hosts[deployment.primary].address
            replicas = [
                host.address for name, host in deployment.hosts.items()
                if name != deployment.primary
            ]  # fmt: skip
            found[f"master.{deployment.identity}"] = [primary]
            found[f"replica.{deployment.identity}"] = replicas or [primary]
            for name, host in deployment.hosts.items():
                found[f"{name}.{deployment.identity}"] = [host.address]
        return found

    def rows(self) -> list[Row]:
        containers = self.cloud.engine.containers()
        return [self._row(made, containers) for made in self.all()]

    # what the rest of ElastiCache asks

    def find(self, name: str):
        return self.cloud.backend("elasticache").describe_replication_groups(name)[0]

    def group(self, made) -> Group:
        return Group(
            self.appliances,
            self.authority,
            made,
            self._subnets(made.cache_subnet_group_name),
            self._parameters(made),
        )

    def version(self) -> str:
        """The Valkey that the hosts' image has, such as 8.1."""
        return node.version(self.appliances.layer())

    def parameters_changed(self, group_name: str) -> None:
        for made in self.all():
            if made.cache_parameter_group_name == group_name:
                with self.lock(made), _api_errors():
                    self.group(made).apply_parameters(self._parameters(made))

    # how

    def _parameters(self, made) -> dict[str, str]:
        return self.cloud.service(ParameterGroups).values(made.cache_parameter_group_name)

    def _subnets(self, name: str | None) -> list:
        if not name:
            raise InvalidParameterValueException(
                "This local cloud needs CacheSubnetGroupName: there are no default subnets."
            )
        group = self.cloud.backend("elasticache").describe_cache_subnet_groups(name)[0]
        ec2 = self.cloud.backend("ec2")
        return [ec2.get_subnet(each) for each in group.subnet_ids]

    def _dump(self, snapshot: str | None):
        from localcloud.services.elasticache.snapshots import Snapshots

        return self.cloud.service(Snapshots).file(snapshot) if snapshot else None

    @contextmanager
    def _busy(self, made, during: str):
        with self.lock(made), _api_errors():
            made.status = during
            try:
                yield
            finally:
                made.status = "available"
                for name in made.deployment.hosts:
                    self._seen.pop(name, None)

    def _check_changes(self, made, response) -> None:
        catalogue.check_token(response._get_param("AuthToken"))
        if response._get_param("CacheNodeType"):
            catalogue.check_node_type(response._get_param("CacheNodeType"))
        if response._get_param("Engine") not in (None, "valkey"):
            raise catalogue.unsupported("change of the engine")
        catalogue.check_version(response._get_param("EngineVersion"), made.engine_version)
        for name in ("TransitEncryptionEnabled", "ClusterMode", "UserGroupIdsToAdd"):
            if response._get_param(name) is not None:
                raise catalogue.unsupported(f"change of {name}")
        parameters = response._get_param("CacheParameterGroupName")
        if parameters:
            self.cloud.service(ParameterGroups).find(parameters)
        failover = response._get_bool_param("AutomaticFailoverEnabled")
        multi_az = response._get_bool_param("MultiAZEnabled")
        zones = {each.availability_zone for each in self._subnets(made.cache_subnet_group_name)}
        catalogue.check_availability(
            len(made.deployment.hosts),
            made.automatic_failover == "enabled" if failover is None else failover,
            made.multi_az == "enabled" if multi_az is None else multi_az,
            zones,
        )

    def _set_tokens(self, made, response) -> None:
        """ROTATE adds a token beside the one there is, SET makes it the only one."""
        token = response._get_param("AuthToken")
        strategy = response._get_param("AuthTokenUpdateStrategy") or "ROTATE"
        if strategy == "DELETE":
            raise catalogue.unsupported("taking the token away: it would let everybody in")
        if token is None:
            return
        if not made.transit_encryption_enabled:
            raise InvalidParameterCombinationException(
                "Auth token can only be used when transit encryption is enabled."
            )
        old = made.deployment.tokens[-1:] if strategy == "ROTATE" else ()
        tokens = tuple(dict.fromkeys([*old, token]))
        self.group(made).set_tokens(tokens)
        made.auth_token_enabled = True
        made.auth_token_last_modified_date = utcnow()

    def _scale(self, made, replicas: int | None, up: bool):
        _require_available(made)
        now = len(made.deployment.hosts) - 1
        if replicas is None or (replicas <= now if up else replicas >= now):
            raise InvalidParameterValueException(
                f"NewReplicaCount must be {'more' if up else 'less'} than {now}."
            )
        zones = {each.availability_zone for each in self._subnets(made.cache_subnet_group_name)}
        catalogue.check_availability(
            replicas + 1, made.automatic_failover == "enabled", made.multi_az == "enabled", zones
        )
        with self._busy(made, "modifying"):
            group = self.group(made)
            for _ in range(abs(replicas - now)):
                if up:
                    group.add()
                else:
                    group.drop(group.replicas()[-1])
            self._show(made)
        return ActionResult({"ReplicationGroup": _answer(made)})

    def _hand_over(self, made) -> None:
        with self._busy(made, "modifying"):
            self.group(made).hand_over()
            self._show(made)

    def _lost(self, made, name: str) -> bool:
        now = time.monotonic()
        if self.group(made).node(name).answers():
            self._seen[name] = now
        self._seen.setdefault(name, now)
        return self._silent(name)

    def _silent(self, name: str) -> bool:
        """Whether the watch has heard nothing of the node for too long."""
        now = time.monotonic()
        return now - self._seen.get(name, now) >= PATIENCE

    def _fail_over_now(self, made) -> None:
        """The primary is lost: a replica takes over, or it starts anew, empty."""
        with self.lock(made):
            group = self.group(made)
            if made.status != "available" or group.primary.answers():
                return
            old = made.deployment.primary
            heirs = [name for name in group.replicas() if group.node(name).answers()]
            if made.automatic_failover == "enabled" and heirs:
                log.warning("%s: %s is lost, %s takes over", self.name(made), old, heirs[0])
                group.promote(heirs[0])
            elif time.time() - made.deployment.attempted > PAUSE:
                log.warning("%s: %s is lost and starts anew", self.name(made), old)
                group.replace(old)
            self._seen.clear()
            self._show(made)

    def _replace(self, made, name: str) -> None:
        with self.lock(made):
            if made.status == "available" and not self.group(made).node(name).answers():
                log.warning("%s: %s is lost and made anew", self.name(made), name)
                self.group(made).replace(name)
                self._seen.pop(name, None)

    def _show(self, made) -> None:
        """What DescribeReplicationGroups says of the nodes."""
        deployment = made.deployment
        made.member_clusters = list(deployment.hosts)
        made.node_groups = [
            {
                "node_group_id": "0001",
                "status": "available",
                "primary_endpoint": _endpoint(f"master.{deployment.identity}", made.port),
                "reader_endpoint": _endpoint(f"replica.{deployment.identity}", made.port),
                "node_group_members": [
                    {
                        "cache_cluster_id": name,
                        "cache_node_id": "0001",
                        "read_endpoint": _endpoint(f"{name}.{deployment.identity}", made.port),
                        "preferred_availability_zone": host.zone,
                        "current_role": "primary" if name == deployment.primary else "replica",
                    }
                    for name, host in deployment.hosts.items()
                ],
            }
        ]

    def _member(self, made, name: str, host: Host) -> dict:
        """A node as DescribeCacheClusters shows it."""
        groups = made.security_group_ids or []
        return {
            "CacheClusterId": name,
            "ReplicationGroupId": made.replication_group_id,
            "CacheClusterStatus": made.status,
            "CacheNodeType": made.cache_node_type,
            "Engine": "valkey",
            "EngineVersion": made.engine_version,
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": host.zone,
            "CacheSubnetGroupName": made.cache_subnet_group_name,
            "CacheParameterGroup": {
                "CacheParameterGroupName": made.cache_parameter_group_name,
                "ParameterApplyStatus": "in-sync",
            },
            "SecurityGroups": [{"SecurityGroupId": each, "Status": "active"} for each in groups],
            "AuthTokenEnabled": made.auth_token_enabled,
            "TransitEncryptionEnabled": made.transit_encryption_enabled,
            "AtRestEncryptionEnabled": made.at_rest_encryption_enabled,
            "SnapshotRetentionLimit": made.snapshot_retention_limit,
            "ARN": made.arn.replace(":replicationgroup:", ":cluster:").rsplit(":", 1)[0]
            + f":{name}",
            "CacheNodes": [
                {
                    "CacheNodeId": "0001",
                    "CacheNodeStatus": made.status,
                    "Endpoint": {
                        "Address": f"{name}.{made.deployment.identity}",
                        "Port": int(made.port),
                    },
                    "ParameterGroupStatus": "in-sync",
                    "CustomerAvailabilityZone": host.zone,
                }
            ],
        }

    def _row(self, made, containers) -> Row:
        deployment = made.deployment
        hosts, down = [], 0
        for name, host in deployment.hosts.items():
            runs = host.id in containers and containers[host.id].running and not self._silent(name)
            down += not runs
            role = "primary" if name == deployment.primary else "replica"
            hosts.append(f"{role} {host.id} in {host.zone}{'' if runs else ' (down)'}")
        return Row(
            id=made.replication_group_id,
            kind=f"cache {made.cache_node_type}",
            name="TLS" if made.transit_encryption_enabled else "",
            state=made.status + (" Multi-AZ" if made.multi_az == "enabled" else ""),
            address=f"master.{deployment.identity}:{made.port}",
            real=", ".join(hosts),
            health="ok" if not down else f"{down} of {len(hosts)} nodes down",
        )


def _endpoint(address: str, port) -> dict:
    return {"address": address, "port": int(port)}


def _require_available(made) -> None:
    if made.status != "available":
        error = ElastiCacheException(
            f"Replication group {made.replication_group_id} is not available: it is {made.status}."
        )
        error.code = "InvalidReplicationGroupState"
        raise error


def _answer(made):
    """What the answer shows: the group as it is now, without what is ours."""
    shown = copy.copy(made)
    shown.__dict__.pop("deployment", None)
    return shown


@contextmanager
def _api_errors():
    try:
        yield
    except FAILURES as error:
        raise failure(error) from error


def failure(error: Exception) -> ElastiCacheException:
    """The API error for a group that could not be made or changed."""
    raised = ElastiCacheException(str(error))
    raised.code = "InternalFailure"
    return raised
