"""What the kernel counts of a host, by the number of its first process. Files only: cheap."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Counted:
    """Since the host started: seconds of processors, bytes received and sent. ``memory`` are the
    bytes that it cannot give back now."""

    cpu: float
    received: int
    sent: int
    memory: int


def read(pid: int) -> Counted | None:
    """None when there is no such host (any more), or the kernel does not tell."""
    try:
        groups = _groups(pid)
        received, sent = _network(pid)
        return Counted(_cpu(groups), received, sent, _memory(groups))
    except (OSError, KeyError, ValueError):
        return None


def age(pid: int) -> float | None:
    """Seconds since the process started."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        up = float((PROC / "uptime").read_text().split()[0])
    except OSError:
        return None
    return up - int(fields[19]) / TICKS


def _groups(pid: int) -> dict[str, Path]:
    """Directories of the host's control group, by controller; "" in the unified hierarchy."""
    found = {}
    for line in (PROC / str(pid) / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        path = path.removesuffix("/init.scope").lstrip("/")
        if not names:
            found[""] = CGROUPS / path
        elif "=" not in names:
            for name in names.split(","):
                directory = CGROUPS / name
                found[name] = (directory if directory.exists() else CGROUPS / names) / path
    return found


def _cpu(groups: dict[str, Path]) -> float:
    if "cpuacct" in groups:
        return int((groups["cpuacct"] / "cpuacct.usage").read_text()) / 1e9
    return _fields(groups[""] / "cpu.stat")["usage_usec"] / 1e6


def _memory(groups: dict[str, Path]) -> int:
    if "memory" in groups:
        used = int((groups["memory"] / "memory.usage_in_bytes").read_text())
        return used - _fields(groups["memory"] / "memory.stat").get("total_inactive_file", 0)
    used = int((groups[""] / "memory.current").read_text())
    return used - _fields(groups[""] / "memory.stat").get("inactive_file", 0)


def _network(pid: int) -> tuple[int, int]:
    """Of all interfaces but the loopback."""
    received = sent = 0
    for line in (PROC / str(pid) / "net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() != "lo":
            fields = numbers.split()
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent


def _fields(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: int(value) for name, value in pairs}


@dataclass
class Growth:
    """How much counters grew between two looks at them."""

    seen: dict[object, tuple[float, dict[str, float]]] = field(default_factory=dict)

    def take(self, key: object, counters: dict[str, float], born: float | None = None,
             now: float | None = None) -> tuple[float, dict[str, float]] | None:  # fmt: skip
        """Seconds since the last look and what was added meanwhile.

        Without a last look what began less than a minute ago (``born`` seconds) is told of from
        its beginning, and of the rest nothing is known.
        """
        now = time.monotonic() if now is None else now
        before = self.seen.get(key)
        self.seen[key] = now, dict(counters)
        if before is None:
            if born is None or not 0 < born < 61:
                return None
            before = now - born, {}
        seconds = now - before[0]
        added = {name: value - before[1].get(name, 0) for name, value in counters.items()}
        if seconds <= 0 or any(value < 0 for value in added.values()):
            return None
        return seconds, added

    def keep(self, keys) -> None:
        """Forget all others: they are gone."""
        self.seen = {key: seen for key, seen in self.seen.items() if key in keys}
