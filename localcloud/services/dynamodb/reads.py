"""A scan goes on where its last page ended, and a query looks at its partition; moto sorts the
whole table anew for each page of both, and looks at all of it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from localcloud.hooks import hook
from localcloud.services.base import Service


@dataclass(frozen=True)
class Scan:
    """Where the last page ended, as a key of DynamoDB's, and which segment of how many it is of."""

    start: dict | None
    segments: tuple


class Reads(Service):
    """Scan of a table itself, not of an index, and Query of both."""

    # What is looked at, in which order. One call at a time: DynamoDb.one_at_a_time.
    looked_at: Callable[[Table], Iterator[Item]] | None = None

    @hook(Table, "scan",
          "self, filters, limit, exclusive_start_key, filter_expression, index_name, "
          "consistent_read, projection_expression, segments")  # fmt: skip
    def scan(self, original, table, filters, limit, start, condition, index_name, consistent,
             projection, segments=(None, None)):  # fmt: skip
        found = None if index_name else partial(_items, scan=Scan(start, segments))
        return self._looking(found, original, table, filters, limit, start, condition, index_name,
                             consistent, projection, segments)  # fmt: skip

    @hook(Table, "query",
          "self, hash_key, range_comparison, range_objs, limit, exclusive_start_key, "
          "scan_index_forward, projection_expressions, index_name, consistent_read, "
          "filter_expression, hash_key_conditions, range_key_conditions, "
          "filter_kwargs")  # fmt: skip
    def query(self, original, table, hash_key, comparison, values, limit, start, forward,
              projection, index_name=None, *args, **kwargs):  # fmt: skip
        """moto sorts afterwards what it finds, in an index by all of its keys."""
        found = _unsorted if index_name else partial(_partition, key=hash_key)
        return self._looking(found, original, table, hash_key, comparison, values, limit, start,
                             forward, projection, index_name, *args, **kwargs)  # fmt: skip

    @hook(Table, "all_items", "self")
    def of_them(self, original, table):
        return original(table) if self.looked_at is None else self.looked_at(table)

    def _looking(self, found, call, *args, **kwargs):
        self.looked_at = found
        try:
            return call(*args, **kwargs)
        finally:
            self.looked_at = None


def _unsorted(table: Table) -> Iterator[Item]:
    for entry in dict.values(table.items):
        yield from entry.values() if table.has_range_key else (entry,)


def _partition(table: Table, key: DynamoType) -> Iterator[Item]:
    entry = dict.get(table.items, key)
    if entry is None:
        return iter(())
    return iter(entry.values()) if table.has_range_key else iter((entry,))


def _items(table: Table, scan: Scan) -> Iterator[Item]:
    """Those of the segment, in moto's order, from the partition in which the last page ended."""
    partitions = sorted(
        (
            (key.cast_value, entry)
            for key, entry in dict.items(table.items)
            if entry and _first(table, entry).is_within_segment(scan.segments)
        ),
        key=lambda found: found[0],
    )
    begin = 0
    if scan.start:
        ended = DynamoType(scan.start[table.hash_key_attr]).cast_value
        begin = bisect_left(partitions, ended, key=lambda found: found[0])
    for _, entry in partitions[begin:]:
        if table.has_range_key:
            yield from sorted(entry.values(), key=lambda item: item.range_key.cast_value)
        else:
            yield entry


def _first(table: Table, entry) -> Item:
    return next(iter(entry.values())) if table.has_range_key else entry
