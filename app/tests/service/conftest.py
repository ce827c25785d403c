"""What the service's tests share. In-process tests run on SQLite in memory; `site` is the real
thing: gunicorn with production settings, once on SQLite and once on PostgreSQL."""

import io
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import django
import pytest
import urllib3
from PIL import Image

ROOT = Path(__file__).parents[3]
SECRET = "only-for-tests-" * 4

os.environ.update(
    DJANGO_SETTINGS_MODULE="service.settings",
    DEBUG="true",  # plain static files, without collectstatic
    SECRET_KEY=SECRET,
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    SITE_URL="http://testserver",
    DATABASE_URL="sqlite://:memory:",
    UPLOAD_RATE="0/60",
    FETCH_RATE="0/60",
    WORK_RATE="0/60",
)
django.setup()


def shipped(package: str, path: str) -> Path:
    """A file inside an installed package, without importing that."""
    return Path(find_spec(package).origin).parent / path


def as_bytes(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def astronaut() -> Image.Image:
    """Eileen Collins (NASA, public domain), 256 pixels."""
    with Image.open(shipped("skimage", "data/astronaut.png")) as image:
        return image.convert("RGB").resize((256, 256))


@pytest.fixture(scope="session")
def face(astronaut) -> bytes:
    return as_bytes(astronaut, quality=90)


@pytest.fixture
def other_face(astronaut) -> bytes:
    """The same face in a file that no test has seen before."""
    image = astronaut.copy()
    image.putpixel((0, 0), tuple(random.randrange(256) for _ in range(3)))
    image.putpixel((1, 1), tuple(random.randrange(256) for _ in range(3)))
    return as_bytes(image, "PNG")


@pytest.fixture(scope="session")
def no_face() -> bytes:
    return as_bytes(Image.linear_gradient("L").convert("RGB"))


STORAGES = {
    "database": "service.pictures.storage.DatabaseStorage",
    "directory": "django.core.files.storage.FileSystemStorage",
    "memory": "django.core.files.storage.InMemoryStorage",
}


@pytest.fixture
def bucket(settings, monkeypatch):
    """The bucket of the store `s3` of the settings, in this process."""
    from moto import mock_aws
    from service.pictures.bucket import session

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        # Of the session of the store itself: another one would take its time to make.
        s3 = session().resource("s3", region_name="us-east-1")
        bucket = s3.create_bucket(Bucket="pictures")
        store = {
            "BACKEND": "service.pictures.bucket.BucketStorage",
            "OPTIONS": {"bucket_name": bucket.name, "region_name": "us-east-1"},
        }
        settings.PICTURE_STORES = settings.PICTURE_STORES | {"s3": store}
        settings.STORAGES = settings.STORAGES | {"s3": store}
        yield bucket


@pytest.fixture
def use_stores(settings):
    """`use_stores("s3")`, or with the store that reads ask second: as the settings would."""

    def use(first: str, second: str = "") -> None:
        settings.PICTURE_STORE, settings.PICTURE_STORE_SECOND = first, second
        settings.STORAGES = settings.STORAGES | {
            "default": {
                "BACKEND": "service.pictures.pair.PairStorage",
                "OPTIONS": {"first": first, "second": second},
            }
            if second
            else settings.STORAGES[first]
        }

    return use


@pytest.fixture(params=[*STORAGES, "s3"])
def any_storage(request, settings, tmp_path) -> str:
    """The test runs once over each storage."""
    if request.param in STORAGES:
        settings.MEDIA_ROOT = tmp_path
        settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": STORAGES[request.param]}}
        return request.param
    request.getfixturevalue("bucket")
    request.getfixturevalue("use_stores")("s3")
    return request.param


def stored_files() -> set[str]:
    """The names of all files in the storage."""
    from service.pictures import files

    return {name for _, found in files.walk() for name in found}.union(files.waiting())


@pytest.fixture
def stored():
    return stored_files


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory):
    from tests.service.valkey_server import Valkey, program

    if not program():
        packages = ROOT / "tools" / "install-debian-packages"
        subprocess.run([packages, "redis-server"], check=True)  # every Debian and Ubuntu has it
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(valkey_server, settings):
    """The shared cache, empty."""
    with valkey_server.client() as client:
        client.flushall()
    with use_cache(settings, valkey_server.url()):
        yield valkey_server


@contextmanager
def use_cache(settings, url: str, seconds: float = 30):
    """The cache at the address. A busy machine must not look like a dead cache, hence `seconds`."""
    from django.core.cache import caches
    from service import valkey
    from service.environment import cache

    before = settings.CACHES
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHE_URL", url)
        patch.setitem(valkey.OPTIONS, "socket_connect_timeout", seconds)
        patch.setitem(valkey.OPTIONS, "socket_timeout", seconds)
        settings.CACHES = {"default": cache("CACHE_URL", "")}
        try:
            yield
        finally:
            for pool in caches["default"]._cache._pools.values():
                pool.disconnect()
            valkey.client.cache_clear()
            settings.CACHES = before


@pytest.fixture
def dynamodb(settings, monkeypatch):
    """DynamoDB with the tables of sessions, of rows and of counters."""
    from moto import mock_aws
    from service import aws

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    settings.AWS_REGION, settings.SESSION_TABLE = "us-east-1", "sessions"
    settings.ROWS_TABLE, settings.COUNTERS_TABLE = "rows", "counters"
    keys = {
        "sessions": [("session_key", "HASH", "S")],
        "rows": [("pk", "HASH", "S"), ("sk", "RANGE", "S")],
        "counters": [("counted", "HASH", "S"), ("window_number", "RANGE", "N")],
    }
    with mock_aws():
        aws.client.cache_clear()
        client = aws.client("dynamodb")
        for table, key in keys.items():
            client.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind, _ in key],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": of} for name, _, of in key
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        yield client
        aws.client.cache_clear()


# --- The real thing -------------------------------------------------------------------------
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)  # gunicorn's quick way, without waiting for connections
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


@dataclass
class PostgreSQL:
    """A private cluster in a temporary directory."""

    home: Path
    port: int
    prefix: list[str] = field(default_factory=list)

    @staticmethod
    def programs() -> Path:
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parts[-2]))
        return versions[-1]

    def program(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [*self.prefix, str(self.programs() / name), *arguments],
            check=True, cwd=self.home, stdout=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip

    def start(self) -> None:
        self.program("pg_ctl", "-D", str(self.home / "data"), "-w", "-l", str(self.home / "log"),
                     "-o", f"-p {self.port} -k {self.home} -c listen_addresses=127.0.0.1 "
                     "-c fsync=off", "start")  # fmt: skip

    def stop(self) -> None:
        self.program("pg_ctl", "-D", str(self.home / "data"), "-m", "immediate", "-w", "stop")

    def url(self, name: str = "postgres") -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, name: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgresql():
    subprocess.run([ROOT / "tools" / "install-debian-packages", "postgresql"], check=True)
    # Not in pytest's own directory, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="mustache-postgresql-") as directory:
        home = Path(directory)
        server = PostgreSQL(home, free_port())
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(home, "postgres", "postgres")
            server.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        server.program("initdb", "-D", str(home / "data"), "-A", "trust", "-U", "postgres", "-N")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass
class Site:
    """A running service."""

    url: str
    environment: dict[str, str]
    process: subprocess.Popen | None = None
    database: PostgreSQL | None = None
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=20, retries=False, timeout=30)
    )

    def manage(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            check=True, env=self.environment, stdout=subprocess.PIPE, text=True, timeout=120,
        ).stdout  # fmt: skip

    def start(self) -> None:
        with Path(self.environment["LOG"]).open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:service.gunicorn_config"],
                env=self.environment,
                stderr=log,
            )
        for _ in range(200):
            assert self.process.poll() is None, Path(self.environment["LOG"]).read_text()
            try:
                if self.get("/healthz").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        raise AssertionError("gunicorn does not answer")

    def get(self, path: str, **options) -> urllib3.BaseHTTPResponse:
        return self.http.request("GET", self.url + path, redirect=False, **options)

    def upload(self, picture: bytes, style: str = "handlebar") -> urllib3.BaseHTTPResponse:
        fields = {"image": ("me.jpg", picture), "style": style}
        return self.http.request("POST", f"{self.url}/api/pictures", fields=fields)

    def upload_patiently(self, picture: bytes) -> urllib3.BaseHTTPResponse:
        """Come back, sooner than told, as long as others are being served."""
        while (answer := self.upload(picture)).status == 503:
            time.sleep(0.02)
        return answer


def run_site(home: Path, static: Path, database_url: str, **settings: str) -> Site:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "app"),
        "DJANGO_SETTINGS_MODULE": "service.settings",
        "SECRET_KEY": SECRET,
        "ALLOWED_HOSTS": "127.0.0.1",
        "SITE_URL": url,
        "DATABASE_URL": database_url,
        "STATIC_ROOT": str(static),
        "GUNICORN_BIND": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "2",
        "UPLOAD_RATE": "0/60",
        "FETCH_RATE": "0/60",
        "WORK_RATE": "0/60",
        "LOG": str(home / "log"),
    } | settings
    site = Site(url, environment)
    site.manage("migrate", "--no-input", "--verbosity=0")
    site.manage("createcachetable")
    if not static.exists():
        site.manage("collectstatic", "--no-input", "--verbosity=0")
    site.start()
    return site


@pytest.fixture(scope="session")
def start_site(tmp_path_factory):
    """`with start_site(database_url, SETTING=...) as site`."""

    static = tmp_path_factory.mktemp("collected") / "static"

    @contextmanager
    def running(database_url: str, **settings: str):
        site = run_site(tmp_path_factory.mktemp("site"), static, database_url, **settings)
        try:
            yield site
        finally:
            stop(site.process)

    return running


@pytest.fixture(scope="session")
def sqlite_site(start_site, tmp_path_factory):
    with start_site(f"sqlite:///{tmp_path_factory.mktemp('database') / 'db.sqlite3'}") as site:
        yield site


@pytest.fixture(scope="session")
def postgresql_site(start_site, postgresql):
    postgresql.execute("CREATE DATABASE site")
    with start_site(postgresql.url("site")) as site:
        site.database = postgresql
        yield site
