"""DB snapshots, automated backups, and what is restored from them."""

import secrets
from datetime import timedelta

from moto.core.utils import utcnow
from moto.rds.exceptions import InvalidParameterValue
from moto.rds.models import DBInstance, RDSBackend

from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.managed import FAILURES
from localcloud.services.rds.databases import Databases
from localcloud.services.rds.refusals import failure

BACKUP_EVERY = timedelta(days=1)


class Snapshots(Service):
    """A snapshot is a copy of the database's volume while it is frozen."""

    @property
    def _databases(self) -> Databases:
        return self.cloud.service(Databases)

    @hook(DBInstance, "save_automated_backup", "self")
    def backup(self, original, database):
        """The first backup is made when there is something to back up, and none if not wanted."""
        if hasattr(database, "deployment") and database.backup_retention_period:
            original(database)

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
            with self._databases.lock(database):
                self._copy(database, name)
        except FAILURES as error:
            backend.database_snapshots.pop(snapshot.db_snapshot_identifier, None)
            raise failure(error) from error
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
        with self._databases.lock(source):
            self._copy(source, name)
        overrides["source_snapshot"] = name
        deployment = source.__dict__.pop("deployment")  # the copy has its own
        try:
            return original(backend, source_db_identifier, target_db_identifier, overrides)
        finally:
            source.deployment = deployment
            self.cloud.storage.delete_snapshot(name)

    def adopt(self) -> list[str]:
        """Delete copies that no snapshot has: their API call was never answered."""
        known = {
            getattr(each, "volume", None)
            for each in self.cloud.backend("rds").database_snapshots.values()
        }
        for name in self.cloud.storage.snapshot_ids("rds-") - known:
            self.cloud.storage.delete_snapshot(name)
        return []

    # automated backups

    def reconcile(self) -> None:
        """A backup a day, kept for the retention period."""
        for database in self._databases.all():
            if database.status == "available" and (self._due(database) or self._old(database)):
                name = f"backup of {database.db_instance_identifier}"
                # a copy of a volume takes its time: nobody's health waits for it
                self._databases.work(name, lambda database=database: self._back_up(database))

    def _back_up(self, database) -> None:
        if self._due(database):
            database.save_automated_backup()
        for each in self._old(database):
            database.backend.delete_db_snapshot(each.db_snapshot_identifier)

    def _due(self, database) -> bool:
        newest = max((each.created for each in self._automated(database)), default=None)
        wanted = bool(database.backup_retention_period)
        return wanted and (newest is None or utcnow() - newest > BACKUP_EVERY)

    def _old(self, database) -> list:
        kept = timedelta(days=int(database.backup_retention_period or 0))
        return [
            each for each in self._automated(database) if kept and utcnow() - each.created > kept
        ]

    def _automated(self, database) -> list:
        return [
            each
            for each in list(database.backend.database_snapshots.values())
            if each.snapshot_type == "automated"
            and each.db_instance_identifier == database.db_instance_identifier
        ]

    # how

    def _copy(self, database, name: str) -> None:
        """Copy the database's volume, running or not, as a snapshot called ``name``."""
        server = self._databases.cluster(database).primary
        if not self._databases.appliances.running(server.host):
            self.cloud.storage.snapshot(server.host.id, name)
            return
        server.execute("checkpoint")
        with server.frozen():
            self.cloud.storage.snapshot(server.host.id, name, frozen=True)
