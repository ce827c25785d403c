"""What befalls an environment in the middle of a request, on processes of this machine."""

import signal
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace as Object

import pytest

from localcloud import shell
from localcloud.services.functions import mishaps


@pytest.fixture
def worker():
    """An environment that works on a request, as far as its process goes."""
    process = subprocess.Popen(["sleep", "60"])
    yield Object(pid=process.pid, process=process, working=True, befallen=False,
                 memory_groups=list)  # fmt: skip
    process.kill()
    process.wait()


def state(environment) -> str:
    return Path(f"/proc/{environment.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_crash_ends_the_process(worker):
    idle = Object(working=False)
    assert mishaps.befall("crash", lambda: [idle, worker]) is worker
    assert worker.process.wait(5) == -signal.SIGKILL


def test_what_hangs_is_there_and_does_nothing(worker):
    mishaps.befall("hang", lambda: [worker])
    deadline = time.monotonic() + 5
    while state(worker) != "T" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert state(worker) == "T"


def test_nobody_is_hit_twice(worker):
    mishaps.befall("hang", lambda: [worker])
    with pytest.raises(mishaps.NobodyAsksError):
        mishaps.befall("hang", lambda: [worker], patience=0.05)


def test_what_cannot_be_filled_goes_on(worker):
    worker.memory_groups = lambda: [Path("/nowhere/cgroup.procs")]
    with pytest.raises(shell.CommandError, match="nowhere"):
        mishaps.befall("exhaust", lambda: [worker])
    assert state(worker) in "SR"


def test_the_eater_may_end_with_whom_it_was_for(worker, monkeypatch):
    def run(*command, **options):
        worker.process.kill()
        worker.process.wait()
        raise shell.CommandError("killed")

    monkeypatch.setattr(mishaps.shell, "run", run)
    mishaps.befall("exhaust", lambda: [worker])


def test_it_waits_for_a_request(worker):
    worker.working = False
    threading.Timer(0.1, lambda: setattr(worker, "working", True)).start()
    assert mishaps.befall("crash", lambda: [worker], patience=5) is worker


def test_without_a_request_nothing_happens(worker):
    worker.working = False
    with pytest.raises(mishaps.NobodyAsksError):
        mishaps.befall("crash", lambda: [worker], patience=0.05)
    assert worker.process.poll() is None
