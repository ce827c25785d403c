"""The script that dumps and restores, with programs that note how they were called."""

import json
import os
import sys
from pathlib import Path

import pytest
from jinja2 import Environment

from tests.unit.ansible.test_roles import ROOT

SCRIPT = ROOT / "roles/backup/templates/mustache-backup"
VALUES = {"backup_bucket": "dumps", "backup_kept_on_host": 2}
NOTE = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    print(json.dumps([sys.argv, dict(os.environ)]), file=log)
for word in sys.argv:
    if word.startswith("--file="):
        open(word[7:], "w").close()
if sys.argv[0].endswith("psql"):
    print(os.environ.get("MARK", ""))
"""


class Bucket:
    """Holds one dump, and takes any."""

    def upload_file(self, *_):
        pass

    def download_file(self, bucket, key, path):
        Path(path).touch()

    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        return [{"Contents": [{"Key": "dumps/1.dump", "Size": 1}]}]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script's names, with its directories and programs in ``tmp_path``."""
    for program in ("psql", "pg_dump", "pg_restore"):
        path = tmp_path / program
        path.write_text(NOTE.format(python=sys.executable, log=str(tmp_path / "log")))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    environment = Environment(autoescape=False)
    environment.filters["to_json"] = json.dumps
    text = environment.from_string(SCRIPT.read_text()).render(VALUES, ansible_managed="by a test")
    names = {"__name__": "mustache_backup", "__doc__": ""}
    exec(compile(text, str(SCRIPT), "exec"), names)
    names["DUMPS"] = tmp_path / "dumps"
    names["s3"] = Bucket
    return names


def calls(tmp_path):
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def test_no_password_is_in_the_arguments_of_a_program(script, tmp_path, monkeypatch):
    url = "postgres://app:se%63ret@db.example.com:5433/shop?sslmode=require"
    monkeypatch.setenv("DATABASE_URL", url)
    script["restore"]("latest")

    assert [Path(argv[0]).name for argv, _ in calls(tmp_path)] == [
        "psql", "pg_dump", "pg_restore", "pg_restore"
    ]  # fmt: skip
    assert not any("secret" in word or "se%63ret" in word for argv, _ in calls(tmp_path)
                   for word in argv)  # fmt: skip
    for argv, environment in calls(tmp_path):
        if "--list" in argv:
            continue
        assert environment["PGHOST"] == "db.example.com"
        assert environment["PGPORT"] == "5433"
        assert environment["PGUSER"] == "app"
        assert environment["PGPASSWORD"] == "secret"
        assert environment["PGDATABASE"] == "shop"
        assert environment["PGSSLMODE"] == "require"
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
    monkeypatch.setenv("MARK", "1")

    with pytest.raises(script["BackupError"], match="has left this database"):
        script["create"]()

    assert [Path(argv[0]).name for argv, _ in calls(tmp_path)] == ["psql"]
