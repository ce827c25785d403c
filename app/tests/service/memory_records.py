"""Records in dictionaries, with nothing that a key-value store could not do as well: rows by key,
two indexes with pictures by id, and counts of who shows what."""

from bisect import bisect_left, insort
from dataclasses import replace
from threading import RLock

from service.pictures.records import Page, Vanished

GALLERY = "gallery"


class MemoryRecords:
    def __init__(self):
        self.lock = RLock()
        self.by_public_id, self.by_id, self.indexes = {}, {}, {}
        self.by_sha256, self.by_style, self.shown = {}, {}, {}

    def get(self, public_id):
        return self.by_public_id.get(public_id)

    def gallery(self, after, size):
        return self.page(GALLERY, after, size)

    def owned(self, owner_hash, after, size):
        return self.page(owner_hash, after, size)

    def page(self, index, after, size):
        ids = self.indexes.get(index, [])
        end = bisect_left(ids, after) if after else len(ids)
        found = [self.by_id[key] for key in ids[max(0, end - size) : end][::-1]]
        return Page(found, found[-1].id if end > size else None)

    def original(self, sha256):
        return self.by_sha256.get(sha256)

    def result(self, sha256, style):
        return self.by_style.get(sha256, {}).get(style)

    def add(self, picture, brought):
        with self.lock:
            picture = replace(picture, result=self.saved(picture.result, brought))
            self.put(picture)
            return picture

    def show(self, public_id, result, brought):
        with self.lock:
            picture = self.get(public_id)
            if picture is None:
                return None
            result = self.saved(result, brought)
            self.count(picture.result, -1)
            self.put(replace(picture, result=result))
            return self.get(public_id)

    def saved(self, result, brought):
        sha256 = result.original.sha256
        original = self.original(sha256)
        if original is None and not result.original.files <= brought:
            raise Vanished(sha256)
        original = original or result.original
        known = self.result(sha256, result.style)
        if known is None and not result.files <= brought:
            raise Vanished(sha256)
        result = known or replace(result, original=original)
        self.by_sha256[sha256] = original
        self.by_style.setdefault(sha256, {})[result.style] = result
        self.count(result, 1)
        return result

    def count(self, result, more):
        key = (result.original.sha256, result.style)
        self.shown[key] = self.shown.get(key, 0) + more

    def put(self, picture):
        self.unindex(picture)
        self.by_public_id[picture.public_id] = self.by_id[picture.id] = picture
        for index in (GALLERY if picture.listed else None, picture.owner_hash):
            if index:
                insort(self.indexes.setdefault(index, []), picture.id)

    def unindex(self, picture):
        for ids in self.indexes.values():
            if picture.id in ids:
                ids.remove(picture.id)

    def set_listed(self, public_id, listed):
        if picture := self.get(public_id):
            self.put(replace(picture, listed=listed))

    def remove(self, public_id):
        with self.lock:
            picture = self.by_public_id.pop(public_id, None)
            if picture is None:
                return None
            self.unindex(picture)
            del self.by_id[picture.id]
            self.count(picture.result, -1)
            return self.drop_unshown(picture.result.original.sha256)

    def drop_unshown(self, sha256):
        files = frozenset()
        for style, result in list(self.by_style[sha256].items()):
            if not self.shown[sha256, style]:
                files |= result.files
                del self.by_style[sha256][style]
        if not self.by_style[sha256]:
            files |= self.by_sha256.pop(sha256).files
            del self.by_style[sha256]
        return files

    def sweep(self):
        return frozenset().union(*map(self.drop_unshown, list(self.by_sha256)))

    def files(self, sha256):
        rows = [*self.by_style.get(sha256, {}).values()]
        rows += [self.by_sha256[sha256]] if sha256 in self.by_sha256 else []
        return frozenset().union(*(row.files for row in rows))

    def pictures(self):
        return iter([self.by_id[key] for key in sorted(self.by_id)])

    def originals(self):
        for sha256, original in sorted(self.by_sha256.items()):
            yield original, [result for _, result in sorted(self.by_style[sha256].items())]
