"""Settings come from the environment; a wrong one is named with an example."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from service import environment

GOOD = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "SECRET_KEY": "".join(map(chr, range(48, 123))),
    "ALLOWED_HOSTS": "mustache.example.com",
    "SITE_URL": "https://mustache.example.com",
    "DATABASE_URL": "sqlite://:memory:",
}


def run(*command: str, **changes: str | None) -> subprocess.CompletedProcess:
    variables = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", "service", *command],
        env=variables, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("site", ["https://mustache.example.com", "http://mustache.localhost:8080"])
def test_check_deploy_is_clean(site):
    done = run("check", "--deploy", "--fail-level", "DEBUG", SITE_URL=site)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_migrations_are_complete():
    done = run("makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout


def test_missing_setting_stops_the_start():
    done = run("check", DATABASE_URL=None)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "DATABASE_URL" in last
    assert "Example: DATABASE_URL=postgres://" in last


def test_gunicorn_refuses_to_start_without_static_files(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import service.wsgi"],
        env=GOOD | {"STATIC_ROOT": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "collectstatic" in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("WEB_CONCURRENCY", "two"),
        ("WEB_CONCURRENCY", "0"),
        ("MAX_UPLOAD_BYTES", "-5"),
        ("PROXY", "apache"),
        ("PROXY", "cdn"),
        ("CACHE_URL", "nonsense"),
        ("CACHE_URL", "uwsgicache://x"),
        ("CACHE_URL", "redis://127.0.0.1:6379/0"),
        ("CACHE_URL", "rediss:///0"),
        ("CACHE_URL", "rediss://127.0.0.1:6379/0?ssl_cert_reqs=none"),
        ("SESSION_STORE", "files"),
        ("SESSION_STORE_SECOND", "database"),
        ("ROWS", "files"),
        ("COUNTERS", "fingers"),
    ],
)
def test_wrong_setting_names_itself(name, value, tmp_path):
    """Whatever reads it: gunicorn's settings or Django's."""
    script = (
        "import sys; sys.modules['redis'] = None\n"  # not there, even where it is installed
        "import service.gunicorn_config, service.settings"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=GOOD | {name: value, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    assert "ImproperlyConfigured" in last
    assert f"{name}: " in last
    assert f"Example: {name}=" in last


COUNTING_CACHE = {"COUNTERS": "cache", "CACHE_URL": "locmem://"}


@pytest.mark.parametrize(
    ("missing", "changes"),
    [
        ("CACHE_URL", {"COUNTERS": "cache"}),
        ("CACHE_URL", {"SESSION_STORE": "elasticache"}),
        ("ROWS_TABLE", {"ROWS": "dynamodb"}),
        ("COUNTERS_TABLE", {"COUNTERS": "dynamodb"}),
        ("COUNTERS_TABLE", {"ROWS": "dynamodb", "ROWS_TABLE": "rows", **COUNTING_CACHE}),
        ("SESSION_TABLE", {"SESSION_STORE": "dynamodb"}),
        ("SESSION_TABLE", {"SESSION_STORE_SECOND": "dynamodb"}),
        ("PICTURE_BUCKET", {"PICTURE_STORE": "s3"}),
        ("PICTURE_BUCKET", {"PICTURE_STORE_SECOND": "s3"}),
        ("PICTURE_STORE_SECOND", {"PICTURE_STORE_SECOND": "database"}),
        ("CDN_SECRETS", {"PROXY": "cdn,nginx"}),
        ("CDN_SECRETS", {"PROXY": "cdn,nginx", "CDN_SECRETS": "short"}),
        ("PROXY_NETWORKS", {"PROXY": "balancer"}),
    ],
)
def test_what_a_setting_needs_must_be_set(missing, changes):
    done = run("check", **changes)
    assert done.returncode != 0
    assert f"{missing}: " in done.stderr.strip().splitlines()[-1]


NOTHING_IN_A_DATABASE = {
    "DATABASE_URL": None,
    "ROWS": "dynamodb",
    "ROWS_TABLE": "rows",
    "SESSION_STORE": "dynamodb",
    "SESSION_TABLE": "sessions",
    "COUNTERS": "dynamodb",
    "COUNTERS_TABLE": "counters",
    "PICTURE_STORE": "s3",
    "PICTURE_BUCKET": "pictures",
    "CACHE_URL": "locmem://",
    "AWS_REGION": "us-east-1",
}


def test_where_nothing_is_in_a_database_none_is_needed():
    code = (
        "from django.conf import settings; from service import health, urls; "
        "print([*health.CHECKS], [*settings.PICTURE_STORES], health.about()['stores']['database'], "
        "any('admin' in str(one.pattern) for one in urls.urlpatterns))"
    )
    done = run("shell", "--no-imports", "--command", code, **NOTHING_IN_A_DATABASE)
    assert done.stdout.split("] ") == [
        "['dynamodb', 'pictures', 'sessions', 'cache'",
        "['s3'",
        "dynamodb False\n",
    ], done.stderr


@pytest.mark.parametrize(
    "there", ["ROWS", "SESSION_STORE", "COUNTERS", "PICTURE_STORE", "CACHE_URL"]
)
def test_where_anything_is_in_a_database_it_is_needed(there):
    done = run("check", **NOTHING_IN_A_DATABASE | {there: None})
    assert done.returncode != 0
    assert "DATABASE_URL: " in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(("rows", "comes"), [("database", "False"), ("dynamodb", "True")])
def test_boto3_comes_with_the_rows_that_need_it(rows, comes):
    code = (
        "import sys, service.urls; from service.pictures.records import records; "
        "from service.ratelimit.counters import counters; counters(); records.sweep; "
        "print('boto3' in sys.modules)"
    )
    done = run("shell", "--no-imports", "--command", code, ROWS=rows, ROWS_TABLE="rows")
    assert done.stdout.strip() == comes, done.stderr


@pytest.mark.parametrize("bucket", ["", "pictures"])
def test_boto3_is_imported_only_for_a_bucket_in_use(bucket):
    code = (
        "import sys, service.urls; from django.core.files.storage import default_storage as used\n"
        "used.url(f'{0:064}/a.jpg'); print({'boto3', 'botocore', 'storages'} & set(sys.modules))"
    )
    done = run("shell", "--no-imports", "--command", code, PICTURE_BUCKET=bucket)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize(("value", "preload"), [(None, "False"), ("true", "True")])
def test_a_site_is_on_the_browsers_list_only_if_it_wants_to_be(value, preload):
    code = "from django.conf import settings; print(settings.SECURE_HSTS_PRELOAD)"
    done = run("shell", "--no-imports", "--command", code, HSTS_PRELOAD=value)
    assert done.stdout.strip() == preload


def test_cookies_belong_to_this_very_host():
    code = "from django.conf import settings; print(settings.SESSION_COOKIE_NAME)"
    names = [run("shell", "--no-imports", "--command", code, SITE_URL=f"{scheme}://mustache.test")
             for scheme in ("http", "https")]  # fmt: skip
    assert [done.stdout.strip() for done in names] == [
        "mustache_session",
        "__Host-mustache_session",
    ]


def test_the_site_itself_is_a_trusted_origin():
    code = "from django.conf import settings; print(settings.CSRF_TRUSTED_ORIGINS)"
    done = run("shell", "--no-imports", "--command", code, CSRF_TRUSTED_ORIGINS="https://b.example")
    assert done.stdout.strip() == "['https://mustache.example.com', 'https://b.example']"


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        ("A", None, {}),
        ("A", "", {"read": environment.env.list, "check": environment.not_empty}),
        ("A", "short", {"check": environment.at_least(50)}),
        ("A", "s3", {"check": environment.one_of("database")}),
        ("A", "mustache.example.com", {"check": environment.web_address}),
        ("A", "https://x.example/path", {"check": environment.web_address}),
        ("A", "maybe", {"read": environment.env.bool}),
        ("A", "1.5", {"read": environment.env.int}),
        ("A", "postgres", {"read": environment.env.dj_db_url}),
        (
            "A",
            "mysql://x/y",
            {"read": environment.env.dj_db_url, "check": environment.known_database},
        ),
        ("A", "10.0.0.1/8", {"read": environment.networks, "default": []}),
        ("A", "10", {"read": environment.rate, "default": "1/1"}),
        ("A", "10/0", {"read": environment.rate, "default": "1/1"}),
        ("A", "-1/60", {"read": environment.rate, "default": "1/1"}),
    ],
)
def test_wrong_setting(monkeypatch, name, value, arguments):
    if value is not None:
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=r"^A: .+\. Example: A=this$"):
        environment.setting(name, example="this", **arguments)
