"""Do pictures starve pages? Latencies of /healthz and /gallery while 50 visitors upload at once.

    .venv/bin/python benchmarks/starve.py [--uploads 50] [--seconds 15] [--most 0.3]
    .venv/bin/python benchmarks/starve.py --url https://mustache.example.com

Without --url it starts the service as a host does, with one worker per core. Each visitor sends a
picture of 12 megapixels that nobody has sent before, and another as soon as he has his answer; who
is told to come back (503) comes back after Retry-After. Ends with 1 when the 99th percentile of a
page is above --most seconds, or a page fails.
"""

import sys

# Python puts a script's own directory first, where http.py would be taken for the library.
sys.path[:] = sys.path[1:]

import argparse
import io
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import urllib3
from PIL import Image

ROOT = Path(__file__).parents[1]
PORT = 8766
PAGES = ("/healthz", "/gallery")


def picture() -> bytes:
    """Grace Hopper (US Navy, public domain), 12 megapixels."""
    path = Path(find_spec("matplotlib").origin).parent / "mpl-data/sample_data/grace_hopper.jpg"
    out = io.BytesIO()
    with Image.open(path) as image:
        image.resize((3200, 3750), Image.Resampling.LANCZOS).save(out, "JPEG", quality=88)
    return out.getvalue()


def unseen(jpeg: bytes, visitor: int, number: int) -> bytes:
    """The same picture in other bytes, by a comment."""
    comment = f"{os.getpid()}-{visitor}-{number}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + jpeg[2:]


@contextmanager
def service():
    """gunicorn with its own settings, on SQLite in a temporary directory."""
    with tempfile.TemporaryDirectory() as home:
        url = f"http://127.0.0.1:{PORT}"
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "app"),
            "SECRET_KEY": "only for this benchmark " * 3,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SITE_URL": url,
            "DATABASE_URL": f"sqlite:///{home}/db.sqlite3",
            "STATIC_ROOT": f"{home}/static",
            "GUNICORN_BIND": f"127.0.0.1:{PORT}",
            "LOG_LEVEL": "ERROR",
            "UPLOAD_RATE": "0/60",
            "WORK_RATE": "0/60",
        }
        for command in ("migrate --no-input", "createcachetable", "collectstatic --no-input"):
            subprocess.run(
                [sys.executable, "-m", "service", *command.split(), "--verbosity=0"],
                env=environment, check=True,
            )  # fmt: skip
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:service.gunicorn_config"]
        process = subprocess.Popen(gunicorn, env=environment)
        try:
            urllib3.request(
                "GET", f"{url}/healthz", retries=urllib3.Retry(connect=60, backoff_factor=0.1)
            )
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def upload(url: str, jpeg: bytes, visitor: int, end: float, answers: Counter) -> None:
    http = urllib3.PoolManager(retries=False, timeout=60)
    number = 0
    while time.monotonic() < end:
        number += 1
        fields = {"image": ("me.jpg", unseen(jpeg, visitor, number)), "style": "walrus"}
        try:
            answer = http.request(
                "POST", f"{url}/api/pictures", fields=fields | {"unlisted": "true"}
            )
        except urllib3.exceptions.HTTPError:  # cut off before the answer could be read
            answers["broken"] += 1
            time.sleep(1)
            continue
        answers[str(answer.status)] += 1
        if answer.status != 201:
            wait = int(answer.headers.get("Retry-After", 1))
            time.sleep(min(wait, max(0, end - time.monotonic())))


def look(url: str, path: str, end: float, seconds: list[float], failed: Counter) -> None:
    """As a balancer or a visitor: one request after the other, ten in a second at most."""
    http = urllib3.PoolManager(retries=False, timeout=60)
    while time.monotonic() < end:
        start = time.perf_counter()
        answer = http.request("GET", url + path)
        seconds.append(time.perf_counter() - start)
        if answer.status != 200:
            failed[f"{path} {answer.status}"] += 1
        time.sleep(max(0, 0.1 - seconds[-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="a running site; default: one of our own")
    parser.add_argument("--uploads", type=int, default=50, help="at once")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--most", type=float, default=0.3, help="for p99 of each page")
    options = parser.parse_args()
    jpeg = picture()
    answers, failed = Counter(), Counter()
    times: dict[str, list[float]] = {path: [] for path in PAGES}
    with contextmanager(lambda: (yield options.url))() if options.url else service() as url:
        for path in PAGES:  # warm
            urllib3.request("GET", url + path)
        end = time.monotonic() + options.seconds
        threads = [
            threading.Thread(target=upload, args=(url, jpeg, visitor, end, answers))
            for visitor in range(options.uploads)
        ] + [
            threading.Thread(target=look, args=(url, path, end, times[path], failed))
            for path in PAGES
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
    print(f"{options.uploads} uploads at once: {told}; load {os.getloadavg()[0]:.1f}\n")
    print("| page | requests | p50 s | p99 s | most s |\n|---|---|---|---|---|")
    slow = []
    for path, seconds in times.items():
        p50, p99 = (statistics.quantiles(seconds, n=100)[n] for n in (49, 98))
        print(f"| {path} | {len(seconds)} | {p50:.3f} | {p99:.3f} | {max(seconds):.3f} |")
        slow += [path] if p99 > options.most else []
    if slow or failed:
        print(f"\nOver {options.most} s: {slow}; failed: {dict(failed)}")
    return 1 if slow or failed else 0


if __name__ == "__main__":
    sys.exit(main())
