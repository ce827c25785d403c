"""A table's items, on a shelf."""

from collections import defaultdict

from localcloud.shelves import Shelf


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
