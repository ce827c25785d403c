"""The control groups of a container, by a process in it: cgroup v2 or v1, as the machine has them.

The engine's commands take a tenth of a second each; what happens at every call of a function, as
freezing it, is a write to a file here.
"""

import time
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
PERIOD = 100_000  # microseconds


class ControlGroups:
    """Of the process ``pid``."""

    def __init__(self, pid: int):
        self._paths = _paths(pid)

    def freeze(self, seconds: float = 2) -> None:
        """Stop every process; return when all stand still."""
        self._set(True)
        give_up = time.monotonic() + seconds
        while not self._frozen() and time.monotonic() < give_up:
            time.sleep(0.001)

    def thaw(self) -> None:
        self._set(False)

    def limit_cpus(self, cpus: float) -> None:
        """Let them have so many cores at most."""
        quota = max(1000, int(cpus * PERIOD))
        with suppress(OSError):
            if "" in self._paths:
                (self._paths[""] / "cpu.max").write_text(f"{quota} {PERIOD}")
            else:
                (self._paths["cpu"] / "cpu.cfs_quota_us").write_text(str(quota))

    def memory(self) -> int:
        """Bytes that the processes have for themselves, without what is cached of files."""
        name, word = ("", "anon") if "" in self._paths else ("memory", "total_rss")
        with suppress(OSError, KeyError):
            for line in (self._paths[name] / "memory.stat").read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == word:
                    return int(value)
        return 0

    def memory_files(self) -> list[Path]:
        """What a process writes its id to, to share their memory."""
        return [self._paths["" if "" in self._paths else "memory"] / "cgroup.procs"]

    def _set(self, frozen: bool) -> None:
        if "" in self._paths:
            (self._paths[""] / "cgroup.freeze").write_text(str(int(frozen)))
        else:
            (self._paths["freezer"] / "freezer.state").write_text(
                "FROZEN" if frozen else "THAWED"
            )  # fmt: skip

    def _frozen(self) -> bool:
        with suppress(OSError):
            if "" in self._paths:
                return "frozen 1" in (self._paths[""] / "cgroup.events").read_text()
            return (self._paths["freezer"] / "freezer.state").read_text().strip() == "FROZEN"
        return True  # gone


def _paths(pid: int) -> dict[str, Path]:
    """Directories by controller; with cgroup v2 alone one, called ''."""
    found = {}
    for line in (PROC / str(pid) / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in filter(None, names.split(",")):
            place = ROOT / name / path.lstrip("/")
            if not place.exists():
                place = ROOT / names / path.lstrip("/")
            if not name.startswith("name="):
                found[name] = place
        if not names and (ROOT / path.lstrip("/") / "cgroup.procs").exists():
            found[""] = ROOT / path.lstrip("/")
    return found
