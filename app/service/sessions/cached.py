"""Sessions in the database, with copies of those in use in the shared cache.

Not Django's `cached_db`: that one trusts a copy for as long as the session lives, so a logout that
a dead cache has missed would be undone for a year, and a slow reader puts back what was ended.
"""

from hashlib import sha256

from service import copies
from service.sessions import Kept
from service.sessions.database import Database


def name(key: str) -> str:
    """From what is in the cache nobody learns a visitor's key."""
    return f"session:{sha256(key.encode()).hexdigest()}"


class Cached(Database):
    def get(self, key: str) -> Kept | None:
        def load() -> tuple[str, int] | None:
            kept = super(Cached, self).get(key)
            return kept and (kept.data, kept.expires)

        copy = copies.read(name(key), [name(key)], load)
        kept = copy and Kept(key, *copy)
        return None if kept is None or kept.expired else kept

    def add(self, kept: Kept) -> bool:
        try:
            return super().add(kept)
        finally:
            copies.changed(name(kept.key))

    def replace(self, kept: Kept, seen: Kept | None = None) -> bool:
        try:
            return super().replace(kept, seen)
        finally:
            copies.changed(name(kept.key))

    def bury(self, gravestone: Kept) -> None:
        try:
            super().bury(gravestone)
        finally:
            copies.changed(name(gravestone.key))
