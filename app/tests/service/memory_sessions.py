"""Sessions in a dictionary: the protocol of service/sessions in its plainest form."""

from service.sessions import BATCH


class MemorySessions:
    at_once = 1

    def __init__(self):
        self.rows = {}

    def get(self, key):
        kept = self.rows.get(key)
        return None if kept is None or kept.expired else kept

    def get_many(self, keys):
        return {key: kept for key in keys if (kept := self.get(key))}

    def add(self, kept):
        if self.get(kept.key):
            return False
        self.rows[kept.key] = kept
        return True

    def replace(self, kept, seen=None):
        there = self.get(kept.key)
        if there is None or there.gone or (seen and there.data != seen.data):
            return False
        self.rows[kept.key] = kept
        return True

    def bury(self, gravestone):
        self.rows[gravestone.key] = gravestone

    def all(self):
        last = ""
        while keys := sorted(key for key in self.rows if key > last)[:BATCH]:
            yield list(self.get_many(keys).values())
            last = keys[-1]

    def about_how_many(self):
        return len(self.rows)

    def clear_expired(self):
        self.rows = {key: kept for key, kept in self.rows.items() if not kept.expired}
