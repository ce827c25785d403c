"""How many users a site carries: visitors who browse, look and sometimes upload, more at each step.

    python -m benchmarks.load --label stage1                          # the local cloud's site
    python -m benchmarks.load --host https://mustache.example.com --i-own-this-site
    python -m benchmarks.load_plot docs/load/stage*.json              # compare what was measured
    python -m benchmarks.load --shape ramp --group mustache-local-asg # a group follows its users
    python -m benchmarks.load --shape burst --most 100 --seconds 5    # all at once, from nothing
    python -m benchmarks.load --viewing                               # nobody uploads
    python -m benchmarks.load --cold 310                              # cold starts are inside

A user opens the home page or the gallery, looks at some pictures, reads their pages, and goes on
after a few seconds of thought. Like a browser he loads images six at a time, keeps what he has, and
asks for it again only with If-None-Match. One visit in fifty ends with an upload. The site carries
so many users as long as 95 of 100 requests take less than a second and 99 of 100 succeed.

Users double until it does not, then the number is narrowed down. Results go to docs/load/ as JSON,
CSV and a plot. Whatever was uploaded is deleted.
"""

# Locust makes the standard library cooperative: it comes first.
import locust  # isort: skip

import argparse
import csv
import json
import os
import platform
import random
import re
import shlex
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import gevent
import gevent.socket
import psutil
import skimage.data
import urllib3
from gevent.pool import Pool
from locust.env import Environment
from PIL import Image

from benchmarks import ramp
from benchmarks.capacity import (
    P95_SECONDS,
    TITLE,
    Step,
    calm_from,
    carried,
    check_host,
    find_capacity,
    row,
)
from benchmarks.load_plot import plot
from tests.localhost import resolve_localhost

ROOT = Path(__file__).parents[1]
CONNECTIONS = 6
UPLOAD_SIDE = 1024
# Seconds of thought between two pages.
THOUGHT = (2, 6)
# Pictures for users who only look.
VIEWED = 20


def portrait() -> bytes:
    """A photograph of a face as a phone sends it to a messenger; no two are the same."""
    with Image.open(Path(skimage.data.__file__).parent / "astronaut.png") as picture:
        large = picture.convert("RGB").resize((UPLOAD_SIDE, UPLOAD_SIDE))
    noise = Image.frombytes("RGB", (16, 16), random.randbytes(16 * 16 * 3))
    large.paste(noise, (0, 0))
    out = BytesIO()
    large.save(out, "JPEG", quality=85)
    return out.getvalue()


class Visitor(locust.FastHttpUser):
    """One user. Requests of a kind share a name in the statistics."""

    wait_time = locust.between(*THOUGHT)
    concurrency = CONNECTIONS
    network_timeout = connection_timeout = 30.0

    # Of all visitors. They look at each other's, so nothing is deleted before the end.
    uploads: ClassVar[list[tuple["Visitor", str]]] = []

    def on_start(self) -> None:
        self.kept: dict[str, str] = {}
        self.links: list[str] = []

    def delete(self, path: str) -> None:
        token = self.token(self.open(path, "own page"))
        with self.form(f"{path}/delete", "delete", {"csrfmiddlewaretoken": token}) as response:
            response.success()

    # --- what a visitor does --------------------------------------------------------------------
    @locust.task(10)
    def home(self) -> None:
        self.look(self.open("/", "home"))

    @locust.task(15)
    def gallery(self) -> None:
        html = self.look(self.open("/gallery", "gallery"))
        older = re.search(r'href="(\?after=[^"]+)"', html)
        if older and random.random() < 0.3:
            self.look(self.open(f"/gallery{older[1]}", "gallery, older"))

    @locust.task(25)
    def picture(self) -> None:
        if not self.links:
            self.gallery()
        if self.links:
            self.look(self.open(random.choice(self.links), "picture page"))

    @locust.task(1)
    def upload(self) -> None:
        token = self.token(self.open("/", "home"))
        fields = {
            "csrfmiddlewaretoken": token,
            "style": "random",
            "image": ("me.jpg", portrait(), "image/jpeg"),
        }
        with self.form("/", "upload", fields) as response:
            if response.status_code == 303:
                path = response.headers["Location"]
                self.uploads.append((self, path))
                response.success()
            elif response.status_code == 429:
                # Behind one address all users are one client to the site's limit.
                response.request_meta["name"] = "upload over the limit"
                response.success()
            else:
                response.failure(f"{response.status_code}")
        if response.status_code == 303:
            self.look(self.open(path, "own page"))

    # --- as a browser does it -------------------------------------------------------------------
    def open(self, path: str, name: str) -> str:
        return self.client.get(path, name=name).text or ""

    def look(self, html: str) -> str:
        """Load what the page shows, and remember where its pictures lead."""
        self.links = re.findall(r'href="(/p/[\w-]{16})"', html) or self.links
        found = re.findall(r'(?:src|href)="(/(?:media|static)/[^"]+)"', html)
        pool = Pool(CONNECTIONS)
        pool.map(self.load, dict.fromkeys(found))
        return html

    def load(self, path: str) -> None:
        name = "image" if path.startswith("/media/") else "static file"
        if path not in self.kept:
            response = self.client.get(path, name=name)
            self.kept[path] = response.headers.get("ETag", "") if response.headers else ""
        elif self.kept[path] and random.random() < 0.1:
            # Most of the time a browser does not ask at all; after a reload it does.
            # The answer that nothing has changed may name an encoding, which the client would undo.
            headers = {"If-None-Match": self.kept[path], "Accept-Encoding": "identity"}
            self.client.get(path, name=f"{name}, again", headers=headers)

    def token(self, html: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', html)
        return found[1] if found else ""

    def form(self, path: str, name: str, fields: dict):
        body, kind = urllib3.encode_multipart_formdata(fields)
        origin = {"Origin": self.host, "Referer": f"{self.host}/", "Content-Type": kind}
        return self.client.post(
            path,
            data=body,
            headers=origin,
            name=name,
            allow_redirects=False,
            catch_response=True,
        )


class Viewer(Visitor):
    """A user who only looks."""


Viewer.tasks = [each for each in Visitor.tasks if each is not Visitor.upload]


class Load:
    """Users on the site, so many at a time.

    :param viewing: whether they only look; `bring` pictures for them then.
    """

    def __init__(self, host: str, viewing: bool = False):
        Visitor.host = host
        kind = Viewer if viewing else Visitor
        self.environment = Environment(user_classes=[kind], host=host, stop_timeout=20)
        self.runner = self.environment.create_local_runner()
        self.process = psutil.Process()
        self.errors: Counter[str] = Counter()

    def bring(self, pictures: int) -> None:
        """Upload so many, that users have something to look at."""
        visitor = Visitor(self.environment)
        visitor.on_start()
        for _ in range(pictures):
            visitor.upload()

    def step(self, users: int, seconds: float, cold: float | None = None) -> Step:
        """Bring the number of users to this, let it settle, measure.

        :param cold: instead, nobody is there for so many seconds, and their coming is measured.
        """
        settle = max(5.0, THOUGHT[1])
        if cold is not None:
            self.runner.stop()
            gevent.sleep(cold)
        self.runner.start(users, spawn_rate=max(1.0, users / settle))
        if cold is None:
            gevent.sleep(2 * settle)
        self.process.cpu_percent()
        start = time.monotonic()
        met = self.meet(seconds)
        took = time.monotonic() - start
        return Step(
            users=users,
            requests_per_second=round(met["requests"] / took, 1),
            p99=self.environment.stats.total.get_response_time_percentile(0.99),
            client_cpu_percent=self.process.cpu_percent(),
            **met,
        )

    def moment(self, users: int, seconds: float) -> dict:
        """Bring the number of users to this meanwhile, and say what they met."""
        self.runner.start(users, spawn_rate=max(1.0, users))
        return self.meet(seconds)

    def meet(self, seconds: float) -> dict:
        """What users meet in this time, as fields of `Step` and `Moment`."""
        stats = self.environment.stats
        stats.reset_all()
        gevent.sleep(seconds)
        for error in stats.errors.values():
            self.errors[f"{error.name}: {error.error}"] += error.occurrences
        return {
            "requests": stats.total.num_requests,
            "p50": stats.total.get_response_time_percentile(0.50),
            "p95": stats.total.get_response_time_percentile(0.95),
            "failed": stats.total.num_failures,
            "uploads": sum(
                entry.num_requests for (name, _), entry in stats.entries.items() if name == "upload"
            ),
        }

    def quit(self) -> None:
        self.runner.quit()
        self.runner.greenlet.join()
        for visitor, path in Visitor.uploads:
            visitor.delete(path)


def find_site(host: str) -> tuple[str, dict]:
    """Where the site really is (it may want HTTPS), and what /info says."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        session.verify = False
        url = session.get(host + "/", timeout=10).url.rstrip("/")
        facts = session.get(url + "/info?format=json", timeout=10).json()
    return url, {key: facts.get(key) for key in ("version", "host", "stores")}


def open_site(host: str, mine: bool) -> tuple[str, dict]:
    """As find_site; names below .localhost lead to this machine.

    :param mine: whether the caller owns a site that is not on this machine.
    :raises ValueError: the site is not to be asked.
    :raises OSError: it does not answer.
    """
    resolve_localhost()
    # geventhttpclient asks gevent itself.
    gevent.socket.getaddrinfo = socket.getaddrinfo
    check_host(host, mine)
    return find_site(host.rstrip("/"))


def local_client() -> dict:
    """Options of boto3's clients for the local cloud, whose root needs no secret."""
    return {
        "endpoint_url": f"http://127.0.0.1:{os.environ.get('LOCALCLOUD_PORT', 5000)}",
        "region_name": "us-east-1",
        "aws_access_key_id": "localcloud",
        "aws_secret_access_key": "localcloud",
    }


def write(directory: Path, label: str, result: dict, rows: list[dict]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{label}.json").write_text(json.dumps(result, indent=2) + "\n")
    with (directory / f"{label}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def climb_steps(load: Load, options: argparse.Namespace) -> tuple[dict, list[dict]]:
    """Find how many users the site carries."""
    before = 2 * THOUGHT[1] if options.cold is None else options.cold
    print(f"a step takes {options.seconds + before:.0f} s\n{TITLE}")

    def measure(users: int) -> Step:
        step = load.step(users, options.seconds, options.cold)
        print(row(step), flush=True)
        return step

    steps = find_capacity(measure, options.first, options.most)
    print(f"{carried(steps)} users carried at p95 under {P95_SECONDS:.0f} s")
    if max(step.client_cpu_percent for step in steps) > 90:
        print("The load generator itself was busy: the site may carry more.")
    rows = [asdict(step) for step in steps]
    ordered = sorted(rows, key=lambda step: step["users"])
    return {"carried": carried(steps), "cold_seconds": options.cold, "steps": ordered}, rows


def climb_burst(load: Load, options: argparse.Namespace) -> tuple[dict, list[dict]]:
    """Let all users come within a second, and look every so many seconds at what they meet."""
    print(f"{options.most} users at once, for {options.minutes:g} minutes\n"
          f"{'second':>6} {'requests':>8} {'p50 ms':>8} {'p95 ms':>8} {'failed':>7}")  # fmt: skip
    rows, start = [], time.monotonic()
    while (began := time.monotonic() - start) < 60 * options.minutes:
        met = {"second": round(began)} | load.moment(options.most, options.seconds)
        rows.append(met)
        print(f"{met['second']:6} {met['requests']:8} {met['p50']:8.0f} {met['p95']:8.0f} "
              f"{met['failed']:7}", flush=True)  # fmt: skip
    calm = calm_from(rows)
    print(f"p95 under {P95_SECONDS:.0f} s from second {calm} on" if calm is not None
          else f"p95 was never under {P95_SECONDS:.0f} s for good")  # fmt: skip
    return {"users": options.most, "calm_after_seconds": calm, "moments": rows}, rows


def climb_ramp(load: Load, options: argparse.Namespace) -> tuple[dict, list[dict]]:
    """Let users come and go, and note how the group follows."""
    # On this machine it is the local cloud's, whatever the shell says of AWS.
    client = {} if options.i_own_this_site else local_client()
    group = ramp.Group(options.group, **client)
    print(f"{options.minutes:g} minutes, up to {options.most} users\n"
          f"{'minute':>6} {'users':>6} {'p95 ms':>8} {'failed':>7} {'hosts':>6} "
          f"{'wanted':>7} {'cpu %':>6}")  # fmt: skip
    moments = []
    every = options.seconds
    whole, after = 60 * options.minutes, 60 * options.shrinks
    for moment in ramp.climb(whole, options.most, every, load.moment, group.look, after):
        moments.append(moment)
        cpu = "" if moment.cpu is None else f"{moment.cpu:.0f}"
        print(f"{moment.second / 60:6.1f} {moment.users:6} {moment.p95:8.0f} {moment.failed:7} "
              f"{moment.hosts:6} {moment.wanted:7} {cpu:>6}", flush=True)  # fmt: skip
    facts = ramp.summary(moments)
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
    rows = [asdict(each) for each in moments]
    return facts | {"group": options.group, "moments": rows}, rows


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="http://mustache.localhost:8080", help="the site (%(default)s)")
    add("--label", default="load", help="names the result's files and line (%(default)s)")
    add("--note", default="", help="the conditions, kept with the result")
    add("--viewing", action="store_true", help="users only look, at twenty pictures brought before")
    add("--first", type=int, default=10, metavar="USERS", help="to begin with (%(default)s)")
    add("--most", type=int, default=1000, metavar="USERS", help="at most (%(default)s)")
    add("--seconds", type=float, default=30, help="measured at each step (%(default)s)")
    add(
        "--cold",
        type=float,
        metavar="SECONDS",
        help="steps: nobody for so long before each, so that functions end what is warm; then "
        "what users meet is measured from the first on, cold starts inside",
    )
    add(
        "--shape",
        choices=("steps", "ramp", "burst"),
        default="steps",
        help="steps: how many users the site carries; ramp: they come and go; burst: they come at "
        "once (%(default)s)",
    )
    add("--group", metavar="NAME", help="ramp: the Auto Scaling group; boto3 finds the account")
    add("--minutes", type=float, default=30, help="ramp, burst: the whole of it (%(default)s)")
    add(
        "--shrinks",
        type=float,
        default=25,
        metavar="MINUTES",
        help="ramp: how long the group may take to be small again (%(default)s)",
    )
    add("--output", type=Path, metavar="DIR", help="(docs/load; of other shapes below it)")
    add("--i-own-this-site", action="store_true", help="for a site that is not on this machine")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    if options.shape == "ramp" and not options.group:
        print(
            "error: --shape ramp needs --group, the group that follows the users", file=sys.stderr
        )
        return 2
    if options.cold is not None and (options.shape != "steps" or options.cold < 0):
        print("error: --cold is for steps, and no less than 0", file=sys.stderr)
        return 2
    try:
        host, facts = open_site(options.host, options.i_own_this_site)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(host)
    load = Load(host, options.viewing)
    climb = {"steps": climb_steps, "ramp": climb_ramp, "burst": climb_burst}[options.shape]
    try:
        if options.viewing:
            load.bring(VIEWED)
        measured, rows = climb(load, options)
    finally:
        load.quit()
    result = {
        "label": options.label,
        "command": shlex.join(
            ["python", "-m", "benchmarks.load", *(sys.argv[1:] if argv is None else argv)]
        ),
        "host": host,
        "note": options.note,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{psutil.cpu_count()} cores, {platform.machine()}",
        "site": facts,
    } | measured
    # The guide compares all that is in docs/load.
    usual = ROOT / "docs" / "load" / ("" if options.shape == "steps" else options.shape)
    output = options.output or usual
    write(output, options.label, result, rows)
    if options.shape == "ramp":
        ramp.plot(result, output / f"{options.label}.svg")
    elif options.shape == "steps":
        plot([result], output / f"{options.label}.svg")
    for error, count in load.errors.most_common(10):
        print(f"  {count} x {error}")
    print(f"{output}/{options.label}.json and the like")
    return 0


if __name__ == "__main__":
    sys.exit(main())
