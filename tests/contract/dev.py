"""Hold `make dev` to the contract, on a database and a port of its own.

python -m tests.contract.dev [OPTIONS OF PYTEST]
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

CONTRACT = Path(__file__).parent
ROOT = CONTRACT.parents[1]


@contextmanager
def make_dev() -> Iterator[str]:
    """Its address, while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    with tempfile.TemporaryDirectory() as home:
        own = {"PORT": str(port), "DATABASE_URL": f"sqlite:///{home}/db.sqlite3"}
        process = subprocess.Popen(
            ["make", "dev"], cwd=ROOT, env=os.environ | own, start_new_session=True
        )
        try:
            wait_for(url, process)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit("`make dev` ended")
        try:
            requests.get(f"{url}/healthz", timeout=5).raise_for_status()
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    sys.exit("`make dev` does not answer")


def main() -> int:
    with make_dev() as url:
        suite = [sys.executable, "-m", "pytest", CONTRACT, "--base-url", url, *sys.argv[1:]]
        return subprocess.run(suite, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
