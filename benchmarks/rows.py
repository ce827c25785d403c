"""How long the rows of many pictures take between PostgreSQL and DynamoDB, and nobody may write.

    .venv/bin/python -m localcloud up
    .venv/bin/python -m benchmarks.rows --pictures 10000 --endpoint http://127.0.0.1:5000

A PostgreSQL of its own, and a table of its own in the DynamoDB at the endpoint: the local cloud's,
which is slower than AWS's. Each run of `move_rows` is a process of its own, as on a host, and its
start is counted. The last one, after some uploads or deletions, is what visitors wait for: with it
every record has been compared.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import psycopg

CHANGES = 20
SEED = """
import sys
from datetime import UTC, datetime
from hashlib import sha256
from service.pictures import models
from service.pictures.records.ids import new_public_id, uuid7
first, last = map(int, sys.argv[1:])
names = [sha256(str(number).encode()).hexdigest() for number in range(first, last)]
models.Original.objects.bulk_create([models.Original(
    sha256=name, file=f"{name}/original.jpg", preview=f"{name}/preview.webp",
    content_type="image/jpeg", size=400_000) for name in names], batch_size=1000)
results = models.Result.objects.bulk_create([models.Result(
    original_id=name, style="walrus", file=f"{name}/walrus.jpg", preview=f"{name}/walrus.webp",
    thumbnail=f"{name}/walrus-small.webp", content_type="image/jpeg", width=1920, height=1280,
    faces=[{"box": [100, 100, 300, 300], "score": 0.93, "eyes": [[150, 180], [250, 180]],
            "mouth": [200, 260], "roll": 1.5}]) for name in names], batch_size=1000)
models.Picture.objects.bulk_create([models.Picture(
    key=uuid7(), public_id=new_public_id(), result=result, listed=True,
    owner_hash=sha256(str(number % 500).encode()).hexdigest(), token_hash=result.original_id,
    created=datetime.now(UTC)) for number, result in enumerate(results)], batch_size=1000)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of a server that is gone afterwards."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    # Root may not run it.
    prefix = []
    if os.geteuid() == 0:
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with tempfile.TemporaryDirectory(prefix="mustache-rows-") as home:
        if prefix:
            shutil.chown(home, "postgres", "postgres")

        def run(program: str, *words: str) -> None:
            command = [*prefix, str(programs / program), "-D", f"{home}/data", *words]
            subprocess.run(command, check=True, cwd=home, stdout=subprocess.DEVNULL)

        port = free_port()
        run("initdb", "-A", "trust", "-U", "postgres")
        options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1"
        run("pg_ctl", "-w", "-l", f"{home}/log", "-o", options, "start")
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")


@contextmanager
def table(endpoint: str) -> Iterator[str]:
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    name = f"benchmark-{os.getpid()}-rows"
    client.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        yield name
    finally:
        client.delete_table(TableName=name)


def manage(environment: dict[str, str], *words: str) -> tuple[float, list[str]]:
    """Seconds of a command, its start included, and what it said."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "service", *words],
        env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return round(time.monotonic() - start, 1), done.stdout.splitlines()


def seed(environment: dict[str, str], first: int, last: int) -> None:
    code = "import django; django.setup()\n" + SEED
    subprocess.run([sys.executable, "-c", code, str(first), str(last)], env=environment, check=True)


def turn(environment: dict[str, str], to: str, change) -> dict:
    """Both passes to a place: while the site serves, and while nobody may write."""
    live, _ = manage(environment, "move_rows", "--to", to)
    change()
    frozen, said = manage(environment, "move_rows", "--to", to, "--json")
    facts = json.loads(said[-1])
    assert facts["different"] == 0
    return {
        "to": to,
        "seconds_while_it_serves": live,
        "seconds_while_nobody_writes": frozen,
        "brought_last": facts["written"] + facts["deleted"],
        "compared": facts["records"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL"), required=False)
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "localcloud", "AWS_SECRET_ACCESS_KEY": "localcloud"}
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1"}
    with postgresql() as url, table(options.endpoint) as rows:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "service.settings",
            "PYTHONPATH": str(Path(__file__).parents[1] / "app"),
            "SECRET_KEY": "x" * 50,
            "ALLOWED_HOSTS": "localhost",
            "SITE_URL": "http://localhost",
            "DATABASE_URL": url,
            "ROWS_TABLE": rows,
            "COUNTERS_TABLE": "unused",
            "AWS_ENDPOINT_URL": options.endpoint,
        }
        manage(environment, "migrate", "--no-input")
        seed(environment, 0, options.pictures)

        def grow() -> None:
            seed(environment, options.pictures, options.pictures + CHANGES)

        there = turn(environment, "dynamodb", grow)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create database back")
        empty = url.removesuffix("postgres") + "back"
        environment |= {"ROWS": "dynamodb", "DATABASE_URL": empty}
        manage(environment, "migrate", "--no-input")
        back = turn(environment, "database", lambda: take_down(environment))
    print(json.dumps({"pictures": options.pictures, "turns": [there, back]}, indent=2))


def take_down(environment: dict[str, str]) -> None:
    """Some of them, by the service itself."""
    code = (
        "import django; django.setup()\nfrom service.pictures.records import records\n"
        f"for each in records.gallery(None, {CHANGES}).pictures: records.remove(each.public_id)"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


if __name__ == "__main__":
    main()
