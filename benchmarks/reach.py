"""How much of what visitors ask for reaches the hosts, and how much the database.

    python -m benchmarks.reach --label stage3 --users 60
    python -m benchmarks.reach --label stage4 --users 60

The same users as of `benchmarks.load --viewing`, for some whole minutes of CloudWatch's clock. What
they asked is beside what the load balancer handed on (AWS/ApplicationELB, RequestCount), what of it
the hosts have in their logs, how much of that as pictures (/media/), and how many transactions the
database committed meanwhile; hosts do not log static files, so these are the rest. Results go to
docs/load/reach/.
"""

# Locust makes the standard library cooperative: it comes first.
from benchmarks import load  # isort: skip

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import gevent

ROOT = Path(__file__).parents[1]
# CloudWatch has what is measured some seconds after the minute.
ASKED_AFTER = 30
LOG = "/var/log/nginx/access.log"
LOGGED = f"grep -vc 'GET /readyz' {LOG} || true"
PICTURES = f"grep -c 'GET /media/' {LOG} || true"
COMMITTED = (
    "from django.db import connection as c; k = c.cursor(); "
    "k.execute('select xact_commit from pg_stat_database where datname = current_database()'); "
    "print('committed', k.fetchone()[0])"
)
# What a visitor's requests are called in `benchmarks.load`.
FILES = ("image", "image, again", "static file", "static file, again")


def on_hosts(pattern: str, module: str, command: str) -> list[str]:
    """The lines that a command says on hosts, by Ansible."""
    done = subprocess.run(
        ["ansible", pattern, "--one-line", "-m", module, "-a", command],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        raise OSError(done.stdout + done.stderr)
    return [line.partition("(stdout)")[2].strip() for line in done.stdout.splitlines()]


def counted() -> dict[str, int]:
    """What the hosts have logged, and the database has committed, since they were made."""
    said = {
        "logged": on_hosts("role_web", "shell", LOGGED),
        "pictures": on_hosts("role_web", "shell", PICTURES),
    }
    # Any of them asks the database.
    [line] = on_hosts("role_web[0]", "shell", f'mustache-manage shell -c "{COMMITTED}"')
    committed = line.rpartition("committed ")[2]
    return {name: sum(map(int, each)) for name, each in said.items()} | {
        "transactions": int(committed)
    }


def balanced(start: datetime, end: datetime) -> int:
    """Requests that load balancers have handed on in these minutes."""
    cloudwatch = boto3.client("cloudwatch", **load.local_client())
    name = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"}
    total = 0
    for metric in cloudwatch.list_metrics(**name)["Metrics"]:
        if {each["Name"] for each in metric["Dimensions"]} == {"LoadBalancer"}:
            points = cloudwatch.get_metric_statistics(
                **name, Dimensions=metric["Dimensions"], StartTime=start, EndTime=end,
                Period=60, Statistics=["Sum"],
            )["Datapoints"]  # fmt: skip
            total += sum(each["Sum"] for each in points)
    return round(total)


def measure(users: load.Load, number: int, minutes: int) -> dict:
    """So many users for so many whole minutes, and how far their requests came."""
    users.runner.start(number, spawn_rate=max(1.0, number / load.THOUGHT[1]))
    gevent.sleep(2 * load.THOUGHT[1])
    gevent.sleep(60 - time.time() % 60)
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    # Meanwhile: Ansible takes some seconds.
    before = gevent.spawn(counted)
    met = users.meet(60 * minutes - time.time() % 60)
    entries = users.environment.stats.entries
    asked = {name: entry.num_requests for (name, _), entry in entries.items()}
    after, end = counted(), start + timedelta(minutes=minutes)
    users.runner.stop()
    gevent.sleep(ASKED_AFTER)
    files = sum(asked.get(name, 0) for name in FILES)
    grown = {name: after[name] - before.get()[name] for name in after}
    handed = balanced(start, end)
    return {
        "users": number, "minutes": minutes, "requests": met["requests"],
        "failed": met["failed"], "files": files, "pages": met["requests"] - files,
        "balanced": handed, "logged": grown["logged"], "pictures": grown["pictures"],
        "transactions": grown["transactions"],
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reach",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="http://mustache.localhost:8080", help="the site (%(default)s)")
    add("--label", default="reach", help="names the result's file (%(default)s)")
    add("--note", default="", help="the conditions, kept with the result")
    add("--users", type=int, default=60, help="(%(default)s)")
    add("--minutes", type=int, default=3, help="(%(default)s)")
    add("--output", type=Path, default=ROOT / "docs/load/reach", metavar="DIR")
    options = parser.parse_args(argv)
    try:
        host, facts = load.open_site(options.host, mine=False)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    users = load.Load(host, viewing=True)
    try:
        users.bring(load.VIEWED)
        measured = measure(users, options.users, options.minutes)
    finally:
        users.quit()
    about = {"label": options.label, "host": host, "note": options.note, "site": facts,
             "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}  # fmt: skip
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / f"{options.label}.json").write_text(
        json.dumps(about | measured, indent=2) + "\n"
    )
    print(json.dumps(measured, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
