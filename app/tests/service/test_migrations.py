"""The release before goes on working while hosts switch one by one, and nothing old is lost."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import RFC_4122, UUID

import psycopg
import pytest

APP = Path(__file__).parents[2]
SECRET = "x" * 60
START = datetime(2026, 1, 1, tzinfo=UTC)


class Database:
    """One that the migrations run on, and that the release before speaks to in plain SQL."""

    def __init__(self, url: str, connection):
        self.url, self.connection = url, connection

    def migrate(self, target: str = "") -> None:
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(APP), "SECRET_KEY": SECRET,
            "ALLOWED_HOSTS": "localhost", "SITE_URL": "http://localhost", "DATABASE_URL": self.url,
        }  # fmt: skip
        command = [sys.executable, "-m", "service", "migrate", "-v0", "pictures", *target.split()]
        subprocess.run(command, check=True, env=environment, timeout=120)

    def insert(self, table: str, **columns) -> None:
        names = ", ".join(columns)
        values = ", ".join(f"'{value}'" for value in columns.values())
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})")

    def rows(self, query: str) -> list[tuple]:
        return self.connection.execute(query).fetchall()

    def picture(self, public_id: str, created: datetime) -> None:
        """As the release before saves it."""
        token_hash = f"token of {public_id}"
        self.insert("pictures_picture", public_id=public_id, listed="true", result_id=1,
                    owner_hash="o", token_hash=token_hash, created=created)  # fmt: skip

    def by_key(self) -> list[str]:
        rows = self.rows("SELECT public_id FROM pictures_picture ORDER BY key")
        return [public_id for (public_id,) in rows]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        path = tmp_path / "db.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            yield Database(f"sqlite:///{path}", connection)
        return
    server = request.getfixturevalue("postgresql")
    server.execute("DROP DATABASE IF EXISTS migrations")
    server.execute("CREATE DATABASE migrations")
    url = server.url("migrations")
    with psycopg.connect(url.replace("postgres:", "postgresql:"), autocommit=True) as connection:
        yield Database(url, connection)


def original(database: Database, sha256: str) -> None:
    name = f"{sha256}/original.jpg"
    database.insert("pictures_original", sha256=sha256, file=name, preview=name,
                    content_type="image/jpeg", size=1, created=START)  # fmt: skip
    database.insert("pictures_storedfile", name=name, data="x", sha256=sha256, size=1,
                    created=START)  # fmt: skip


def test_pictures_of_the_release_before(database):
    database.migrate("0001")
    for sha256 in ("a" * 64, "b" * 64):  # the second is one that nobody shows any more
        original(database, sha256)
    database.insert("pictures_result", id=1, original_id="a" * 64, style="walrus", file="f",
                    preview="p", thumbnail="t", content_type="image/jpeg", width=1, height=1,
                    faces="[]", created=START)  # fmt: skip
    for number in (3, 1, 2, 0):
        database.picture(f"day {number}", START + timedelta(days=number))
    for number in range(3):
        database.picture(f"moment {number}", START + timedelta(days=9))

    database.migrate()

    expected = [*(f"day {number}" for number in range(4)), *(f"moment {n}" for n in range(3))]
    assert database.by_key() == expected
    assert database.rows("SELECT sha256 FROM pictures_original") == [("a" * 64,)]
    assert database.rows("SELECT name FROM pictures_storedfile") == [(f"{'a' * 64}/original.jpg",)]
    kept = database.rows("SELECT public_id, token_hash FROM pictures_picture")
    assert dict(kept) == {public_id: f"token of {public_id}" for public_id in expected}

    # A host that has not switched yet, or that went back.
    before = datetime.now(UTC)
    database.picture("from an old host", before)
    assert database.by_key() == [*expected, "from an old host"]
    [(key,)] = database.rows("SELECT key FROM pictures_picture WHERE public_id LIKE 'from%'")
    key = UUID(str(key))
    assert (key.version, key.variant) == (7, RFC_4122)
    assert abs((key.int >> 80) / 1000 - before.timestamp()) < 10
