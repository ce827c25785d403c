"""The image of execution environments: Debian's Python 3.13, and AWS's runtime client over it.

AWS's own image has Amazon Linux 2023 instead. What is in ``/var/runtime`` there (awslambdaric,
boto3) is installed from a list that is pinned with hashes.
"""

import fcntl
import hashlib
import logging
import shutil
import sys
from pathlib import Path

from localcloud import shell

log = logging.getLogger("localcloud.functions")

REQUIREMENTS = Path(__file__).parent / "host/requirements.txt"
VERSION = "3.13"
# Bump when this module builds something else from the same list.
RECIPE = "1"
USER, GROUP = 993, 990  # sbx_user1051 on AWS


def layer(cache: Path) -> Path:
    """The layer's directory, built now if the cache lacks it (10 s)."""
    digest = hashlib.sha256(RECIPE.encode() + REQUIREMENTS.read_bytes()).hexdigest()[:16]
    directory = cache / "images" / f"function-{digest}"
    if directory.exists():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "function.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            _build(directory)
    return directory


def _build(directory: Path) -> None:
    log.info("Building the image of functions (once, about 10 s)")
    part = directory.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    for name in ("var/runtime", "var/task", "opt", "run/function"):
        (part / name).mkdir(parents=True)
    uv = Path(sys.executable).with_name("uv")
    shell.run(
        uv if uv.exists() else "uv", "pip", "install", "--quiet", "--no-cache",
        f"--target={part / 'var/runtime'}", f"--python-version={VERSION}",
        "--python-platform=x86_64-manylinux_2_28", "--only-binary=:all:", "--require-hashes",
        f"--requirement={REQUIREMENTS}", timeout=300,
    )  # fmt: skip
    # environments cannot write it: what Python would compile at every cold start is compiled here
    shell.run(sys.executable, "-m", "compileall", "-q", "-x", "botocore/data",
              part / "var/runtime", timeout=300, check=False)  # fmt: skip
    part.rename(directory)
