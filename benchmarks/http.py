"""Uploads and views per second of the service on one core, with p50, p95 and p99 of the latency.

    .venv/bin/python benchmarks/http.py [--seconds 8] [--worker gthread] [--threads 8]

gunicorn runs with its own settings and one worker, pinned to one core; the clients are pinned to
another. On a busy machine the last two columns still hold: the processor time that the worker
spent on a request, and how many of them a core of its own would serve in a second. The database is
SQLite in a temporary directory, or what --database-url names.
"""

import sys

# Python puts a script's own directory first, where this file would be taken for the library http.
sys.path[:] = sys.path[1:]

import argparse
import io
import os
import re
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import urllib3
from PIL import Image

ROOT = Path(__file__).parents[1]
PORT = 8765
URL = f"http://127.0.0.1:{PORT}"


def picture(height: int) -> bytes:
    """Grace Hopper (US Navy, public domain), as high as asked."""
    path = Path(find_spec("matplotlib").origin).parent / "mpl-data/sample_data/grace_hopper.jpg"
    with Image.open(path) as image:
        out = io.BytesIO()
        width = round(image.width * height / image.height)
        image.resize((width, height), Image.Resampling.LANCZOS).save(out, "JPEG", quality=88)
        return out.getvalue()


def unique(jpeg: bytes, number: int) -> bytes:
    """The same picture in other bytes, by a comment: the service has never seen it."""
    comment = f"{os.getpid()}-{number}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + jpeg[2:]


class Site:
    def __init__(self, home: Path, core: int, worker: str, threads: int, database_url: str | None):
        self.environment = os.environ | {
            "PYTHONPATH": str(ROOT / "app"),
            "SECRET_KEY": "only for this benchmark " * 3,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SITE_URL": URL,
            "DATABASE_URL": database_url or f"sqlite:///{home / 'db.sqlite3'}",
            "STATIC_ROOT": str(home / "static"),
            "GUNICORN_BIND": f"127.0.0.1:{PORT}",
            "WEB_CONCURRENCY": "1",
            "UPLOAD_RATE": "0/60",
            "WORK_RATE": "0/60",
        }
        self.home = home
        pinned = ["taskset", "--cpu-list", str(core), sys.executable, "-m"]
        self.manage = [*pinned, "service"]
        self.gunicorn = [
            *pinned, "gunicorn", "-c", "python:service.gunicorn_config",
            "--worker-class", worker, "--threads", str(threads),
        ]  # fmt: skip

    def __enter__(self) -> "Site":
        for command in ("migrate --no-input", "createcachetable", "collectstatic --no-input"):
            subprocess.run(
                [*self.manage, *command.split(), "--verbosity=0"], env=self.environment, check=True
            )
        with (self.home / "log").open("w") as log:
            self.process = subprocess.Popen(self.gunicorn, env=self.environment, stderr=log)
        for _ in range(300):
            try:
                urllib3.request("GET", f"{URL}/healthz", retries=False)
                return self
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        raise SystemExit((self.home / "log").read_text())

    def __exit__(self, *exception) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def worker(self) -> Path:
        """The /proc directory of the one worker."""
        found = subprocess.run(
            ["pgrep", "--parent", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        return Path("/proc", found.stdout.split()[0])

    def memory(self) -> float:
        """Resident megabytes of the worker, at most so far."""
        return int(re.search(r"VmHWM:\s+(\d+)", (self.worker() / "status").read_text())[1]) / 1024

    def cpu_seconds(self) -> float:
        fields = (self.worker() / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    work: Callable[[urllib3.PoolManager], int], clients: int, seconds: float
) -> list[float]:
    """Latencies in milliseconds of `work` done by `clients` at once for `seconds`."""
    times: list[float] = []
    failed: list[int] = []
    end = time.monotonic() + seconds

    def client() -> None:
        http = urllib3.PoolManager(retries=False, timeout=60)
        while time.monotonic() < end:
            start = time.perf_counter()
            status = work(http)
            times.append((time.perf_counter() - start) * 1000)
            if status not in {200, 201}:
                failed.append(status)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"{len(failed)} of {len(times)} requests failed, with {set(failed)}")
    return times


def report(name: str, times: list[float], seconds: float, cpu: float) -> None:
    cuts = statistics.quantiles(times, n=100)
    columns = [name, f"{len(times) / seconds:.1f}", *(f"{cuts[n]:.0f}" for n in (49, 94, 98))]
    columns += [f"{1000 * cpu / len(times):.1f}", f"{len(times) / cpu:.1f}"]
    print(f"| {' | '.join(columns)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="for each line")
    parser.add_argument("--clients", type=int, default=4, help="requests at the same time")
    parser.add_argument("--worker", default="gthread", help="gunicorn's worker class")
    parser.add_argument("--threads", type=int, default=8, help="of the worker")
    parser.add_argument("--database-url", help="default: SQLite")
    parser.add_argument("--cores", default="0,1", help="of the service, of the clients")
    options = parser.parse_args()
    service_core, client_core = map(int, options.cores.split(","))
    os.sched_setaffinity(0, {client_core})
    numbers = count()
    pictures = {"12 MP": picture(3750), "1920 px": picture(1920)}

    def post(data: bytes) -> Callable[[urllib3.PoolManager], int]:
        fields = {"style": "handlebar"}
        return lambda http: http.request(
            "POST", f"{URL}/api/pictures",
            fields=fields | {"image": ("me.jpg", unique(data, next(numbers)))},
        ).status  # fmt: skip

    def get(path: str) -> Callable[[urllib3.PoolManager], int]:
        return lambda http: http.request("GET", URL + path).status

    with tempfile.TemporaryDirectory() as home, Site(
        Path(home), service_core, options.worker, options.threads, options.database_url
    ) as site:  # fmt: skip
        http = urllib3.PoolManager()
        same = ("me.jpg", pictures["1920 px"])
        made = [
            http.request(
                "POST", f"{URL}/api/pictures", fields={"style": "walrus", "image": same}
            ).json()
            for _ in range(30)
        ][-1]
        paths = {name: made[name].removeprefix(URL) for name in ("url", "mustached_url")}
        stylesheet = re.search(r'stylesheet" href="([^"]+)', http.request("GET", URL).data.decode())
        print(
            f"{options.worker}, {options.threads} threads, {options.clients} clients, "
            f"load {os.getloadavg()[0]:.1f}\n\n"
            "| request | per second | p50 ms | p95 ms | p99 ms | CPU ms each | per core-second |\n"
            "|---|---|---|---|---|---|---|"
        )
        cases = {
            "home page": get("/"),
            "gallery page, 24 pictures": get("/gallery"),
            "picture page": get(paths["url"]),
            f"result, {len(same[1]) // 1000} kB from the database": get(paths["mustached_url"]),
            "stylesheet": get(stylesheet[1]),
            "API: one picture": get(f"/api/pictures/{made['id']}"),
            "upload, same picture again": lambda http: (
                http.request(
                    "POST", f"{URL}/api/pictures", fields={"style": "walrus", "image": same}
                ).status
            ),
            "upload, new 1920 px": post(pictures["1920 px"]),
            "upload, new 12 MP": post(pictures["12 MP"]),
        }
        for name, work in cases.items():
            # One picture is worked on, and one more may wait.
            clients = min(options.clients, 2) if name.startswith("upload") else options.clients
            measure(work, clients, 0.5)  # warm
            start, cpu = time.monotonic(), site.cpu_seconds()
            times = measure(work, clients, options.seconds)
            report(name, times, time.monotonic() - start, site.cpu_seconds() - cpu)
        print(f"\nMemory of the worker: {site.memory():.0f} MB at most")


if __name__ == "__main__":
    main()
