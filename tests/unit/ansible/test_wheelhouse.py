"""What is built for the hosts, with a pip that has no network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "roles/web/files/build-wheelhouse"
PIP = '''
"""Takes its time, notes that it was asked, and brings what pip would."""
import os, pathlib, sys, time, zipfile
options = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
with open(os.environ["ASKED"], "a") as file:
    print(sys.argv[1], file=file)
time.sleep(0.5)
folder = pathlib.Path(options.get("--dest") or options["--wheel-dir"])
folder.mkdir(exist_ok=True)
with zipfile.ZipFile(folder / "uv-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("uv-1.data/scripts/uv", "uv")
'''


@pytest.fixture
def build(tmp_path):
    """Start the program on a small app; return the process."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/__init__.py").touch()
    (tmp_path / "pip/__main__.py").write_text(PIP)
    app = tmp_path / "app"
    (app / "mustache").mkdir(parents=True)
    (app / "service").mkdir()
    (app / "pyproject.toml").touch()
    (app / "requirements.txt").touch()
    (app / "mustache/__init__.py").write_text('__version__ = "1.2.3"\n')
    shutil.copy(ROOT / "requirements.txt", tmp_path / "lock.txt")

    def build(*options):
        return subprocess.Popen(
            [sys.executable, PROGRAM, f"--app={app}", f"--lock={tmp_path}/lock.txt",
             f"--wheelhouse={tmp_path}/wheelhouse", *options],
            env={"PYTHONPATH": str(tmp_path), "ASKED": str(tmp_path / "asked")},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return build


def answers(*processes):
    said = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return [json.loads(output) for output, _ in said]


def test_two_runs_at_once_build_it_once(build, tmp_path):
    one, other = answers(build(), build())

    assert sorted([one["changed"], other["changed"]]) == [False, True]
    assert (tmp_path / "asked").read_text().split() == ["download", "download", "wheel"]
    assert one["name"] == other["name"]
    assert (tmp_path / "wheelhouse" / one["name"] / "dependencies").exists()


def test_an_earlier_release_is_found_and_a_dry_run_builds_nothing(build, tmp_path):
    (announced,) = answers(build("--dry-run"))
    assert announced["changed"]
    assert not (tmp_path / "wheelhouse").exists()
    (made,) = answers(build())
    name = made["name"]

    (found,) = answers(build("--release=1.2.3"))
    assert found["name"] == name
    _, refused = build("--release=2.0.0").communicate(timeout=60)
    assert f"No release 2.0.0 in {tmp_path}/wheelhouse; there are: {name}" in refused
