"""RDS for PostgreSQL: every DB instance is a real PostgreSQL 17, with a standby if Multi-AZ.

Calls answer when what they promise is true: CreateDBInstance returns a database that accepts
connections. The reconciler notices what happens to the hosts behind the API's back.
"""

import json
import logging
import re
import secrets
import string
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.rds.exceptions import (
    DBParameterGroupNotFoundError,
    DBSubnetGroupNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBInstance, Event, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.appliance import Appliances, Host
from localcloud.authority import Authority
from localcloud.engine import EngineError
from localcloud.firewall import Interface, Rule
from localcloud.hooks import hook
from localcloud.network import NetworkError
from localcloud.services.base import Row, Service
from localcloud.services.rds import parameters, postgres
from localcloud.services.rds.cluster import Cluster, instance_type
from localcloud.services.rds.failover import Action, Observation, Replication, decide
from localcloud.services.rds.parameters import ParameterError
from localcloud.services.rds.server import RECIPE, ServerError
from localcloud.shell import CommandError

log = logging.getLogger("localcloud.rds")

VERSION = "17.6"
MINIMUM_STORAGE = 20
FULL = 64 << 20
BACKUP_EVERY = timedelta(days=1)

# moto's events by name; these are RDS's texts.
EVENTS = {
    "DB_INSTANCE_RESTART": (["availability"], "DB instance restarted"),
    "DB_INSTANCE_SHUTDOWN": (["availability"], "DB instance shutdown"),
    "DB_INSTANCE_STOPPED": (["notification"], "DB instance stopped"),
    "DB_INSTANCE_STARTED": (["notification"], "DB instance started"),
    "DB_INSTANCE_DELETE": (["deletion"], "DB instance deleted"),
    "FAILOVER_START": (["failover"], "Multi-AZ instance failover started"),
    "FAILOVER_FINISH": (["failover"], "Multi-AZ instance failover completed"),
    "STANDBY_LOST": (["availability"], "Multi-AZ standby lost: running without a standby"),
    "STANDBY_READY": (["availability"], "Multi-AZ standby in sync"),
    "MULTI_AZ_ON": (["configuration change"], "Finished applying modification to convert to a "
                    "Multi-AZ DB instance"),
    "MULTI_AZ_OFF": (["configuration change"], "Finished applying modification to convert to a "
                     "standard (Single-AZ) DB instance"),
    "CLASS_CHANGED": (["configuration change"], "Finished applying modification to DB instance "
                      "class"),
    "STORAGE_CHANGED": (["configuration change"], "Finished applying modification to allocated "
                        "storage"),
    "RECOVERED": (["recovery"], "Recovery of the DB instance is complete"),
    "STORAGE_FULL": (["low storage"], "Allocated storage has been exhausted"),
    "RESTORED": (["restoration"], "Restored from DB snapshot"),
}  # fmt: skip

# Changes that wait for the maintenance window unless ApplyImmediately, by moto's name for them.
DEFERRABLE = {
    "allocated_storage": "AllocatedStorage",
    "db_instance_class": "DBInstanceClass",
    "multi_az": "MultiAZ",
    "db_port_number": "Port",
    "backup_retention_period": "BackupRetentionPeriod",
    "storage_type": "StorageType",
    "iops": "Iops",
    "storage_throughput": "StorageThroughput",
    "new_db_instance_identifier": "DBInstanceIdentifier",
}
FAILURES = (ServerError, EngineError, NetworkError, CommandError, OSError, psycopg.Error)


class Databases(Service):
    """DB instances, their parameter groups, snapshots and backups."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.appliances = Appliances(cloud, RECIPE)
        self.authority = Authority(cloud.settings.state / "authority")
        self._locks: dict[str, threading.RLock] = {}
        self._seen: dict[str, dict[str, float]] = {}
        for name, (categories, message) in EVENTS.items():
            Event.EVENT_MAP.setdefault(name, {"Categories": categories, "Message": message})

    # instances

    @hook(RDSBackend, "create_db_instance", "self, db_kwargs")
    def create(self, original, backend, db_kwargs):
        snapshot = db_kwargs.pop("source_snapshot", None)
        password = db_kwargs.get("master_user_password")
        self._check_new(backend, db_kwargs, snapshot)
        database = original(backend, db_kwargs)
        if not hasattr(database, "_storage_type"):
            return database  # of a cluster, which this local cloud does not make real
        with self._busy(database, "creating"):
            _complete(database)
            if database.manage_master_user_password:
                password = _secret_password(database)
            # a restored database keeps its password unless a new one is given
            fresh = None if snapshot and "master_user_password" not in db_kwargs else password
            try:
                self._cluster(database).create(fresh, snapshot)
            except FAILURES as error:
                log.exception("create %s", database.db_instance_identifier)
                self._cluster(database).remove()
                backend.databases.pop(database.db_instance_identifier, None)
                raise _failure(error) from error
        if snapshot:
            database.add_event("RESTORED")
        database.save_automated_backup()
        return database

    @hook(DBInstance, "save_automated_backup", "self")
    def backup(self, original, database):
        """The first backup is made when there is something to back up, and none if not wanted."""
        if hasattr(database, "deployment") and database.backup_retention_period:
            original(database)

    @hook(RDSBackend, "modify_db_instance", "self, db_instance_identifier, db_kwargs")
    def modify(self, original, backend, db_instance_identifier, db_kwargs):
        database = backend.describe_db_instances(db_instance_identifier)[0]
        _require(database, "available", "stopped", "storage-full")
        changes = {key: value for key, value in db_kwargs.items() if value is not None}
        now = changes.pop("apply_immediately", False)
        pending = {**getattr(database, "deferred", {})}
        self._check_changes(database, changes)
        for name in DEFERRABLE:
            if name in changes:
                pending[name] = changes.pop(name)
        if not now:
            database.deferred = pending
            database.pending_modified_values = {
                DEFERRABLE[name]: value for name, value in pending.items()
            }
            pending = {}
        with self._busy(database, "modifying"):
            try:
                self._apply(database, {**changes, **pending})
            except FAILURES as error:
                raise _failure(error) from error
            port = pending.pop("db_port_number", None)
            if port:
                database.port = int(port)
            original(backend, db_instance_identifier, {**changes, **pending})
            if now:
                database.deferred = {}
                database.pending_modified_values = {}
            self._after(database, {**changes, **pending})
        return database

    @hook(RDSResponse, "reboot_db_instance", "self")
    def reboot(self, original, response):
        database = response.backend.describe_db_instances(
            response.params.get("DBInstanceIdentifier")
        )[0]
        _require(database, "available", "storage-full")
        with self._busy(database, "rebooting"):
            cluster = self._cluster(database)
            try:
                if response.params.get("ForceFailover"):
                    self._fail_over(cluster)
                else:
                    cluster.reboot()
                    database.add_event("DB_INSTANCE_RESTART")
            except FAILURES as error:
                raise _failure(error) from error
        return original(response)

    @hook(RDSBackend, "stop_db_instance", "self, db_instance_identifier, db_snapshot_identifier")
    def stop(self, original, backend, db_instance_identifier, db_snapshot_identifier=None):
        database = original(backend, db_instance_identifier, db_snapshot_identifier)
        with self._busy(database, "stopping", "stopped"):
            self._cluster(database).stop()
            database.add_event("DB_INSTANCE_STOPPED")
        return database

    @hook(RDSBackend, "start_db_instance", "self, db_instance_identifier")
    def start(self, original, backend, db_instance_identifier):
        database = original(backend, db_instance_identifier)
        with self._busy(database, "starting"):
            try:
                self._cluster(database).start()
            except FAILURES as error:
                raise _failure(error) from error
            database.add_event("DB_INSTANCE_STARTED")
        return database

    @hook(RDSBackend, "delete_db_instance",
          "self, db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot, "
          "delete_automated_backups")  # fmt: skip
    def delete(self, original, backend, db_instance_identifier, final_db_snapshot_identifier=None,
               skip_final_snapshot=False, delete_automated_backups=True):  # fmt: skip
        database = backend.databases.get(db_instance_identifier)
        if database and not skip_final_snapshot and not final_db_snapshot_identifier:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
        deleted = original(
            backend, db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot,
            delete_automated_backups,
        )  # fmt: skip
        with self._lock(deleted):
            self._cluster(deleted).remove()
        deleted.add_event("DB_INSTANCE_DELETE")
        return deleted

    # snapshots

    @hook(RDSBackend, "create_db_snapshot",
          "self, db_instance_identifier, db_snapshot_identifier, snapshot_type, tags, "
          "original_created_at, kms_key_id")  # fmt: skip
    def snapshot(self, original, backend, *args, **kwargs):
        snapshot = original(backend, *args, **kwargs)
        database = backend.databases[snapshot.db_instance_identifier]
        if not hasattr(database, "deployment"):
            return snapshot
        name = f"rds-{secrets.token_hex(8)}"
        # moto makes a restored instance from a copy of this object's attributes
        del snapshot.database.deployment
        snapshot.database.source_snapshot = snapshot.volume = name
        snapshot.availability_zone = database.availability_zone
        snapshot.vpc_id = database.db_subnet_group.vpc_id
        snapshot.percent_progress = 100
        snapshot.license_model = database.license_model
        snapshot.storage_type = database.storage_type
        try:
            with self._lock(database):
                self._copy(database, name)
        except FAILURES as error:
            backend.database_snapshots.pop(snapshot.db_snapshot_identifier, None)
            raise _failure(error) from error
        return snapshot

    @hook(RDSBackend, "copy_db_snapshot",
          "self, source_db_snapshot_identifier, target_db_snapshot_identifier, kms_key_id, tags, "
          "copy_tags, _")  # fmt: skip
    def copy_snapshot(self, original, backend, source_db_snapshot_identifier, *args, **kwargs):
        source = backend.get_db_snapshot(source_db_snapshot_identifier)
        copied = original(backend, source_db_snapshot_identifier, *args, **kwargs)
        copied.volume = getattr(source, "volume", None)
        return copied

    @hook(RDSBackend, "delete_db_snapshot", "self, db_snapshot_identifier")
    def delete_snapshot(self, original, backend, db_snapshot_identifier):
        snapshot = original(backend, db_snapshot_identifier)
        volume = getattr(snapshot, "volume", None)
        shared = {getattr(each, "volume", None) for each in backend.database_snapshots.values()}
        if volume and volume not in shared:
            self.cloud.storage.delete_snapshot(volume)
        return snapshot

    @hook(RDSBackend, "restore_db_instance_to_point_in_time",
          "self, source_db_identifier, target_db_identifier, overrides")  # fmt: skip
    def restore_to_now(self, original, backend, source_db_identifier, target_db_identifier,
                       overrides):  # fmt: skip
        if not overrides.get("use_latest_restorable_time"):
            raise InvalidParameterValue(
                "This local cloud restores to the latest restorable time only: "
                "set UseLatestRestorableTime."
            )
        source = backend.describe_db_instances(source_db_identifier)[0]
        if not source.backup_retention_period:
            raise InvalidParameterValue(f"{source_db_identifier} has no automated backups")
        name = f"rds-{secrets.token_hex(8)}"
        with self._lock(source):
            self._copy(source, name)
        overrides["source_snapshot"] = name
        deployment = source.__dict__.pop("deployment")  # the copy has its own
        try:
            return original(backend, source_db_identifier, target_db_identifier, overrides)
        finally:
            source.deployment = deployment
            self.cloud.storage.delete_snapshot(name)

    # parameter and subnet groups

    @hook(RDSBackend, "modify_db_parameter_group",
          "self, db_parameter_group_name, db_parameter_group_parameters")  # fmt: skip
    def modify_parameters(self, original, backend, db_parameter_group_name,
                          db_parameter_group_parameters):  # fmt: skip
        if db_parameter_group_name.startswith("default."):
            raise InvalidParameterValue(
                f"You can't modify a default parameter group: {db_parameter_group_name}"
            )
        wanted = list(db_parameter_group_parameters)
        for each in wanted:
            try:
                parameters.check(
                    each["ParameterName"],
                    each.get("ParameterValue", ""),
                    each.get("ApplyMethod", "pending-reboot"),
                )
            except ParameterError as error:
                raise RDSClientError("InvalidParameterValue", str(error)) from error
        group = original(backend, db_parameter_group_name, wanted)
        self._group_changed(group)
        return group

    @hook(RDSResponse, "describe_db_parameters", "self")
    def describe_parameters(self, original, response):
        name = response.params.get("DBParameterGroupName")
        group = response.backend.db_parameter_groups.get(name)
        if group is None and name != f"default.{parameters.FAMILY}":
            raise DBParameterGroupNotFoundError(name)
        if group is not None and group.family != parameters.FAMILY:
            return original(response)
        rows = parameters.describe(group.parameters if group else {})
        source = response.params.get("Source")
        return ActionResult(
            {"Parameters": [row for row in rows if not source or row["Source"] == source]}
        )

    @hook(RDSBackend, "describe_db_parameter_groups", "self, db_parameter_group_kwargs")
    def describe_groups(self, original, backend, db_parameter_group_kwargs):
        found = original(backend, db_parameter_group_kwargs)
        name = db_parameter_group_kwargs.get("db_parameter_group_name")
        if name and not found:
            raise DBParameterGroupNotFoundError(name)
        return found

    @hook(RDSBackend, "delete_db_parameter_group", "self, db_parameter_group_name")
    def delete_group(self, original, backend, db_parameter_group_name):
        if any(each.db_parameter_group_name == db_parameter_group_name
               for each in backend.databases.values()):  # fmt: skip
            raise RDSClientError(
                "InvalidDBParameterGroupState",
                "One or more database instances are still members of this parameter group "
                f"{db_parameter_group_name}, so the group cannot be deleted",
            )
        return original(backend, db_parameter_group_name)

    @hook(DBInstance, "db_parameter_group_status_list", "self")
    def group_status(self, original, database):
        """moto says in-sync whatever is true."""
        groups = original(database)
        if hasattr(database, "deployment") and self._cluster(database).pending_reboot():
            for group in groups:
                group.ParameterApplyStatus = "pending-reboot"
        return groups

    @hook(RDSBackend, "modify_db_subnet_group", "self, subnet_name, description, subnets")
    def modify_subnets(self, original, backend, subnet_name, description, subnets):
        if subnet_name not in backend.subnet_groups:
            raise DBSubnetGroupNotFoundError(subnet_name)
        group = original(backend, subnet_name, description, subnets)
        backend.subnet_groups[subnet_name] = group  # moto forgets it
        return group

    @hook(RDSBackend, "delete_subnet_group", "self, subnet_name")
    def delete_subnets(self, original, backend, subnet_name):
        if any(each._db_subnet_group_name == subnet_name for each in backend.databases.values()):
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{subnet_name}' because at least one database "
                "instance is still using it.",
            )
        return original(backend, subnet_name)

    # what the cloud asks

    def adopt(self) -> list[str]:
        self.appliances.warm()
        said = []
        known = set()
        for database in self.all():
            cluster = self._cluster(database)
            for host in cluster.hosts():
                known.add(host.id)
                cluster._server(host).thaw()
            if database.status not in ("available", "stopped"):
                # the process died while it changed this one
                database.status = "available"
            try:
                self._take_over(cluster)
            except FAILURES as error:
                log.warning("%s: %s", database.db_instance_identifier, error)
            said.append(f"adopted database {database.db_instance_identifier}")
        for name, container in self.cloud.engine.containers().items():
            if container.labels.get("kind") == RECIPE.name and name not in known:
                self.cloud.engine.remove(name)
                self.cloud.storage.unmount_root(name, name)
                self.cloud.storage.delete(name)
                said.append(f"removed database host {name}: the API does not know it")
        return said

    def reconcile(self) -> None:
        for database in self.all():
            lock = self._lock(database)
            if not lock.acquire(blocking=False):
                continue
            try:
                if database.status in ("available", "storage-full", "incompatible-network"):
                    self._watch(database)
            except FAILURES as error:
                log.warning("%s: %s", database.db_instance_identifier, error)
            finally:
                lock.release()

    def interfaces(self) -> list[Interface]:
        found = []
        for database in self.all():
            hosts = self._cluster(database).hosts()
            for host in hosts:
                # replication is the platform's own traffic: no security group stops it
                peers = tuple(each.address for each in hosts if each is not host)
                rules = (Rule("tcp", (database.port, database.port), peers),) if peers else ()
                seen = self.appliances.interface(host, rules, rules)
                if seen:
                    found.append(seen)
        return found

    def hosts(self) -> list[Host]:
        return [host for database in self.all() for host in self._cluster(database).hosts()]

    def fail_over(self, name: str) -> bool:
        database = self.cloud.backend("rds").databases.get(name)
        if database is None:
            return False
        _require(database, "available", "storage-full")
        with self._busy(database, "rebooting"):
            self._fail_over(self._cluster(database))
        return True

    def names(self) -> dict[str, list[str]]:
        return {database.address: [database.deployment.primary.address] for database in self.all()}

    def rows(self) -> list[Row]:
        containers = self.cloud.engine.containers()
        return [self._row(database, containers) for database in self.all()]

    def all(self) -> list[DBInstance]:
        """The DB instances that have hosts."""
        databases = list(self.cloud.backend("rds").databases.values())
        return [each for each in databases if hasattr(each, "deployment")]

    # how

    def _row(self, database, containers) -> Row:
        cluster = self._cluster(database)
        hosts = []
        for host in cluster.hosts():
            role = "primary" if host is database.deployment.primary else "standby"
            running = host.id in containers and containers[host.id].running
            hosts.append(f"{role} {host.id} in {host.zone}{'' if running else ' (down)'}")
        replication = database.deployment.replication
        health = "ok" if database.status == "available" else database.status
        if database.multi_az and replication is not Replication.IN_SYNC and health == "ok":
            health = "no standby in sync"
        if cluster.pending_reboot():
            health += ", parameters pending-reboot"
        return Row(
            id=database.db_instance_identifier,
            kind=f"database {database.db_instance_class} {database.allocated_storage} GiB",
            name=database.db_name or "",
            state=database.status + (" Multi-AZ" if database.multi_az else ""),
            address=f"{database.address}:{database.port}",
            real=", ".join(hosts),
            health=health,
        )

    def _cluster(self, database) -> Cluster:
        return Cluster(self.appliances, self.authority, database)

    def _lock(self, database) -> threading.RLock:
        return self._locks.setdefault(database.dbi_resource_id, threading.RLock())

    @contextmanager
    def _busy(self, database, during: str, after: str = "available"):
        """Hold the database's lock and show what is being done to it."""
        with self._lock(database):
            before = "available" if database.status == during else database.status
            database.status = during
            try:
                yield
            except BaseException:
                database.status = before
                raise
            database.status = "stopped" if before == "stopped" and during == "modifying" else after
            self._seen.pop(database.dbi_resource_id, None)

    def _check_new(self, backend, wanted, snapshot) -> None:
        """Raise for what RDS, or this local cloud, does not make."""
        if wanted.get("db_cluster_identifier"):
            return
        if wanted.get("engine") != "postgres":
            raise InvalidParameterValue(
                f"This local cloud runs PostgreSQL: set Engine to postgres, "
                f"not {wanted.get('engine')}."
            )
        version = str(wanted.get("engine_version") or VERSION)
        if version.split(".")[0] != "17":
            raise InvalidParameterCombination(
                f"Cannot find version {version} for postgres: this local cloud has {VERSION}"
            )
        wanted["engine_version"] = VERSION if version == "17" else version
        _check_class(wanted.get("db_instance_class"))
        group = wanted.get("db_subnet_group_name")
        if not group:
            raise InvalidParameterValue("This local cloud needs DBSubnetGroupName.")
        zones = {s.availability_zone for s in backend.describe_db_subnet_groups(group)[0]._subnets}
        if len(zones) < 2:
            raise RDSClientError(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
                "Current AZ coverage: " + ", ".join(sorted(zones)) + ". Add subnets to cover at "
                "least 2 AZs.",
            )
        if wanted.get("multi_az") and wanted.get("availability_zone") and not snapshot:
            raise InvalidParameterCombination(
                "Requesting a specific availability zone is not valid for Multi-AZ instances."
            )
        wanted.setdefault("availability_zone", min(zones))
        if not snapshot and not wanted.get("manage_master_user_password"):
            if not wanted.get("master_username"):
                raise InvalidParameterValue("MasterUsername is required")
            _check_password(wanted.get("master_user_password"))
        if wanted.get("master_username") in ("rdsadmin", "postgres_admin", "admin"):
            raise InvalidParameterValue(
                f"MasterUsername {wanted['master_username']} cannot be used as it is a reserved "
                "word used by the engine"
            )

    def _check_changes(self, database, changes: dict) -> None:
        if "db_instance_class" in changes:
            _check_class(changes["db_instance_class"])
        if "master_user_password" in changes:
            _check_password(changes["master_user_password"])
        size = changes.get("allocated_storage")
        if size and int(size) < int(database.allocated_storage):
            raise InvalidParameterCombination(
                "Requested storage size cannot be less than the current storage size"
            )
        version = changes.get("engine_version")
        if version and str(version).split(".")[0] != "17":
            raise InvalidParameterCombination(
                f"Cannot upgrade postgres from {database.engine_version} to {version}"
            )
        if version == "17":
            changes["engine_version"] = database.engine_version

    def _apply(self, database, changes: dict) -> None:
        """Make real what can fail, before the API says that it is so."""
        cluster = self._cluster(database)
        running = database.deployment and self.appliances.running(database.deployment.primary)
        if "allocated_storage" in changes:
            cluster.grow(int(changes["allocated_storage"]))
        if "master_user_password" in changes and running:
            cluster.primary.execute(
                postgres.set_password(database.master_username, changes["master_user_password"])
            )
            database.add_event("DB_INSTANCE_RESET_MASTER_CREDENTIALS")
        if "vpc_security_group_ids" in changes:
            cluster.set_groups(changes["vpc_security_group_ids"])
        if changes.get("multi_az") is False and database.multi_az:
            database.multi_az = False
            cluster.drop_standby()
            database.add_event("MULTI_AZ_OFF")

    def _after(self, database, changes: dict) -> None:
        """Make real what needs the database's new attributes."""
        cluster = self._cluster(database)
        running = self.appliances.running(database.deployment.primary)
        try:
            if "new_db_instance_identifier" in changes and running:
                cluster.recertify()
            if changes.get("db_instance_class") and running:
                cluster.resize()
                database.add_event("CLASS_CHANGED")
            elif changes.get("db_port_number") and running:
                cluster.reboot()
            if changes.get("multi_az") and not database.deployment.standby and running:
                cluster.build_standby()
                cluster.attach()
                database.add_event("MULTI_AZ_ON")
            if "allocated_storage" in changes:
                database.add_event("STORAGE_CHANGED")
        except FAILURES as error:
            raise _failure(error) from error

    def _group_changed(self, group) -> None:
        for database in self.all():
            if database.db_parameter_group_name == group.name and database.status == "available":
                with self._lock(database):
                    try:
                        self._cluster(database).apply_parameters()
                    except FAILURES as error:
                        raise _failure(error) from error

    def _copy(self, database, name: str) -> None:
        """Copy the database's volume, running or not, as a snapshot called ``name``."""
        server = self._cluster(database).primary
        if not self.appliances.running(server.host):
            self.cloud.storage.snapshot(server.host.id, name)
            return
        server.execute("checkpoint")
        with server.frozen():
            self.cloud.storage.snapshot(server.host.id, name, frozen=True)

    def _fail_over(self, cluster: Cluster) -> None:
        """The planned failover of RebootDBInstance."""
        database = cluster.database
        if not database.multi_az:
            raise InvalidParameterCombination(
                "Cannot reboot with failover: the DB instance is not Multi-AZ"
            )
        if cluster.deployment.replication is not Replication.IN_SYNC:
            raise RDSClientError(
                "InvalidDBInstanceState", "The standby is not in sync: no failover now"
            )
        database.add_event("FAILOVER_START")
        cluster.promote(in_order=True)
        database.add_event("FAILOVER_FINISH")
        cluster.build_standby()
        cluster.attach()

    def _take_over(self, cluster: Cluster) -> None:
        """Bring hosts that ran on without this process to what is known of them."""
        cluster.distrust()
        if not self.appliances.running(cluster.deployment.primary):
            return
        cluster.finish_promotion()
        if cluster.standby:
            # The primary may wait for a standby that is lost; `attach` follows when it is not.
            cluster.detach()

    # watching

    def _watch(self, database) -> None:
        """One look at a database, and one step if something is wrong. Holds its lock."""
        cluster = self._cluster(database)
        seen = self._observe(cluster)
        action = decide(seen)
        if action is Action.WAIT:
            self._show(cluster, seen)
            return
        log.warning("%s: %s", database.db_instance_identifier, action)
        if action is Action.DETACH:
            cluster.detach()
            database.add_event("STANDBY_LOST")
            return
        # what takes longer does not hold up the reconciler
        threading.Thread(
            target=self._act, args=(cluster, action), name=f"rds-{action}", daemon=True
        ).start()

    def _act(self, cluster: Cluster, action: Action) -> None:
        database = cluster.database
        with self._lock(database):
            if database.status not in ("available", "storage-full", "incompatible-network"):
                return
            try:
                self._step(cluster, action)
            except FAILURES as error:
                log.warning("%s: %s failed: %s", database.db_instance_identifier, action, error)
            finally:
                self._seen.pop(database.dbi_resource_id, None)
                self.cloud.settle()

    def _step(self, cluster: Cluster, action: Action) -> None:
        database = cluster.database
        if decide(self._observe(cluster)) is not action:
            return  # another thread was faster
        if action is Action.PROMOTE:
            with self._busy(database, "rebooting"):
                database.add_event("FAILOVER_START")
                cluster.promote(in_order=False)
                database.add_event("FAILOVER_FINISH")
        elif action is Action.RESTART:
            with self._busy(database, "rebooting"):
                cluster.restart_primary()
                database.add_event("RECOVERED")
        elif action is Action.BUILD:
            cluster.build_standby()
        elif action is Action.ATTACH and cluster.attach():
            database.add_event("STANDBY_READY")

    def _observe(self, cluster: Cluster) -> Observation:
        database, deployment = cluster.database, cluster.deployment
        now = time.monotonic()
        seen = self._seen.setdefault(database.dbi_resource_id, {"primary": now, "standby": now})
        containers = self.cloud.engine.containers()
        standby = deployment.standby
        if cluster.primary.answers():
            seen["primary"] = now
            self._keep_replicators(cluster)
            if standby and cluster.standby_follows():
                seen["standby"] = now
        return Observation(
            now=now,
            multi_az=database.multi_az,
            replication=deployment.replication,
            primary_runs=_runs(containers, deployment.primary),
            primary_seen=seen["primary"],
            standby_exists=standby is not None,
            standby_runs=_runs(containers, standby),
            standby_reachable=standby is not None and self.appliances.reachable(standby),
            standby_seen=seen["standby"],
            built=now - (time.time() - deployment.attempted),
        )

    def _show(self, cluster: Cluster, seen: Observation) -> None:
        """Let the status say whether the database can be used; make due backups."""
        database = cluster.database
        if seen.now == seen.primary_seen:
            status = "storage-full" if cluster.primary.free() < FULL else "available"
        elif seen.now - seen.primary_seen > 3:
            status = "incompatible-network"
        else:
            return
        if status != database.status:
            database.status = status
            if status == "storage-full":
                database.add_event("STORAGE_FULL")
        if status == "available":
            self._back_up(database)

    def _keep_replicators(self, cluster: Cluster) -> None:
        with cluster.primary.connect() as connection:
            for (role,) in connection.execute(postgres.REPLICATORS).fetchall():
                connection.execute(postgres.allow_replication(role))

    def _back_up(self, database) -> None:
        """A backup a day, kept for the retention period."""
        if not database.backup_retention_period:
            return
        backend = database.backend
        mine = [
            each
            for each in backend.database_snapshots.values()
            if each.snapshot_type == "automated"
            and each.db_instance_identifier == database.db_instance_identifier
        ]
        newest = max((each.created for each in mine), default=None)
        if newest is None or utcnow() - newest > BACKUP_EVERY:
            database.save_automated_backup()
        for each in mine:
            if utcnow() - each.created > timedelta(days=int(database.backup_retention_period)):
                backend.delete_db_snapshot(each.db_snapshot_identifier)


def _runs(containers, host) -> bool:
    return bool(host and host.id in containers and containers[host.id].running)


def _require(database, *states: str) -> None:
    if database.status not in states:
        raise RDSClientError(
            "InvalidDBInstanceState",
            f"Database instance is not in {' or '.join(states[:1])} state: it is "
            f"{database.status}.",
        )


def _check_class(name: str | None) -> None:
    if not name or not name.startswith("db.") or instance_type(name) not in INSTANCE_TYPES:
        raise InvalidParameterValue(f"Invalid DB Instance class: {name}")


def _check_password(password: str | None) -> None:
    if not password or len(password) < 8:
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password because it is shorter than "
            "8 characters."
        )
    if re.search(r"[/\"@ ]", password):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII "
            "characters besides '/', '@', '\"', ' ' may be used."
        )


def _complete(database) -> None:
    """Fill in what moto leaves out or gives every database alike."""
    letters = string.ascii_uppercase + string.digits
    database.dbi_resource_id = "db-" + "".join(secrets.choice(letters) for _ in range(26))
    database.license_model = "postgresql-license"
    database.secondary_availability_zone = None
    database.pending_modified_values = {}
    database.multi_az = bool(database.multi_az)
    database.publicly_accessible = bool(database.publicly_accessible)
    if database.option_group_name.startswith("default:"):
        database.option_group_name = "default:postgres-17"
    if database.storage_type == "gp3":
        big = int(database.allocated_storage) >= 400
        database.iops = database.iops or (12000 if big else 3000)
        database.storage_throughput = database.storage_throughput or (500 if big else 125)


def _secret_password(database) -> str:
    secret = database.master_user_secret.secret
    return json.loads(secret.versions[secret.default_version_id]["secret_string"])["password"]


def _failure(error: Exception) -> RDSClientError:
    """The API error for a database that could not be made or changed."""
    return RDSClientError("InternalFailure", str(error))
