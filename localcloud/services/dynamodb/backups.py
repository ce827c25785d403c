"""Backups on demand, and tables as they were at a point in time."""

import copy
import time
from datetime import UTC, timedelta

from moto.core.exceptions import JsonRESTError
from moto.core.utils import utcnow
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Backup, Table
from moto.dynamodb.responses import DynamoHandler

from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.dynamodb import DynamoDb, remembered
from localcloud.services.dynamodb.items import Items

DAY = 86400
LONGEST = 35  # days that a table's past is kept, and what is kept of a deleted table
PRUNE_SECONDS = 3600
ERROR = "com.amazonaws.dynamodb.v20120810#"


class Backups(Service):
    """A backup is a copy on a shelf of its own; the past of a table is kept beside its items."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._next = 0.0

    @hook(Backup, "details", "self")
    @hook(Backup, "summary", "self")
    def sized(self, original, backup):
        return original(backup) | {"BackupSizeBytes": size(backup.table)}

    @hook(DynamoDBBackend, "delete_table", "self, name")
    def delete(self, original, backend, name):
        """Of a table with a past the last moment is kept as AWS keeps it, as a backup."""
        table = backend.get_table(name)
        last = Backup(table.account_id, table.region_name, f"{name}$DeletedTableBackup", table,
                      type_="SYSTEM") if remembered(table) else None  # fmt: skip
        deleted = original(backend, name)
        if last:
            backend.backups[last.arn] = last
        return deleted

    @hook(DynamoHandler, "update_continuous_backups", "self")
    def switched(self, original, handler):
        handler.dynamodb_backend.get_table(handler.body["TableName"])
        answer = original(handler)
        table = handler.dynamodb_backend.get_table(handler.body["TableName"])
        if not remembered(table) and isinstance(table.items, Items):
            self.cloud.store.forget_before(table.items, time.time())
        answer.result["ContinuousBackupsDescription"] = self._description(table)
        return answer

    @hook(DynamoDBBackend, "describe_continuous_backups", "self, table_name")
    def describe(self, original, backend, table_name):
        original(backend, table_name)
        return self._description(backend.get_table(table_name))

    @hook(DynamoHandler, "restore_table_from_backup", "self")
    def from_backup(self, original, handler):
        answer = original(handler)
        backend = handler.dynamodb_backend
        source = backend.get_backup(handler.body["BackupArn"]).table
        return self._restored(answer, handler, source)

    @hook(DynamoHandler, "restore_table_to_point_in_time", "self")
    def to_point_in_time(self, original, handler):
        body, backend = handler.body, handler.dynamodb_backend
        if not body.get("SourceTableName"):
            body["SourceTableName"] = (body.get("SourceTableArn") or "").rpartition("/")[2]
        source = backend.tables.get(body["SourceTableName"])
        rows = self._then(source, body) if source is not None else None
        answer = original(handler)  # its errors are for what is not there
        restored = backend.get_table(body["TargetTableName"])
        if rows is not None:
            restored.items = Items.of_rows(rows)
        return self._restored(answer, handler, source)

    def reconcile(self) -> None:
        """Forget what is older than the table is remembered for."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PRUNE_SECONDS
        backend = self.cloud.backend("dynamodb")
        old = utcnow() - timedelta(days=LONGEST)
        for backup in list(backend.backups.values()):
            if backup.type == "SYSTEM" and backup.creation_date_time < old:
                del backend.backups[backup.arn]
        for table in list(backend.tables.values()):
            if remembered(table) and isinstance(table.items, Items):
                self.cloud.store.forget_before(table.items, _earliest(table))

    def _then(self, source: Table, body: dict) -> dict | None:
        """A table's rows at the moment that is asked for; None for now."""
        if not remembered(source):
            raise JsonRESTError(
                f"{ERROR}PointInTimeRecoveryUnavailableException",
                f"Point in time recovery is not enabled for table '{source.name}'",
            )
        moment = body.get("RestoreDateTime")
        if body.get("UseLatestRestorableTime") or moment is None:
            if not body.get("UseLatestRestorableTime"):
                raise JsonRESTError(
                    f"{ERROR}ValidationException",
                    "One of RestoreDateTime and UseLatestRestorableTime is required.",
                )
            return None
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        if not int(_earliest(source)) <= seconds <= time.time():
            raise JsonRESTError(
                f"{ERROR}InvalidRestoreTimeException",
                "RestoreDateTime must be between EarliestRestorableDateTime and "
                "LatestRestorableDateTime.",
            )
        self.cloud.service(DynamoDb).shelve()
        return self.cloud.store.as_of(source.items, seconds)

    def _restored(self, answer, handler, source: Table):
        """moto forgets how the table was billed and encrypted."""
        body = handler.body
        made = handler.dynamodb_backend.get_table(body["TargetTableName"])
        made.billing_mode = body.get("BillingModeOverride") or source.billing_mode
        made.sse_specification = copy.deepcopy(source.sse_specification)
        if hasattr(source, "table_class"):
            made.table_class = source.table_class
        if body.get("ProvisionedThroughputOverride"):
            made.throughput = {**made.throughput, **body["ProvisionedThroughputOverride"]}
        described = made.describe()["TableDescription"]
        answer.result["TableDescription"] |= {
            name: described[name]
            for name in ("BillingModeSummary", "ProvisionedThroughput", "TableClassSummary")
        }
        return answer

    def _description(self, table: Table) -> dict:
        found = copy.deepcopy(table.continuous_backups)
        if remembered(table):
            found["PointInTimeRecoveryDescription"] |= {
                "EarliestRestorableDateTime": _earliest(table),
                "LatestRestorableDateTime": time.time(),
            }
        return found


def _earliest(table: Table) -> float:
    """The first moment that a table can be restored to."""
    point_in_time = table.continuous_backups["PointInTimeRecoveryDescription"]
    days = point_in_time.get("RecoveryPeriodInDays", LONGEST)
    return max(point_in_time["EarliestRestorableDateTime"], time.time() - days * DAY)


def size(table: Table) -> int:
    """Bytes of a table's items."""
    entries = dict.values(table.items)
    if table.has_range_key:
        return sum(item.size() for partition in entries for item in partition.values())
    return sum(item.size() for item in entries)
