"""`python -m localcloud` among other programs of a shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import __main__ as command

ROOT = Path(__file__).parents[3]


def test_who_reads_one_line_gets_it_and_no_traceback():
    line = f"set -o pipefail; {sys.executable} -m localcloud operations | head -c 1"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)

    assert (len(done.stdout), done.stderr, done.returncode) == (1, "", 141)


def test_a_connection_that_broke_is_not_taken_for_a_reader_who_left(monkeypatch):
    def broken(settings, options):
        raise BrokenPipeError("a socket")

    monkeypatch.setattr(command, "operations", broken)
    monkeypatch.setenv("PATH", os.environ["PATH"])  # main adds to it
    with pytest.raises(BrokenPipeError, match="a socket"):
        command.main(["operations"])
