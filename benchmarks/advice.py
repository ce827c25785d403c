"""Whether `make advise` is right: what it says of a load beside what visitors met of it.

    python -m benchmarks.advice --label stage1 --users 0 130 400

For five minutes each no users, some, and more than the site carries, as `benchmarks.load` has them,
one after the other. CloudWatch has its five minutes by the clock, and so have these. Half a minute
into the next ones `make advise` is asked about those that have ended. It is right when it says
`climb` of a load that was too much, and of no other. Results go to docs/load/advice/ as JSON.
"""

# Locust makes the standard library cooperative: it comes first.
from benchmarks import load  # isort: skip

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import gevent

from benchmarks.capacity import FAILED_SHARE, P95_SECONDS

ROOT = Path(__file__).parents[1]
WINDOW = 300
# CloudWatch has what is measured some seconds after the minute.
ASKED_AFTER = 30
# In the last eight minutes there is one such window that has ended, and a part of others.
ASK = ["make", "--silent", "advise", "JSON=1", "ARGUMENTS=-e advise_minutes=8"]


@dataclass
class Round:
    """What visitors met in five minutes, and what was advised. Times in milliseconds."""

    users: int
    requests_per_second: float
    p95: float
    failed: int
    advice: dict

    @property
    def carried(self) -> bool:
        requests = self.requests_per_second * WINDOW
        return self.p95 < 1000 * P95_SECONDS and self.failed <= FAILED_SHARE * requests

    @property
    def right(self) -> bool:
        return (self.advice["verdict"] == "climb") is not self.carried

    def row(self) -> str:
        first = max(self.advice["resources"], key=lambda each: each["full"], default=None)
        fullest = f"{first['what']} {first['full']:.0%}" if first else "nothing measured"
        to = f" to stage {self.advice['stage']}" if self.advice["stage"] else ""
        met = "carried" if self.carried else "too many"
        return (
            f"{self.users:6} {self.requests_per_second:10.1f} {self.p95:8.0f} {self.failed:7} "
            f"{met:9} {self.advice['verdict'] + to:20} {fullest:36} "
            f"{'right' if self.right else 'WRONG'}"
        )


def ask() -> dict:
    gevent.sleep(ASKED_AFTER)
    done = subprocess.run(ASK, cwd=ROOT, capture_output=True, text=True, timeout=240)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return json.loads(done.stdout)


def rounds(site: load.Load, counts: list[int]) -> list[Round]:
    found, asked = [], []
    gevent.sleep(WINDOW - time.time() % WINDOW)
    for users in counts:
        if users:
            site.runner.start(users, spawn_rate=max(1.0, users / 10))
        met = site.meet(WINDOW - time.time() % WINDOW)
        found.append((users, met))
        asked.append(gevent.spawn(ask))
        print(f"{users} users: p95 {met['p95']:.0f} ms, {met['failed']} failed", flush=True)
    gevent.joinall(asked, raise_error=True)
    return [
        Round(users, round(met["requests"] / WINDOW, 1), met["p95"], met["failed"], each.value)
        for (users, met), each in zip(found, asked, strict=True)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.advice",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="http://mustache.localhost:8080", help="the site (%(default)s)")
    add("--label", required=True, help="names the result")
    add("--users", type=int, nargs="+", required=True, help="of each five minutes")
    add("--output", type=Path, default=ROOT / "docs" / "load" / "advice", metavar="DIR")
    add("--i-own-this-site", action="store_true", help="for a site that is not on this machine")
    options = parser.parse_args()
    try:
        host, facts = load.open_site(options.host, options.i_own_this_site)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{host}, {len(options.users)} times five minutes by the clock", flush=True)
    site = load.Load(host)
    try:
        found = rounds(site, options.users)
    finally:
        site.quit()
    print(f"{'users':>6} {'requests/s':>10} {'p95 ms':>8} {'failed':>7} {'':9} {'advice':20} "
          f"{'fullest, of what may be used':36}")  # fmt: skip
    for each in found:
        print(each.row())
    result = {
        "label": options.label,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "site": facts,
        "rounds": [vars(each) | {"carried": each.carried, "right": each.right} for each in found],
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / f"{options.label}.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(each.right for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
