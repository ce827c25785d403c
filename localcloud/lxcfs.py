"""/proc as a machine of its own would show it: memory, CPUs, load and uptime within the limits.

Without it `free`, Ansible's facts and PostgreSQL's tuning on a host would see this whole machine.
"""

import os
import subprocess
import time
from pathlib import Path

from localcloud import processes, shell

FILES = ("cpuinfo", "diskstats", "loadavg", "meminfo", "stat", "swaps", "uptime")


class Lxcfs:
    """One lxcfs process for the hosts of a local cloud; it outlives the cloud's own process."""

    def __init__(self, state: Path):
        self.mount = state / "lxcfs"
        self.pid_file = state / "lxcfs.pid"

    def start(self) -> None:
        """Mount it, unless it is mounted."""
        if os.path.ismount(self.mount):
            return
        shell.run("umount", "--lazy", self.mount, check=False)  # of an lxcfs that died
        self.mount.mkdir(parents=True, exist_ok=True)
        subprocess.Popen(
            ["lxcfs", "--enable-cfs", "--enable-loadavg", f"--pidfile={self.pid_file}", self.mount],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        give_up = time.monotonic() + 5
        while not (self.mount / "proc" / "meminfo").exists():
            if time.monotonic() > give_up:
                raise RuntimeError(f"lxcfs does not mount {self.mount}")
            time.sleep(0.01)

    def mounts(self) -> dict[Path, str]:
        """Files to put into a container: path here to path there."""
        return {self.mount / "proc" / name: f"/proc/{name}:ro" for name in FILES}

    def processes(self) -> dict[int, str]:
        return processes.named(("lxcfs",), str(self.mount))

    def stop(self) -> None:
        """End it; it unmounts itself."""
        processes.end(self.processes())
