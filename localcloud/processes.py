"""Processes of a local cloud, found by what they were called with: no file has to name them."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def named(programs: Iterable[str], text: str) -> dict[int, str]:
    """Processes of these programs with ``text`` in their command line, by number."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
            program = Path(words[0]).name
            if program in programs and any(text in word for word in words):
                found[int(directory.name)] = program
    return found


def end(numbers: Iterable[int], seconds: float = 5) -> None:
    """Ask the processes to end, and make them."""
    left = set(numbers)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        give_up = time.monotonic() + seconds
        while left and time.monotonic() < give_up:
            left = {pid for pid in left if alive(pid)}
            time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
