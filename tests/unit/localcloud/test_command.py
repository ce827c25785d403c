"""`python -m localcloud` among other programs of a shell."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_who_reads_one_line_gets_it_and_no_traceback():
    command = f"set -o pipefail; {sys.executable} -m localcloud operations | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)

    assert (len(done.stdout), done.stderr, done.returncode) == (1, "", 141)
