"""Throughput: a table takes what its capacity allows, and throttles what is more.

Each table and each global index has two buckets of tokens, for reads and for writes. A second adds
what is provisioned, up to the unused capacity of five minutes. Tables on demand have the capacity
that AWS gives a new one. What a call costs is worked out from the items as they are before it.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import (
    DEFAULT_WARM_THROUGHPUT_RCU,
    DEFAULT_WARM_THROUGHPUT_WCU,
    Table,
)
from moto.dynamodb.responses import DynamoHandler

from localcloud.hooks import hook
from localcloud.identity.targets_dynamodb import STATEMENT
from localcloud.services.base import Service
from localcloud.services.dynamodb.traffic import Traffic

BURST = 300  # seconds of unused capacity that are kept
READ, WRITE = "Read", "Write"
ON_DEMAND = {READ: DEFAULT_WARM_THROUGHPUT_RCU, WRITE: DEFAULT_WARM_THROUGHPUT_WCU}
UNIT = {READ: 4096, WRITE: 1024}
FAULT = "throttle"
MESSAGE = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)


@dataclass
class Bucket:
    """Tokens of a table's reads or writes."""

    rate: float
    tokens: float
    filled: float = field(default_factory=time.monotonic)

    def fill(self, rate: float) -> None:
        now = time.monotonic()
        gained = (now - self.filled) * rate
        self.tokens = min(self.tokens + gained, max(rate, 1) * BURST)
        self.rate, self.filled = rate, now

    def takes(self, units: float) -> bool:
        """An item that is larger than a second's capacity passes when a second has gone by."""
        return self.tokens >= min(units, max(self.rate, 1))


@dataclass(frozen=True)
class Cost:
    """What a part of a call takes of a table, or of one of its global indexes."""

    table: Table
    kind: str
    units: float
    index: str = ""


class Capacity(Service):
    """Lets calls pass that the tables have the capacity for."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self.traffic = Traffic()

    @hook(DynamoHandler, "get_item", "self")
    @hook(DynamoHandler, "put_item", "self")
    @hook(DynamoHandler, "update_item", "self")
    @hook(DynamoHandler, "delete_item", "self")
    def single(self, original, handler):
        body, action = handler.body, handler._get_action()
        self.take(list(_of_item(handler.dynamodb_backend.tables, action, body)))
        return original(handler)

    @hook(DynamoHandler, "query", "self")
    @hook(DynamoHandler, "scan", "self")
    def several(self, original, handler):
        """What a query reads is known when it is done: it is taken afterwards."""
        body = handler.body
        table = handler.dynamodb_backend.tables.get(body["TableName"])
        if table is None:
            return original(handler)
        names = {each.name for each in table.global_indexes}
        index = body.get("IndexName") if body.get("IndexName") in names else ""
        first = Cost(table, READ, 1, index or "")
        if self._lacking([first]):
            raise _throttled(first)
        answer = original(handler)
        read = answer.result.get("ScannedCount", 0) * _average(table)
        units = _units(READ, read, 1 if body.get("ConsistentRead") else 0.5)
        self._spend(Cost(table, READ, units, index or ""))
        return answer

    @hook(DynamoHandler, "execute_statement", "self")
    @hook(DynamoHandler, "execute_transaction", "self")
    @hook(DynamoHandler, "batch_execute_statement", "self")
    def stated(self, original, handler):
        """A statement in PartiQL is taken for one unit."""
        body = handler.body
        stated = body.get("Statements") or body.get("TransactStatements") or [body]
        found = [STATEMENT.match(each["Statement"]) for each in stated]
        tables = handler.dynamodb_backend.tables
        self.take(
            [
                Cost(tables[each[5]], READ if each[1] else WRITE, 1)
                for each in found
                if each and each[5] in tables
            ]
        )
        return original(handler)

    @hook(DynamoHandler, "batch_get_item", "self")
    def batch_read(self, original, handler):
        return self._batch(original, handler, "UnprocessedKeys", _read_parts)

    @hook(DynamoHandler, "batch_write_item", "self")
    def batch_write(self, original, handler):
        return self._batch(original, handler, "UnprocessedItems", _write_parts)

    @hook(DynamoHandler, "transact_get_items", "self")
    def transaction(self, original, handler):
        self.take_all(handler)
        return original(handler)

    def take_all(self, handler) -> None:
        """All of a transaction, or nothing: it costs twice what its parts do."""
        tables = handler.dynamodb_backend.tables
        reasons, costs = [], []
        for each in handler.body["TransactItems"]:
            (kind, details), *_ = each.items()
            action = {"ConditionCheck": "UpdateItem"}.get(kind, f"{kind}Item")
            part = [
                Cost(cost.table, cost.kind, 2 * cost.units, cost.index)
                for cost in _of_item(tables, action, {"ConsistentRead": True, **details})
            ]
            costs += part
            lacking = self._lacking(part)
            reasons.append((_name(lacking), MESSAGE, None) if lacking else (None, None, None))
        if any(code for code, _, _ in reasons):
            raise TransactionCanceledException(reasons)
        for cost in costs:
            self._spend(cost)

    def take(self, costs: list[Cost]) -> None:
        """Spend what a call costs, or raise as DynamoDB throttles."""
        lacking = self._lacking(costs)
        if lacking:
            raise _throttled(lacking)
        for cost in costs:
            self._spend(cost)

    def _lacking(self, costs: list[Cost]) -> Cost | None:
        """The first part that there is no capacity for."""
        faults = self.cloud.faults.targets(FAULT)
        found = next(
            (
                cost
                for cost in costs
                if faults & {"dynamodb", cost.table.name, f"dynamodb:{cost.table.name}"}
                or not self._bucket(cost).takes(cost.units)
            ),
            None,
        )
        if found:
            self.traffic.throttled(found.table.name, found.index, found.kind)
        return found

    def _spend(self, cost: Cost) -> None:
        self._bucket(cost).tokens -= cost.units
        self.traffic.consumed(cost.table.name, cost.index, cost.kind, cost.units)

    def _bucket(self, cost: Cost) -> Bucket:
        """The bucket, filled for the time that has gone by."""
        rate = ON_DEMAND[cost.kind]
        if not _on_demand(cost.table):
            holder = next(
                (each for each in cost.table.global_indexes if each.name == cost.index), cost.table
            )
            rate = int(holder.throughput.get(f"{cost.kind}CapacityUnits") or 0)
        key = (cost.table.table_arn, cost.index, cost.kind)
        bucket = self._buckets.setdefault(key, Bucket(rate, rate))
        bucket.fill(rate)
        return bucket

    def _batch(self, original, handler, left: str, parts):
        """Do what there is capacity for and give the rest back; throttle when that is all."""
        asked, passed, rest = handler.body["RequestItems"], {}, {}
        lacking = None
        for name, request, costs in parts(handler.dynamodb_backend.tables, asked):
            found = self._lacking(costs)
            if found:
                lacking = found
                _add(rest, name, request, asked)
                continue
            for cost in costs:
                self._spend(cost)
            _add(passed, name, request, asked)
        if rest and not passed:
            raise _throttled(lacking)
        handler.body["RequestItems"] = passed
        answer = original(handler)
        answer.result[left] = {**answer.result.get(left, {}), **rest}
        return answer


def _name(cost: Cost) -> str:
    """What throttling is called for tables of that kind."""
    return "ThrottlingError" if _on_demand(cost.table) else "ProvisionedThroughputExceeded"


def _throttled(cost: Cost) -> JsonRESTError:
    on_demand = _on_demand(cost.table)
    code = "ThrottlingException" if on_demand else "ProvisionedThroughputExceededException"
    message = (
        "Throughput exceeds the current capacity of your table or index." if on_demand else MESSAGE
    )
    return JsonRESTError(f"com.amazonaws.dynamodb.v20120810#{code}", message)


def _on_demand(table: Table) -> bool:
    return table.billing_mode == "PAY_PER_REQUEST" or not table.throughput["ReadCapacityUnits"]


def _of_item(tables: dict, action: str, body: dict) -> Iterator[Cost]:
    """What reading or writing one item costs; nothing for what is refused anyway."""
    table = tables.get(body.get("TableName"))
    keys = body.get("Item") or body.get("Key") or {}
    if table is None or any(name not in keys for name in table.table_key_attrs):
        return
    there = _stored(table, keys)
    before = there.size() if there else 0
    if action in ("GetItem", "Get"):
        yield Cost(table, READ, _units(READ, before, 1 if body.get("ConsistentRead") else 0.5))
        return
    given = body.get("Item") or body.get("ExpressionAttributeValues") or {}
    after = _size(given) + (before if action == "UpdateItem" else 0)
    units = _units(WRITE, max(before, after))
    yield Cost(table, WRITE, units)
    attributes = {*given} if body.get("Item") else {*(there.attrs if there else ())}
    for index in table.global_indexes:
        if attributes.issuperset(index.schema_key_attrs):
            yield Cost(table, WRITE, units, index.name)


def _read_parts(tables: dict, asked: dict) -> Iterator[tuple]:
    for name, request in asked.items():
        for key in request["Keys"]:
            body = {"TableName": name, "Key": key, "ConsistentRead": request.get("ConsistentRead")}
            yield name, key, list(_of_item(tables, "GetItem", body))


def _write_parts(tables: dict, asked: dict) -> Iterator[tuple]:
    for name, requests in asked.items():
        for request in requests:
            (kind, details), *_ = request.items()
            action = "PutItem" if kind == "PutRequest" else "DeleteItem"
            yield name, request, list(_of_item(tables, action, {"TableName": name, **details}))


def _add(to: dict, name: str, request: dict, asked: dict) -> None:
    """Put a part of a batch into another one of the same form."""
    if isinstance(asked[name], dict):
        to.setdefault(name, {**asked[name], "Keys": []})["Keys"].append(request)
    else:
        to.setdefault(name, []).append(request)


def _stored(table: Table, keys: dict) -> Item | None:
    """An item by its keys, without marking it as changed."""
    found = dict.get(table.items, DynamoType(keys[table.hash_key_attr]))
    if table.has_range_key:
        return (found or {}).get(DynamoType(keys[table.range_key_attr]))
    return found


def _size(attributes: dict) -> int:
    return sum(len(name.encode()) + DynamoType(value).size() for name, value in attributes.items())


def _average(table: Table) -> float:
    """Bytes of an item, by the first ones."""
    sizes = []
    for entry in dict.values(table.items):
        found = list(entry.values()) if table.has_range_key else [entry]
        sizes += [item.size() for item in found[:10]]
        if len(sizes) >= 10:
            break
    return sum(sizes) / len(sizes) if sizes else 0


def _units(kind: str, size: float, factor: float = 1) -> float:
    return max(1, math.ceil(size / UNIT[kind])) * factor
