"""Transactions: all of it or nothing, and a request that is sent twice is done once."""

import copy
import threading
import time

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from localcloud.hooks import addition, hook
from localcloud.services.base import Service
from localcloud.services.dynamodb.capacity import Capacity
from localcloud.shelves import LOCK

TOKEN_SECONDS = 600


class Transactions(Service):
    """moto copies whole tables for the case that a transaction fails; here it is its items."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._running = threading.local()
        self._tokens: dict[str, tuple[float, str, object]] = {}

    @hook(DynamoHandler, "transact_write_items", "self")
    def once(self, original, handler):
        token = handler.body.get("ClientRequestToken")
        if not token:
            self.cloud.service(Capacity).take_all(handler)
            return original(handler)
        now = time.monotonic()
        self._tokens = {key: each for key, each in self._tokens.items() if each[0] > now}
        request = repr(handler.body["TransactItems"])
        if token in self._tokens:
            _, before, answer = self._tokens[token]
            if before != request:
                raise JsonRESTError(
                    "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException",
                    "The request with this ClientRequestToken had other parameters.",
                )
            return answer
        self.cloud.service(Capacity).take_all(handler)
        answer = original(handler)
        self._tokens[token] = now + TOKEN_SECONDS, request, answer
        return answer

    @hook(DynamoDBBackend, "transact_write_items", "self, transact_items")
    def transact(self, original, backend, transact_items):
        before = [_entry(backend, each) for each in transact_items]
        self._running.now = True
        try:
            return original(backend, transact_items)
        except Exception:
            with LOCK:
                for each in filter(None, reversed(before)):
                    _put_back(*each)
            raise
        finally:
            self._running.now = False

    @addition(Table, "__deepcopy__", "self, memo")
    def copied(self, table, memo):
        if getattr(self._running, "now", False):
            return table
        made = memo[id(table)] = type(table).__new__(type(table))
        vars(made).update(copy.deepcopy(vars(table), memo))
        return made


def _entry(backend: DynamoDBBackend, operation: dict) -> tuple | None:
    """A table, an item's keys in it, and the item as it is now; None for what moto refuses."""
    (kind, details), *_ = operation.items()
    table = backend.tables.get(details.get("TableName"))
    keys = details.get("Item" if kind == "Put" else "Key") or {}
    if table is None or any(name not in keys for name in table.table_key_attrs):
        return None
    partition = DynamoType(keys[table.hash_key_attr])
    sort = DynamoType(keys[table.range_key_attr]) if table.has_range_key else None
    found = dict.get(table.items, partition)
    if sort is not None:
        found = (found or {}).get(sort)
    return table, partition, sort, copy.deepcopy(found)


def _put_back(table: Table, partition, sort, item) -> None:
    if sort is None:
        entries, key = table.items, partition
    elif dict.__contains__(table.items, partition) or item is not None:
        entries, key = table.items[partition], sort
    else:
        return
    if item is None:
        entries.pop(key, None)
    else:
        entries[key] = item
