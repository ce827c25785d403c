"""How long the playbooks take, beside the bare floor of the same AWS calls.

    python -m benchmarks.provision [--stage 1 2 3] [--no-floor] [--json FILE]

For each stage, on local clouds of its own: the stage from nothing to serving with caches warm
(image, Debian packages' lists excepted, wheels), and again with nothing to do. Every AWS call that
these two runs made is noted and made once more on a fresh cloud, with boto3 in one process: the
floor. Module calls are those of Ansible's modules on this machine and, over SSH, on the hosts; each
costs about a second, so their number decides. Seconds of wall time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.replay import read, replay

ROOT = Path(__file__).resolve().parents[1]
PORTS = {"LOCALCLOUD_PORT": 5960, "LOCALCLOUD_HTTP_PORT": 8960, "LOCALCLOUD_HTTPS_PORT": 8961}
CLIENT = {
    "endpoint_url": f"http://127.0.0.1:{PORTS['LOCALCLOUD_PORT']}",
    "region_name": "us-east-1",
    "aws_access_key_id": "localcloud",
    "aws_secret_access_key": "localcloud",
}
# What Ansible does by itself, without a module.
NO_MODULES = {
    "add_host", "assert", "debug", "fail", "group_by", "include_role", "include_tasks",
    "include_vars", "meta", "pause", "set_fact", "validate_argument_spec",
}  # fmt: skip


@dataclass
class Run:
    """One run of a stage's playbook, and its floor."""

    stage: int
    name: str
    seconds: float
    calls_here: int
    calls_on_hosts: int
    changes: int
    aws_calls: int
    # None where nobody measured it.
    floor_seconds: float | None = None


def localcloud(environment, *words):
    """What the command prints."""
    command = [sys.executable, "-m", "localcloud", *words]
    options = {"cwd": ROOT, "check": True, "timeout": 300, "text": True}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, **options).stdout


@contextmanager
def cloud(ports=PORTS, cidr="10.159.0.0/16"):
    """A fresh local cloud: the environment to reach it."""
    with tempfile.TemporaryDirectory(prefix="provision-benchmark-") as state:
        environment = (
            os.environ
            | {name: str(port) for name, port in ports.items()}
            | {
                "LOCALCLOUD_STATE": state,
                "MUSTACHE_ENVIRONMENT": "benchmark",
                "MUSTACHE_CIDR": cidr,
                "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
            }
        )

        localcloud(environment, "up")
        try:
            yield environment
        finally:
            localcloud(environment, "down", "--destroy-data")


def play(stage, name, environment, notes):
    """Run the stage's playbook; note its AWS calls in the file ``notes``."""
    recorder = {
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "RECORDED_CALLS": str(notes),
        "PYTHONPATH": str(ROOT / "benchmarks" / "recorder"),
    }
    started = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", f"playbooks/stage{stage}.yml"],
        cwd=ROOT, env=environment | recorder, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stdout[-4000:] + done.stderr[-1000:])
    # A pause says so before the report comes.
    report = json.loads(done.stdout[done.stdout.index("{") :])
    here, on_hosts = module_calls(report)
    changes = sum(host["changed"] for host in report["stats"].values())
    return Run(stage, name, round(seconds, 1), here, on_hosts, changes, len(read(notes)))


def module_calls(report):
    """How many there were on this machine, and on the hosts."""
    here = on_hosts = 0
    for task in (task for play in report["plays"] for task in play["tasks"]):
        for host, result in task["hosts"].items():
            if result["action"].rpartition(".")[2] in NO_MODULES:
                continue
            ran = [each for each in result.get("results", [result]) if not each.get("skipped")]
            calls = sum(each.get("attempts", 1) for each in ran)
            if host == "localhost":
                here += calls
            else:
                on_hosts += calls
    return here, on_hosts


def measure(stage, directory, with_floor):
    """The two runs of a stage, and their floor if that is wanted."""
    runs = []
    with cloud() as environment:
        for name in ("from nothing", "again"):
            notes = directory / f"{stage} {name}"
            runs.append(play(stage, name, environment, notes))
    if not with_floor:
        return runs
    with cloud():
        names = {}
        for run in runs:
            calls = read(directory / f"{stage} {run.name}")
            run.floor_seconds = round(replay(calls, names, **CLIENT), 1)
    return runs


def row(run):
    return (
        f"{run.stage:5} {run.name:13}{run.seconds:8.1f}{run.calls_here:8}{run.calls_on_hosts:9}"
        f"{run.changes:9}{run.aws_calls:11}{floor(run)}"
    )


def floor(run):
    """Its seconds, and how many times as long Ansible took."""
    if run.floor_seconds is None:
        return f"{'-':>9}{'-':>7}"
    return f"{run.floor_seconds:9.1f}{run.seconds / max(run.floor_seconds, 0.1):7.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--stage", type=int, nargs="+", default=[1], metavar="N", help="which stages (default: 1)"
    )
    parser.add_argument(
        "--no-floor", action="store_true", help="leave out what boto3 alone takes for the same"
    )
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="provision-benchmark-") as directory:
        place, with_floor = Path(directory), not options.no_floor
        runs = [run for stage in options.stage for run in measure(stage, place, with_floor)]
    print(f"{'':19}{'':8}{'module calls':>17}{'':9}{'AWS calls':>11}{'':9}{'times':>7}")
    print(
        f"{'stage':5} {'':13}{'seconds':>8}{'here':>8}{'on hosts':>9}{'changes':>9}{'':11}"
        f"{'floor s':>9}{'floor':>7}"
    )
    for run in runs:
        print(row(run))
    load = os.getloadavg()[0]
    print(f"load {load:.1f}")
    if options.json:
        facts = {"load_average": load, "runs": [asdict(run) for run in runs]}
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
