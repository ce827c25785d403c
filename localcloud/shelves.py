"""Dictionaries whose entries are rows of a database and no part of the state file.

For what there may be thousands of, such as S3 objects and DynamoDB items: saving a change costs
as much as the change, however many entries lie beside it.
"""

import copy
import hashlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

# Held by whoever changes shelves in several steps, and while what changed is gathered.
LOCK = threading.RLock()


class Shelf(dict):
    """A dictionary that knows which of its entries may have changed since they were written."""

    def __init__(self, uid: str = "", entries: dict | None = None):
        super().__init__()
        self.uid = uid or uuid.uuid4().hex
        self.changed: set = set()
        self.written: dict[str, tuple[object, bytes]] = {}  # of a row: its key and digest
        for key, value in (entries or {}).items():
            dict.__setitem__(self, key, value)
            self.changed.add(key)

    def __deepcopy__(self, memo):
        """A plain dictionary: two shelves must not have the same rows."""
        return copy.deepcopy(self.plain(), memo)

    def plain(self) -> dict:
        """The entries as moto's own class holds them."""
        return dict(self)

    def entry(self, key):
        """What is there to write of a key; nothing is as good as none."""
        return dict.get(self, key)

    def put(self, key, entry) -> None:
        """Take what was written."""
        dict.__setitem__(self, key, entry)

    @staticmethod
    def row(key) -> str:
        """The name of an entry's row."""
        return str(key)


class Store:
    """The database, one row for each entry of each shelf."""

    def __init__(self, path: Path, pickled, unpickled):
        self.path = path
        self._pickled, self._unpickled = pickled, unpickled
        self._database: sqlite3.Connection | None = None
        # a connection has one transaction at a time, and sqlite crashes if it is closed in one
        self._lock = threading.RLock()
        self._closed = False

    def fill(self, shelf: Shelf) -> None:
        """Put what was written of a shelf into it."""
        with self._lock:
            rows = (
                self._open()
                .execute("SELECT name, value FROM entries WHERE shelf = ?", [shelf.uid])
                .fetchall()
            )
        for name, value in rows:
            key, entry = self._unpickled(value)
            shelf.put(key, entry)
            shelf.written[name] = key, _digest(value)

    def write(self, shelves: Iterable[Shelf], value_of=lambda shelf, key: shelf.entry(key),
              remembered: Set[str] = frozenset()) -> None:  # fmt: skip
        """Write what changed, all of it or nothing; returns when it is on the disk.

        Of ``remembered`` shelves, by their uids, it is kept what was there before (`as_of`).
        """
        rows, written = [], []
        with LOCK:
            for shelf in shelves:
                for row in self._rows(shelf, value_of):
                    rows.append((shelf.uid, *row[:2]))
                    written.append((shelf, *row))
                shelf.changed.clear()
        if not rows:
            return
        now = time.time()
        with self._lock, self._open() as database:
            database.executemany(
                "INSERT INTO history SELECT ?, ?, ?, "
                "(SELECT value FROM entries WHERE shelf = ? AND name = ?)",
                [(uid, now, name, uid, name) for uid, name, _ in rows if uid in remembered],
            )
            database.executemany(
                "DELETE FROM entries WHERE shelf = ? AND name = ?",
                [(uid, name) for uid, name, value in rows if value is None],
            )
            database.executemany(
                "REPLACE INTO entries VALUES (?, ?, ?)",
                [row for row in rows if row[2] is not None],
            )
        for shelf, name, value, key in written:
            if value is None:
                shelf.written.pop(name, None)
            else:
                shelf.written[name] = key, _digest(value)

    def as_of(self, shelf: Shelf, moment: float) -> dict:
        """A remembered shelf's entries as they were written at ``moment`` (time.time)."""
        with self._lock, self._open() as database:
            found = dict(
                database.execute("SELECT name, value FROM entries WHERE shelf = ?", [shelf.uid])
            )
            found.update(
                database.execute(
                    "SELECT name, value FROM history WHERE shelf = ? AND at > ? ORDER BY at DESC",
                    [shelf.uid, moment],
                )
            )
        return dict(self._unpickled(value) for value in found.values() if value is not None)

    def forget_before(self, shelf: Shelf, moment: float) -> None:
        """Keep of a remembered shelf only what it was since ``moment``."""
        with self._lock, self._open() as database:
            database.execute("DELETE FROM history WHERE shelf = ? AND at < ?", [shelf.uid, moment])

    def keep_only(self, shelves: Iterable[Shelf]) -> None:
        """Forget shelves that nothing has any more."""
        known = {shelf.uid for shelf in shelves}
        with self._lock, self._open() as database:
            stored = {
                uid
                for (uid,) in database.execute(
                    "SELECT shelf FROM entries UNION SELECT shelf FROM history"
                )
            }
            forgotten = [(uid,) for uid in stored - known]
            database.executemany("DELETE FROM entries WHERE shelf = ?", forgotten)
            database.executemany("DELETE FROM history WHERE shelf = ?", forgotten)

    def close(self) -> None:
        """Let go of the file, for good: what a thread wants to write after that is an error."""
        with self._lock:
            self._closed = True
            if self._database is not None:
                self._database.close()
                self._database = None

    def _rows(self, shelf: Shelf, value_of) -> Iterator[tuple]:
        for key in shelf.changed:
            name = shelf.row(key)
            if not shelf.entry(key):
                if name in shelf.written:
                    yield name, None, key
                continue
            value = self._pickled((key, value_of(shelf, key)))
            if shelf.written.get(name, (None, b""))[1] != _digest(value):
                yield name, value, key

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError(f"{self.path} is closed")
        if self._database is None:
            self.path.touch(mode=0o600)
            self._database = sqlite3.connect(self.path, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS entries "
                "(shelf TEXT, name TEXT, value BLOB, PRIMARY KEY (shelf, name))"
            )
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS history (shelf TEXT, at REAL, name TEXT, value BLOB)"
            )
            self._database.execute(
                "CREATE INDEX IF NOT EXISTS history_by_time ON history (shelf, at)"
            )
        return self._database


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()
