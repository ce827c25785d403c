"""DynamoDB: tables are moto's, with one writer at a time; items lie on shelves."""

import uuid
from collections import defaultdict

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.shelves import LOCK, Shelf


class Items(Shelf, defaultdict):
    """Items by partition key. moto changes what it has looked up, so a look counts as a change."""

    def __init__(self, uid: str = "", entries: dict | None = None):
        super().__init__(uid, entries)
        self.default_factory = dict

    def __getitem__(self, key):
        self.changed.add(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self.changed.add(key)
        super().__setitem__(key, value)

    def pop(self, key, *default):
        self.changed.add(key)
        return super().pop(key, *default)

    def plain(self) -> dict:
        return defaultdict(dict, self)

    @staticmethod
    def row(key) -> str:
        return f"{key.type} {key.value}"


class DynamoDb(Service):
    """Tables and their items."""

    @hook(DynamoHandler, "call_action", "self")
    def one_at_a_time(self, original, handler):
        """moto looks and then writes: of several conditional writes one only may win."""
        with LOCK:
            return original(handler)

    @hook(DynamoDBBackend, "transact_write_items", "self, transact_items")
    def transact(self, original, backend, transact_items):
        try:
            return original(backend, transact_items)
        finally:
            self._shelve()  # moto puts a copy of the table back when it fails

    @hook(Table, "describe", "self, base_key")
    def with_id(self, original, table, base_key="TableDescription"):
        """community.aws.dynamodb_table wants the TableId that every table has on AWS."""
        description = original(table, base_key)
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{table.table_arn} {table.created_at}")
        description[base_key].setdefault("TableId", str(identity))
        return description

    def adopt(self) -> list[str]:
        for table in self._tables():
            if isinstance(table.items, Items):
                self.cloud.store.fill(table.items)
        return []

    def save(self) -> None:
        with LOCK:
            self._shelve()
            self.cloud.store.write(self.shelves(), lambda items, key: dict.__getitem__(items, key))

    def shelves(self) -> list[Items]:
        return [table.items for table in self._tables() if isinstance(table.items, Items)]

    def _shelve(self) -> None:
        """Put tables that are new, or that moto has put back, on a shelf."""
        for table in self._tables():
            if not isinstance(table.items, Items):
                table.items = Items(entries=table.items)

    def _tables(self) -> list[Table]:
        return list(self.cloud.backend("dynamodb").tables.values())
