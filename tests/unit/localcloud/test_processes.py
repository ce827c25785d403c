"""Processes are found by what they were called with, and end."""

import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import processes

PROGRAM = Path(sys.executable).name
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "


@pytest.mark.parametrize("program", ["", STUBBORN])
def test_a_process_is_found_and_ends(tmp_path, program):
    command = [sys.executable, "-c", program + "print('ready', flush=True); input()", tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        assert processes.named((PROGRAM,), str(tmp_path)) == {running.pid: PROGRAM}
        assert processes.named(("conmon",), str(tmp_path)) == {}
        processes.end([running.pid], seconds=0.5)
        assert not processes.alive(running.pid)
