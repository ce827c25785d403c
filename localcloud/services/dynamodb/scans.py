"""A scan goes on where its last page ended; moto sorts the whole table anew for each page, and
looks at all that came before.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from localcloud.hooks import hook
from localcloud.services.base import Service


@dataclass(frozen=True)
class Scan:
    """Where the last page ended, as a key of DynamoDB's, and which segment of how many it is of."""

    start: dict | None
    segments: tuple


class Scans(Service):
    """Scan of a table itself; those of indexes are moto's."""

    # One call at a time: DynamoDb.one_at_a_time.
    scan: Scan | None = None

    @hook(Table, "scan",
          "self, filters, limit, exclusive_start_key, filter_expression, index_name, "
          "consistent_read, projection_expression, segments")  # fmt: skip
    def page(self, original, table, filters, limit, start, condition, index_name, consistent,
             projection, segments=(None, None)):  # fmt: skip
        if not index_name:
            self.scan = Scan(start, segments)
        try:
            return original(table, filters, limit, start, condition, index_name, consistent,
                            projection, segments)  # fmt: skip
        finally:
            self.scan = None

    @hook(Table, "all_items", "self")
    def from_there(self, original, table):
        return original(table) if self.scan is None else _items(table, self.scan)


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
