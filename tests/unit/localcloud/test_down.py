"""`down` never takes data away unasked, and finds the process whatever was removed under it."""

import json
import subprocess
import sys
from argparse import Namespace

import pytest

from localcloud import registry
from localcloud.__main__ import _process, down
from localcloud.machine import MachineError
from localcloud.settings import Settings


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ("volumes/vol-1.img", "1 volume"),
        ("snapshots/snap-1.img", "1 snapshot"),
        ("s3/object", "1 S3 object"),
    ],
)
def test_down_names_what_it_would_destroy(tmp_path, held, words):
    settings = Settings.from_environment({"LOCALCLOUD_STATE": str(tmp_path)})
    path = tmp_path / held
    path.parent.mkdir()
    path.write_bytes(b"a picture")

    with pytest.raises(MachineError, match=rf"destroy {words}.*\n.*--destroy-data"):
        down(settings, Namespace(destroy_data=False))

    assert path.read_bytes() == b"a picture"


@pytest.mark.parametrize("program", ["localcloud", "another"])
def test_the_process_is_known_without_its_state_directory(tmp_path, monkeypatch, program):
    settings = Settings.from_environment({"LOCALCLOUD_STATE": str(tmp_path / "removed")})
    monkeypatch.setattr(registry, "DIRECTORY", tmp_path)
    assert _process(settings) is None

    command = [sys.executable, "-c", "print(flush=True); input()", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.stdout.readline()  # it is what it was called as by now
        entry = {"state": str(settings.state), "pid": running.pid, "cidrs": []}
        (tmp_path / f"{settings.id}.json").write_text(json.dumps(entry))
        found = _process(settings)
        running.kill()

    assert found == (running.pid if program == "localcloud" else None)
