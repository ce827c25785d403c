"""The script that dumps and restores, with programs that note how they were called."""

import gzip
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from jinja2 import Environment

from tests.unit.ansible.test_roles import ROOT

SCRIPT = ROOT / "roles/backup/templates/mustache-backup"
VALUES = {"backup_bucket": "dumps", "backup_kept_on_host": 2, "backup_turns": False}
NOTE = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    print(json.dumps([sys.argv, dict(os.environ)]), file=log)
if sys.argv[0].endswith("psql"):
    print({mark!r})
"""


KEYS = []


class Bucket:
    """Takes any dump, and gives one, once the right is known."""

    refusals = 0
    dump = b"a dump"

    def upload_file(self, path, bucket, key):
        KEYS.append(key)

    def head_object(self, **_):
        if Bucket.refusals:
            Bucket.refusals -= 1
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")
        return {"ContentLength": 6}

    def download_file(self, bucket, key, path):
        Path(path).write_bytes(Bucket.dump)


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script's names, with its directories and programs in ``tmp_path``."""
    for program in ("psql", "pg_dump", "pg_restore"):
        path = tmp_path / program
        path.write_text(NOTE.format(python=sys.executable, log=str(tmp_path / "log"), mark=""))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("ROWS", raising=False)
    environment = Environment(autoescape=False)
    environment.filters |= {"to_json": json.dumps, "bool": bool}
    text = environment.from_string(SCRIPT.read_text()).render(VALUES, ansible_managed="by a test")
    names = {"__name__": "mustache_backup", "__doc__": ""}
    exec(compile(text, str(SCRIPT), "exec"), names)
    names["DUMPS"] = tmp_path / "dumps"
    names["IDENTITY"] = {}
    names["s3"] = Bucket
    KEYS.clear()
    return names


def calls(tmp_path):
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def test_no_password_is_in_the_arguments_of_a_program(script, tmp_path, monkeypatch):
    url = (
        "postgres://app:se%63ret@db.example.com:5433/shop"
        "?sslmode=verify-full&sslrootcert=%2Fetc%2Fauthorities.pem"
    )
    monkeypatch.setenv("DATABASE_URL", url)
    script["restore"]("dumps/1.dump")

    assert [Path(argv[0]).name for argv, _ in calls(tmp_path)] == [
        "psql", "pg_dump", "pg_restore", "pg_restore"
    ]  # fmt: skip
    assert not any("secret" in word or "se%63ret" in word for argv, _ in calls(tmp_path)
                   for word in argv)  # fmt: skip
    for _, environment in calls(tmp_path):
        assert environment["PGHOST"] == "db.example.com"
        assert environment["PGPORT"] == "5433"
        assert environment["PGUSER"] == "app"
        assert environment["PGPASSWORD"] == "secret"
        assert environment["PGDATABASE"] == "shop"
        assert environment["PGSSLMODE"] == "verify-full"
        assert environment["PGSSLROOTCERT"] == "/etc/authorities.pem"
    assert "--dbname=shop" in calls(tmp_path)[-1][0]


def test_a_database_behind_a_socket_needs_no_password(script, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    script["create"]()

    _, environment = calls(tmp_path)[0]
    assert environment["PGHOST"] == "/run/postgresql"
    assert environment["PGDATABASE"] == "shop"
    assert "PGPASSWORD" not in environment


def test_a_database_that_the_app_has_left_is_not_dumped(script, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")
    psql = tmp_path / "psql"
    psql.write_text(psql.read_text().replace("print('')", "print(1)"))

    with pytest.raises(script["BackupError"], match="has left this database"):
        script["create"]()

    assert [Path(argv[0]).name for argv, _ in calls(tmp_path)] == ["psql"]


def test_the_first_dump_of_a_day_is_kept_on_the_host_too(script, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")

    first, second = script["scheduled"](), script["scheduled"]()

    assert [first["key"], second["key"]] == KEYS
    assert first["key"].count("/") == 1
    assert second["key"].startswith("dumps/hourly/")
    kept = {path.name for path in (tmp_path / "dumps").iterdir()}
    assert kept == {Path(first["key"]).name, "last"}


def test_of_several_hosts_the_first_that_asks_makes_the_dump_of_a_day(
    script, tmp_path, monkeypatch
):
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")
    taken = set()

    def put(bucket, *, Bucket, Key, IfNoneMatch):
        if Key in taken:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        taken.add(Key)

    monkeypatch.setattr(Bucket, "put_object", put, raising=False)
    monkeypatch.setitem(script["scheduled"].__globals__, "TURNS", True)

    first, again = script["scheduled"](), script["scheduled"]()
    next((tmp_path / "dumps").glob("turn-*")).unlink()
    elsewhere = script["scheduled"]()

    assert first["key"].startswith("dumps/20")
    assert again["key"].startswith("dumps/hourly/")
    assert elsewhere == {"left": "another host makes the dump of this day"}
    assert [key.rpartition("/")[0] for key in taken] == ["dumps/turns"]


ROWS = gzip.compress(b'{"rows": "of ours"}\n{"originals": 0, "pictures": 0}\n')


@pytest.fixture
def app(script, monkeypatch):
    """What the app is asked for; its dump is ROWS."""
    asked = []

    def run(command, *, stdout=None, stdin=None):
        asked.append((command, stdin and stdin.read()))
        if command == "dump_rows":
            stdout.write(ROWS)

    monkeypatch.setitem(script["create"].__globals__, "app", run)
    return asked


def test_rows_in_dynamodb_are_dumped_and_restored_by_the_app(script, tmp_path, monkeypatch, app):
    monkeypatch.setenv("ROWS", "dynamodb")
    monkeypatch.setattr(Bucket, "dump", ROWS)

    made = script["create"]()
    script["restore"]("dumps/1.dump")

    assert (tmp_path / "dumps" / Path(made["key"]).name).read_bytes() == ROWS
    assert app == [("dump_rows", None), ("dump_rows", None), ("restore_rows", ROWS)]
    assert not (tmp_path / "log").exists()


def test_a_database_that_rows_have_left_for_dynamodb_can_be_dumped_still(
    script, tmp_path, monkeypatch, app
):
    monkeypatch.setenv("ROWS", "dynamodb")
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")
    script["create"](what="database")

    assert [Path(argv[0]).name for argv, _ in calls(tmp_path)] == ["psql", "pg_dump", "pg_restore"]
    assert app == []


def test_a_dump_of_rows_can_go_into_a_database(script, tmp_path, monkeypatch, app):
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")
    monkeypatch.setattr(Bucket, "dump", ROWS)
    script["restore"]("dumps/1.dump")

    assert app == [("restore_rows", ROWS)]
    assert not any("--clean" in argv for argv, _ in calls(tmp_path))


def test_a_dump_of_a_database_goes_into_none_that_there_is_not(script, monkeypatch, app):
    monkeypatch.setenv("ROWS", "dynamodb")
    with pytest.raises(script["BackupError"], match=r"in DynamoDB: bring the site to .* database"):
        script["restore"]("dumps/1.dump")

    assert [command for command, _ in app] == ["dump_rows"]


def test_a_dump_of_rows_without_its_end_is_none(script, tmp_path, monkeypatch, app):
    monkeypatch.setenv("ROWS", "dynamodb")
    monkeypatch.setitem(globals(), "ROWS", gzip.compress(b'{"rows": "of ours"}\n'))
    with pytest.raises(script["BackupError"], match="no end"):
        script["create"]()

    assert list((tmp_path / "dumps").iterdir()) == []
    assert KEYS == []


def test_a_dump_that_the_bucket_does_not_take_is_none(script, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")

    def refuse(*_):
        raise OSError("no")

    monkeypatch.setattr(Bucket, "upload_file", refuse)
    with pytest.raises(OSError, match="no"):
        script["create"]()

    assert list((tmp_path / "dumps").iterdir()) == []


@pytest.mark.parametrize(("refusals", "restored"), [(2, True), (1000, False)])
def test_a_right_that_is_not_known_everywhere_yet_is_waited_for(
    script, tmp_path, monkeypatch, refusals, restored
):
    monkeypatch.setenv("DATABASE_URL", "postgres://app@%2Frun%2Fpostgresql/shop")
    monkeypatch.setattr(Bucket, "refusals", refusals)
    clock = iter(range(0, 100000, 10))
    script["time"] = SimpleNamespace(
        monotonic=lambda: next(clock), sleep=lambda _: None, strftime=time.strftime,
        gmtime=time.gmtime,
    )  # fmt: skip

    if restored:
        script["restore"]("dumps/1.dump")
    else:
        with pytest.raises(ClientError, match="Forbidden"):
            script["restore"]("dumps/1.dump")

    assert any("--clean" in argv for argv, _ in calls(tmp_path)) is restored
    assert not (tmp_path / "dumps/restore.partial").exists()
