"""Molecule's scenarios, whole, on the tests' cloud; all at once, as they mostly wait."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What stages 1 to 3 do without is left to `make molecule`, so that this does not take longer.
ELSEWHERE = {"asg", "cache", "cdn", "functions", "monitoring", "storage"}
SCENARIOS = sorted(
    {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")} - ELSEWHERE
)

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def running(cloud, request, tmp_path_factory):
    """The scenarios that are asked for, by name: a process each, and the file of its output."""
    # The playbooks make the operators' key where it is missing: two at once would make two.
    keys = cloud.state / "ansible"
    keys.mkdir(exist_ok=True)
    for name, mode in (("key", 0o600), ("key.pub", 0o644)):
        copy = keys / name.replace("key", "id_ed25519")
        if not copy.exists():
            shutil.copy(cloud.directory / name, copy)
            copy.chmod(mode)
    wanted = {
        item.callspec.params["scenario"]
        for item in request.session.items
        if item.path == request.path
    }
    processes = {}
    for number, scenario in enumerate(SCENARIOS):
        if scenario not in wanted:
            continue
        output = tmp_path_factory.mktemp("molecule") / f"{scenario}.txt"
        with output.open("w") as file:
            process = subprocess.Popen(
                ["molecule", "test", "--scenario-name", scenario],
                cwd=ROOT,
                env=os.environ
                | cloud.environment
                | {
                    "MOLECULE_CIDR": f"10.{153 + number}.0.0/16",
                    "NO_COLOR": "1",
                    "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
                },
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        processes[scenario] = process, output
    yield processes
    for process, _ in processes.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(running, scenario):
    process, output = running[scenario]
    try:
        process.wait(timeout=900)
    finally:
        # All of it: what comes last is the scenario's end, whatever failed before.
        print(output.read_text())
    assert process.returncode == 0
