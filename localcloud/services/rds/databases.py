"""DB instances as the API makes, changes and removes them.

Calls answer when what they promise is true: CreateDBInstance returns a database that accepts
connections. Changes that take long go on behind ModifyDBInstance (changes.py).
"""

import json
import logging
import secrets
import string
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial

from moto.rds.exceptions import InvalidParameterCombination, RDSClientError
from moto.rds.models import DBInstance, Event, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.appliance import Host
from localcloud.authority import Authority
from localcloud.firewall import Interface, Rule
from localcloud.hooks import hook
from localcloud.services.base import Row
from localcloud.services.managed import FAILURES, ManagedService
from localcloud.services.rds import postgres, refusals, server
from localcloud.services.rds.changes import Changes
from localcloud.services.rds.cluster import Cluster
from localcloud.services.rds.failover import Replication
from localcloud.services.rds.refusals import failure, require
from localcloud.services.rds.watch import WATCHED, Watch

log = logging.getLogger("localcloud.rds")

# The CA that RDS gives new databases:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
AUTHORITY = "rds-ca-rsa2048-g1"

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
    "CHANGE_FAILED": (["failure"], "Unable to apply the modification, which waits"),
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
CHANGEABLE = ("available", "stopped", "storage-full")


class Databases(ManagedService):
    """DB instances."""

    recipe = server.RECIPE
    noun = "database"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.authority = Authority(cloud.settings.state / "authority")
        self._watch = Watch(self)
        self._changes = Changes(self)
        for name, (categories, message) in EVENTS.items():
            Event.EVENT_MAP.setdefault(name, {"Categories": categories, "Message": message})

    # the API's calls

    @hook(RDSBackend, "create_db_instance", "self, db_kwargs")
    def create(self, original, backend, db_kwargs):
        snapshot = db_kwargs.pop("source_snapshot", None)
        password = db_kwargs.get("master_user_password")
        zones = self._zones(backend, db_kwargs)
        refusals.check_new(db_kwargs, self.version(), zones, bool(snapshot))
        db_kwargs["engine_version"] = self.version()
        db_kwargs.setdefault("availability_zone", min(zones))
        with self.cloud.lock:  # nobody may save it as moto makes it: available
            database = original(backend, db_kwargs)
            database.status = "creating"
        _complete(database)
        with self.busy(database, "creating"):
            if database.manage_master_user_password:
                password = _secret_password(database)
            # a restored database keeps its password unless a new one is given
            fresh = None if snapshot and "master_user_password" not in db_kwargs else password
            try:
                self.cluster(database).create(fresh, snapshot)
            except FAILURES as error:
                log.exception("create %s", database.db_instance_identifier)
                self.dismiss(database)
                raise failure(error) from error
        if snapshot:
            database.add_event("RESTORED")
        database.save_automated_backup()
        return database

    @hook(RDSBackend, "modify_db_instance", "self, db_instance_identifier, db_kwargs")
    def modify(self, original, backend, db_instance_identifier, db_kwargs):
        database = backend.describe_db_instances(db_instance_identifier)[0]
        require(database, *CHANGEABLE)  # before the lock, which who changes it has
        with self.lock(database):
            require(database, *CHANGEABLE)
            return self._modify(original, database, db_kwargs)

    def _modify(self, original, database, db_kwargs):
        changes = {key: value for key, value in db_kwargs.items() if value is not None}
        now = changes.pop("apply_immediately", False)
        pending = {**getattr(database, "deferred", {})}
        refusals.check_changes(database, changes)
        exports = changes.pop("cloudwatch_logs_export_configuration", None) or {}
        for name in DEFERRABLE:
            if name in changes:
                pending[name] = changes.pop(name)
                if not now and str(pending[name]) == str(getattr(database, name, None)):
                    del pending[name]  # what it has already waits for nothing
        if not now:
            database.deferred = pending
            database.pending_modified_values = {
                DEFERRABLE[name]: value for name, value in pending.items()
            }
            pending = {}
        running = self.appliances.running(database.deployment.primary)
        later = self._changes.take(database, pending) if running else {}
        with self.busy(database, "modifying"):
            try:
                self.apply(database, {**changes, **pending})
            except FAILURES as error:
                raise failure(error) from error
            port = pending.pop("db_port_number", None)
            if port:
                database.port = int(port)
            original(self.cloud.backend("rds"), self.name(database), {**changes, **pending})
            if now:
                database.deferred = {}
                database.pending_modified_values = {}
            exported = {
                *database.enabled_cloudwatch_logs_exports,
                *exports.get("EnableLogTypes", []),
            }
            database.enabled_cloudwatch_logs_exports = sorted(
                exported.difference(exports.get("DisableLogTypes", []))
            )
            self.complete(database, {**changes, **pending})
        return self._changes.begin(database, later) if later else database

    @hook(RDSResponse, "reboot_db_instance", "self")
    def reboot(self, original, response):
        database = response.backend.describe_db_instances(
            response.params.get("DBInstanceIdentifier")
        )[0]
        require(database, "available", "storage-full")
        with self.busy(database, "rebooting"):
            cluster = self.cluster(database)
            try:
                if response.params.get("ForceFailover"):
                    self._fail_over(cluster)
                else:
                    cluster.reboot()
                    database.add_event("DB_INSTANCE_RESTART")
            except FAILURES as error:
                raise failure(error) from error
        return original(response)

    @hook(RDSBackend, "stop_db_instance", "self, db_instance_identifier, db_snapshot_identifier")
    def stop(self, original, backend, db_instance_identifier, db_snapshot_identifier=None):
        database = original(backend, db_instance_identifier, db_snapshot_identifier)
        with self.busy(database, "stopping", "stopped"):
            self.cluster(database).stop()
            database.add_event("DB_INSTANCE_STOPPED")
        return database

    @hook(RDSBackend, "start_db_instance", "self, db_instance_identifier")
    def start(self, original, backend, db_instance_identifier):
        database = original(backend, db_instance_identifier)
        with self.busy(database, "starting"):
            try:
                self.cluster(database).start()
            except FAILURES as error:
                raise failure(error) from error
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
        with self.lock(deleted):
            self.remove(deleted)
        deleted.add_event("DB_INSTANCE_DELETE")
        return deleted

    # what the cloud asks

    def all(self) -> list[DBInstance]:
        databases = list(self.cloud.backend("rds").databases.values())
        return [each for each in databases if hasattr(each, "deployment")]

    def name(self, database) -> str:
        return database.db_instance_identifier

    def identity(self, database) -> str:
        return database.dbi_resource_id

    def hosts_of(self, database) -> list[Host]:
        return self.cluster(database).hosts()

    def unfinished(self) -> list[DBInstance]:
        databases = list(self.cloud.backend("rds").databases.values())
        return [each for each in databases if each.status == "creating"]

    def forget(self, database) -> None:
        self.cloud.backend("rds").databases.pop(database.db_instance_identifier, None)

    def take_over(self, database) -> None:
        cluster = self.cluster(database)
        cluster.thaw()
        if database.status not in ("available", "stopped"):
            database.status = "available"  # the process died while it changed this one
        cluster.take_over()
        self._changes.take_over(database)

    def watch(self, database) -> None:
        if self._changes.waits(database):
            self._changes.go_on(database)
        elif database.status in WATCHED:
            self._watch.look(database)

    def interfaces(self) -> list[Interface]:
        found = []
        for database in self.all():
            hosts = self.hosts_of(database)
            for host in hosts:
                # replication is the platform's own traffic: no security group stops it
                peers = tuple(each.address for each in hosts if each is not host)
                rules = (Rule("tcp", (database.port, database.port), peers),) if peers else ()
                seen = self.appliances.interface(host, rules, rules)
                if seen:
                    found.append(seen)
        return found

    def failovers(self) -> dict[str, Callable[[], None]]:
        return {
            f"rds:{self.name(database)}": partial(self._fail_over_at_once, database)
            for database in self.all()
        }

    def names(self) -> dict[str, list[str]]:
        return {database.address: [database.deployment.primary.address] for database in self.all()}

    def rows(self) -> list[Row]:
        containers = self.cloud.engine.containers()
        return [self._row(database, containers) for database in self.all()]

    # what others ask

    def shown(self, database):
        return self._changes.shown(database)

    def cluster(self, database) -> Cluster:
        return Cluster(self.appliances, self.authority, database)

    def version(self) -> str:
        """The PostgreSQL that the hosts' image has, such as 17.6."""
        return server.version(self.appliances.layer())

    @contextmanager
    def busy(self, database, during: str, after: str = "available"):
        """Hold the database's lock and show what is being done to it."""
        with self.lock(database):
            before = "available" if database.status == during else database.status
            database.status = during
            try:
                yield
            except BaseException:
                database.status = before
                raise
            database.status = "stopped" if before == "stopped" and during == "modifying" else after
            self._watch.forget(database)

    # how

    def _zones(self, backend, wanted: dict) -> set[str]:
        """Zones of the subnet group; without one, RDS takes the default VPC's subnets."""
        if not wanted.get("db_subnet_group_name"):
            wanted["db_subnet_group_name"] = self._default_subnets(backend)
        group = backend.describe_db_subnet_groups(wanted["db_subnet_group_name"])[0]
        return {subnet.availability_zone for subnet in group._subnets}

    def _default_subnets(self, backend) -> str:
        if "default" not in backend.subnet_groups:
            ec2 = self.cloud.backend("ec2")
            vpc = ec2.default_vpc
            if vpc is None:
                raise InvalidParameterCombination(
                    "There is no default VPC: set DBSubnetGroupName to a subnet group."
                )
            subnets = [each for each in ec2.describe_subnets() if each.vpc_id == vpc.id]
            backend.create_db_subnet_group("default", "default", subnets, [])
        return "default"

    def _row(self, database, containers) -> Row:
        cluster = self.cluster(database)
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

    def apply(self, database, changes: dict) -> None:
        """Make real what can fail, before the API says that it is so."""
        cluster = self.cluster(database)
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

    def complete(self, database, changes: dict) -> None:
        """Make real what needs the database's new attributes."""
        cluster = self.cluster(database)
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
            raise failure(error) from error

    def _fail_over_at_once(self, database) -> None:
        require(database, "available", "storage-full")
        with self.busy(database, "rebooting"):
            self._fail_over(self.cluster(database))

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


def _complete(database) -> None:
    """Fill in what moto leaves out or gives every database alike."""
    letters = string.ascii_uppercase + string.digits
    database.dbi_resource_id = "db-" + "".join(secrets.choice(letters) for _ in range(26))
    database.license_model = "postgresql-license"
    database.secondary_availability_zone = None
    database.pending_modified_values = {}
    database.ca_certificate_identifier = AUTHORITY
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
