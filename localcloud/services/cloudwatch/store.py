"""Data points in a database of their own: not in the state file, which is written with each change.

A point is what was seen of a metric in a minute (a second, where its resolution is high). Points
of one minute may be several rows; who reads adds them up.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localcloud.services.cloudwatch.values import Values

KEPT = 15 * 86400
"""Seconds that points are kept, as long as AWS keeps minutes."""
MOST = 1_000_000
"""Points that are kept, some 60 MB; of more the oldest go first."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY, namespace TEXT, name TEXT, dimensions TEXT,
    UNIQUE (namespace, name, dimensions));
CREATE TABLE IF NOT EXISTS points (
    id INTEGER PRIMARY KEY, metric INTEGER, at INTEGER, unit TEXT,
    count REAL, sum REAL, minimum REAL, maximum REAL, each TEXT);
CREATE INDEX IF NOT EXISTS points_by_time ON points (metric, at);
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, alarm TEXT, at REAL, kind TEXT, summary TEXT, data TEXT);
CREATE INDEX IF NOT EXISTS history_by_alarm ON history (alarm, at);
"""


@dataclass(frozen=True)
class Metric:
    """What is measured. ``dimensions`` are pairs of name and value, sorted."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: dict[str, str]) -> "Metric":
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(frozen=True)
class Point:
    """``at`` is the second (time.time) in which what it tells of began."""

    metric: Metric
    at: int
    values: Values
    unit: str = "None"


class Store:
    """The database. Threads take turns."""

    def __init__(self, path: Path):
        self.path = path
        self._database: sqlite3.Connection | None = None
        self._closed = False
        self._lock = threading.RLock()
        self._ids: dict[Metric, int] = {}

    def add(self, points: Iterable[Point]) -> None:
        with self._lock, self._open() as database:
            database.executemany(
                "INSERT INTO points (metric, at, unit, count, sum, minimum, maximum, each) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        self._id(point.metric, make=True), point.at, point.unit,
                        point.values.count, point.values.sum, point.values.minimum,
                        point.values.maximum, _packed(point.values),
                    )
                    for point in points
                ],
            )  # fmt: skip

    def read(self, metric: Metric, start: int, end: int, unit: str | None = None) -> list[Point]:
        """Points from ``start`` up to before ``end``, the oldest first."""
        with self._lock:
            database, identity = self._open(), self._id(metric)
            if identity is None:
                return []
            found = database.execute(
                "SELECT at, unit, count, sum, minimum, maximum, each FROM points "
                "WHERE metric = ? AND at >= ? AND at < ? ORDER BY at, id",
                [identity, start, end],
            ).fetchall()
        return [
            Point(metric, at, Values(count, total, low, high, _unpacked(each)), its_unit)
            for at, its_unit, count, total, low, high, each in found
            if unit in (None, its_unit)
        ]

    def metrics(self, since: int) -> list[Metric]:
        """Metrics that have points since then."""
        with self._lock:
            rows = self._open().execute(
                "SELECT namespace, name, dimensions FROM metrics "
                "WHERE EXISTS (SELECT 1 FROM points WHERE metric = metrics.id AND at >= ?) "
                "ORDER BY namespace, name, dimensions",
                [since],
            )
            return [
                Metric(namespace, name, tuple(tuple(pair) for pair in json.loads(dimensions)))
                for namespace, name, dimensions in rows
            ]

    def sweep(self, now: float, most: int = MOST) -> None:
        """Forget what is too old, and the oldest of what is too much."""
        with self._lock, self._open() as database:
            database.execute("DELETE FROM points WHERE at < ?", [now - KEPT])
            database.execute("DELETE FROM history WHERE at < ?", [now - 2 * KEPT])
            (count,) = database.execute("SELECT count(*) FROM points").fetchone()
            if count > most:
                database.execute(
                    "DELETE FROM points WHERE id IN (SELECT id FROM points ORDER BY at LIMIT ?)",
                    [count - most],
                )
            database.execute("DELETE FROM metrics WHERE id NOT IN (SELECT metric FROM points)")
            self._ids.clear()

    # what alarms went through

    def note(self, alarm: str, at: float, kind: str, summary: str, data: dict) -> None:
        with self._lock, self._open() as database:
            database.execute(
                "INSERT INTO history (alarm, at, kind, summary, data) VALUES (?, ?, ?, ?, ?)",
                [alarm, at, kind, summary, json.dumps(data)],
            )

    def history(self) -> list[tuple[str, float, str, str, str]]:
        """Alarm, moment, kind, summary and data (JSON), the newest first."""
        with self._lock:
            return (
                self._open()
                .execute("SELECT alarm, at, kind, summary, data FROM history ORDER BY id DESC")
                .fetchall()
            )

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._database is not None:
                self._database.close()
                self._database = None

    # how

    def _id(self, metric: Metric, make: bool = False) -> int | None:
        if metric not in self._ids:
            key = [metric.namespace, metric.name, json.dumps(metric.dimensions)]
            if make:
                self._open().execute(
                    "INSERT OR IGNORE INTO metrics (namespace, name, dimensions) VALUES (?, ?, ?)",
                    key,
                )
            row = (
                self._open()
                .execute(
                    "SELECT id FROM metrics WHERE namespace = ? AND name = ? AND dimensions = ?",
                    key,
                )
                .fetchone()
            )
            if row is None:
                return None
            self._ids[metric] = row[0]
        return self._ids[metric]

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("the cloud has ended")
        if self._database is None:
            self.path.touch(mode=0o600)
            self._database = sqlite3.connect(self.path, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            # a machine that loses power may lose the last minutes, and nothing more
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(SCHEMA)
        return self._database


def _packed(values: Values) -> str:
    """One value needs no list: the sums tell it."""
    alone = len(values.each) == 1 and values.minimum == values.maximum
    return "" if alone or not values.each else json.dumps(values.each)


def _unpacked(text: str) -> tuple[tuple[float, float], ...]:
    return tuple((value, count) for value, count in json.loads(text)) if text else ()
