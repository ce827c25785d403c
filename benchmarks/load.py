"""How many users a site carries: visitors who browse, look and sometimes upload, more at each step.

    python -m benchmarks.load --label stage1                          # the local cloud's site
    python -m benchmarks.load --host https://mustache.example.com --i-own-this-site
    python -m benchmarks.load_plot docs/load/stage*.json              # compare what was measured

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
import platform
import random
import re
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

from benchmarks.capacity import P95_SECONDS, TITLE, Step, carried, check_host, find_capacity, row
from benchmarks.load_plot import plot
from tests.localhost import resolve_localhost

ROOT = Path(__file__).parents[1]
CONNECTIONS = 6
UPLOAD_SIDE = 1024
# Seconds of thought between two pages.
THOUGHT = (2, 6)


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
        found = re.findall(r'(?:src|href)="(/(?:media|static|styles)/[^"]+)"', html)
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
            headers = {"If-None-Match": self.kept[path]}
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


class Load:
    """Users on the site, so many at a time."""

    def __init__(self, host: str):
        Visitor.host = host
        self.environment = Environment(user_classes=[Visitor], host=host, stop_timeout=20)
        self.runner = self.environment.create_local_runner()
        self.process = psutil.Process()
        self.errors: Counter[str] = Counter()

    def step(self, users: int, seconds: float) -> Step:
        """Bring the number of users to this, let it settle, measure."""
        settle = max(5.0, THOUGHT[1])
        self.runner.start(users, spawn_rate=max(1.0, users / settle))
        gevent.sleep(2 * settle)
        self.environment.stats.reset_all()
        self.process.cpu_percent()
        start = time.monotonic()
        gevent.sleep(seconds)
        took = time.monotonic() - start
        total = self.environment.stats.total
        entries = self.environment.stats.entries
        for error in self.environment.stats.errors.values():
            self.errors[f"{error.name}: {error.error}"] += error.occurrences
        return Step(
            users=users,
            requests=total.num_requests,
            requests_per_second=round(total.num_requests / took, 1),
            p50=total.get_response_time_percentile(0.50),
            p95=total.get_response_time_percentile(0.95),
            p99=total.get_response_time_percentile(0.99),
            failed=total.num_failures,
            uploads=sum(
                entry.num_requests for (name, _), entry in entries.items() if name == "upload"
            ),
            client_cpu_percent=self.process.cpu_percent(),
        )

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


def write(directory: Path, label: str, result: dict, steps: list[Step]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{label}.json").write_text(json.dumps(result, indent=2) + "\n")
    with (directory / f"{label}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, asdict(steps[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(step) for step in steps)
    plot([result], directory / f"{label}.svg")


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
    add("--first", type=int, default=10, metavar="USERS", help="to begin with (%(default)s)")
    add("--most", type=int, default=1000, metavar="USERS", help="at most (%(default)s)")
    add("--seconds", type=float, default=30, help="measured at each step (%(default)s)")
    add("--output", type=Path, default=ROOT / "docs" / "load", metavar="DIR", help="(docs/load)")
    add("--i-own-this-site", action="store_true", help="for a site that is not on this machine")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    resolve_localhost()
    # geventhttpclient asks gevent itself.
    gevent.socket.getaddrinfo = socket.getaddrinfo
    try:
        check_host(options.host, options.i_own_this_site)
        host, facts = find_site(options.host.rstrip("/"))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{host}: a step takes {options.seconds + 2 * THOUGHT[1]:.0f} s\n{TITLE}")
    load = Load(host)

    def measure(users: int) -> Step:
        step = load.step(users, options.seconds)
        print(row(step), flush=True)
        return step

    try:
        steps = find_capacity(measure, options.first, options.most)
    finally:
        load.quit()
    result = {
        "label": options.label,
        "host": host,
        "note": options.note,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{psutil.cpu_count()} cores, {platform.machine()}",
        "site": facts,
        "carried": carried(steps),
        "steps": [asdict(step) for step in sorted(steps, key=lambda step: step.users)],
    }
    write(options.output, options.label, result, steps)
    print(f"{result['carried']} users carried at p95 under {P95_SECONDS:.0f} s")
    if max(step.client_cpu_percent for step in steps) > 90:
        print("The load generator itself was busy: the site may carry more.")
    for error, count in load.errors.most_common(10):
        print(f"  {count} x {error}")
    print(f"{options.output}/{options.label}.json, .csv, .svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
