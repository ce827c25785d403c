"""A bucket's objects, on a shelf; their tags lie with them."""

from moto.s3.utils import _VersionedKeyStore

from localcloud.shelves import LOCK, Shelf


class Keys(Shelf, _VersionedKeyStore):
    """The versions of each key, as moto's own class has them."""

    def __setitem__(self, key, value):
        with LOCK:
            super().__setitem__(key, value)
            self.changed.add(key)

    def setlist(self, key, list_):
        with LOCK:
            super().setlist(key, list_)
            self.changed.add(key)

    def pop(self, key):
        with LOCK:
            super().pop(key)
            self.changed.add(key)


class Tags(dict):
    """Tags by ARN. Those of objects, whose ARN has a path, are no part of the state file."""

    def __reduce__(self):
        return Tags, ({arn: tags for arn, tags in self.items() if "/" not in arn},)
