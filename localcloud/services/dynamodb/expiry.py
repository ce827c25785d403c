"""Time to live: what has expired goes, some seconds later. Until then reads show it, as on AWS."""

import logging
import time
from collections.abc import Iterator

from moto.dynamodb.models.table import Table

from localcloud.services.base import Service
from localcloud.services.dynamodb import DynamoDb
from localcloud.shelves import LOCK

log = logging.getLogger("localcloud.dynamodb")

SECONDS = 10  # between two sweeps; AWS takes up to a few days
OLDEST = 5 * 365 * 86400  # what says that it expired before that is left alone


class Expiry(Service):
    """Sweeps tables that have a time to live."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._next = 0.0

    def reconcile(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS
        for table in list(self.cloud.backend("dynamodb").tables.values()):
            if table.ttl["TimeToLiveStatus"] == "ENABLED":
                count = self.sweep(table)
                if count:
                    log.info("%s items of table %s expired", count, table.name)

    def sweep(self, table: Table) -> int:
        """Delete what has expired; say how many."""
        with LOCK:
            self.cloud.service(DynamoDb).shelve()
            expired = list(_expired(table, time.time()))
            for partition, sort in expired:
                table.delete_item(partition, sort)
        return len(expired)


def _expired(table: Table, now: float) -> Iterator[tuple]:
    """Partition and sort keys of items whose time is over."""
    name = table.ttl["AttributeName"]
    for partition, entry in dict.items(table.items):
        for sort, item in entry.items() if table.has_range_key else ((None, entry),):
            until = item.attrs.get(name)
            dated = until is not None and until.type == "N"
            if dated and now - OLDEST < float(until.value) < now:
                yield partition, sort
