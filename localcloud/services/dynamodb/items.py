"""A table's items, on a shelf: a row for each."""

from collections import defaultdict
from decimal import Decimal

from moto.dynamodb.models.dynamo_type import DynamoType

from localcloud.shelves import Shelf


class Items(Shelf):
    """Items by partition key; in a table with a sort key, partitions of items.

    An item's key on the shelf is its partition and sort key, None where there is none. moto changes
    what it has looked up, so a look counts as a change.
    """

    def __init__(self, uid: str = "", entries: dict | None = None):
        super().__init__(uid)
        for partition, entry in (entries or {}).items():
            self[partition] = entry

    @classmethod
    def of_rows(cls, rows: dict) -> "Items":
        """New ones, of what `Store.as_of` returns."""
        made = cls()
        for key, entry in rows.items():
            made.put(key, entry)
        made.changed.update(made.keys_of_all())
        return made

    def __missing__(self, partition):
        made = Partition(self, partition)
        dict.__setitem__(self, partition, made)
        return made

    def __getitem__(self, partition):
        entry = super().__getitem__(partition)
        if not isinstance(entry, Partition):
            self.changed.add((partition, None))
        return entry

    def __setitem__(self, partition, entry):
        self.changed.update(self.keys_of(partition))
        if isinstance(entry, dict):
            entry = Partition(self, partition, entry)
        super().__setitem__(partition, entry)
        self.changed.update(self.keys_of(partition))

    def pop(self, partition, *default):
        self.changed.update(self.keys_of(partition))
        return super().pop(partition, *default)

    def keys_of(self, partition) -> list[tuple]:
        entry = self.get(partition)
        sorts = entry if isinstance(entry, Partition) else () if entry is None else (None,)
        return [(partition, sort) for sort in sorts]

    def keys_of_all(self) -> list[tuple]:
        return [key for partition in self for key in self.keys_of(partition)]

    def plain(self) -> dict:
        return defaultdict(
            dict,
            {
                partition: dict(entry) if isinstance(entry, Partition) else entry
                for partition, entry in self.items()
            },
        )

    # --- rows -----------------------------------------------------------------------------------
    def entry(self, key):
        if not isinstance(key, tuple):
            return None  # a row as it was until 2026-11-30: a whole partition
        partition, sort = key
        found = self.get(partition)
        return found.get(sort) if isinstance(found, Partition) else found

    def put(self, key, entry) -> None:
        if not isinstance(key, tuple):
            self[key] = entry
            if isinstance(entry, dict):
                self.changed.add(key)
            return
        partition, sort = key
        if sort is None:
            dict.__setitem__(self, partition, entry)
            return
        found = self.get(partition)
        dict.__setitem__(self.__missing__(partition) if found is None else found, sort, entry)

    @staticmethod
    def row(key) -> str:
        partition, sort = key if isinstance(key, tuple) else (key, None)
        name = _text(partition)
        # No two keys have the same: where the first ends is said before it.
        return name if sort is None else f"{len(name)} {name} {_text(sort)}"


class Partition(dict):
    """Items by sort key, which tell their table's `Items` what changes."""

    def __init__(self, table_items: Items, key: DynamoType, entries: dict | None = None):
        super().__init__(entries or {})
        self._changed, self._key = table_items.changed, key

    def __getitem__(self, sort):
        self._changed.add((self._key, sort))
        return super().__getitem__(sort)

    def __setitem__(self, sort, item):
        self._changed.add((self._key, sort))
        super().__setitem__(sort, item)

    def pop(self, sort, *default):
        self._changed.add((self._key, sort))
        return super().pop(sort, *default)


def _text(key: DynamoType) -> str:
    """The same for equal keys: 1.0 is 1."""
    if key.type == "N":
        return f"N {Decimal(key.value).normalize():f}"
    return f"{key.type} {key.value}"
