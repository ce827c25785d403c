"""DynamoDB: tables are moto's, with one writer at a time; items lie on shelves.

`transactions` is what moto's lack, `expiry` removes what has expired, `capacity` lets through what
a table's throughput allows, `backups` are backups and points in time.
"""

import uuid

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.dynamodb.items import Items
from localcloud.shelves import LOCK

CLASSES = ("STANDARD", "STANDARD_INFREQUENT_ACCESS")


class DynamoDb(Service):
    """Tables and their items."""

    @hook(DynamoHandler, "call_action", "self")
    def one_at_a_time(self, original, handler):
        """moto looks and then writes: of several conditional writes one only may win."""
        with LOCK:
            return original(handler)

    @hook(DynamoHandler, "create_table", "self")
    @hook(DynamoHandler, "update_table", "self")
    def with_class(self, original, handler):
        """moto does not know the classes of tables."""
        answer = original(handler)
        table = handler.dynamodb_backend.get_table(handler.body["TableName"])
        if handler.body.get("TableClass"):
            table.table_class = handler.body["TableClass"]
            answer.result["TableDescription"] |= _class_summary(table)
        return answer

    @hook(DynamoDBBackend, "update_table",
          "self, name, attr_definitions, global_index, throughput, billing_mode, stream_spec, "
          "deletion_protection_enabled, warm_throughput")  # fmt: skip
    def update(self, original, backend, *args, **kwargs):
        """A table on demand has no throughput of its own."""
        table = original(backend, *args, **kwargs)
        if table.billing_mode == "PAY_PER_REQUEST":
            for each in (table, *table.global_indexes):
                each.throughput = {**each.throughput, "ReadCapacityUnits": 0,
                                   "WriteCapacityUnits": 0}  # fmt: skip
        return table

    @hook(Table, "describe", "self, base_key")
    def with_id(self, original, table, base_key="TableDescription"):
        """community.aws.dynamodb_table wants the TableId that every table has on AWS."""
        description = original(table, base_key)
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{table.table_arn} {table.created_at}")
        description[base_key].setdefault("TableId", str(identity))
        description[base_key] |= _class_summary(table)
        return description

    def adopt(self) -> list[str]:
        for table in self.tables():
            if isinstance(table.items, Items):
                self.cloud.store.fill(table.items)
        return []

    def save(self) -> None:
        with LOCK:
            self.shelve()
            self.cloud.store.write(
                self.shelves(),
                remembered={table.items.uid for table in self.tables() if remembered(table)},
            )

    def shelves(self) -> list[Items]:
        return [table.items for table in self.tables() if isinstance(table.items, Items)]

    def shelve(self) -> None:
        """Put tables and backups that are new on a shelf."""
        for table in self.tables():
            if not isinstance(table.items, Items):
                table.items = Items(entries=table.items)

    def tables(self) -> list[Table]:
        """Every table, also those that backups are."""
        backend = self.cloud.backend("dynamodb")
        return [*backend.tables.values(), *(each.table for each in backend.backups.values())]

    def rows(self) -> list[Row]:
        return [
            Row(
                id=table.name,
                kind="table",
                state="on demand" if table.billing_mode == "PAY_PER_REQUEST" else "provisioned",
                real=f"{len(table)} items in {self.cloud.store.path}",
                health="ok",
            )
            for table in list(self.cloud.backend("dynamodb").tables.values())
        ]


def remembered(table: Table) -> bool:
    """Whether a table can be restored as it was at a point in time."""
    point_in_time = table.continuous_backups["PointInTimeRecoveryDescription"]
    return point_in_time["PointInTimeRecoveryStatus"] == "ENABLED"


def _class_summary(table: Table) -> dict:
    return {"TableClassSummary": {"TableClass": getattr(table, "table_class", CLASSES[0])}}
