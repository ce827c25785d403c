"""An environment's own disk: /tmp of the size asked for, and the mounts that make its root."""

import os
import shutil
from pathlib import Path

from localcloud import shell

OWN = 96  # MiB that the file system takes for itself


class Scratch:
    """A sparse file with a file system below ``directory``; it goes with the environment."""

    def __init__(self, directory: Path):
        self.directory = directory

    def mount(self, size: int, layers: list[Path]) -> Path:
        """Make a disk of ``size`` MiB and a root of ``layers`` (topmost first); return the root."""
        image, disk = self.directory / "disk.img", self.directory / "disk"
        root = self.directory / "root"
        for path in (disk, root):
            path.mkdir(parents=True, exist_ok=True)
        image.touch()
        os.truncate(image, (size + OWN) << 20)
        shell.run("mkfs.xfs", "-q", "-K", image)
        shell.run("mount", "-o", "loop,nouuid", image, disk)
        for name in ("upper", "work", "tmp"):
            (disk / name).mkdir()
        (disk / "tmp").chmod(0o1777)
        lower = ":".join(str(layer) for layer in layers)
        shell.run("mount", "-t", "overlay", "function", "-o",
                  f"lowerdir={lower},upperdir={disk / 'upper'},workdir={disk / 'work'}",
                  root)  # fmt: skip
        return root

    @property
    def tmp(self) -> Path:
        return self.directory / "disk/tmp"

    def remove(self) -> None:
        for path in (self.directory / "root", self.directory / "disk"):
            if os.path.ismount(path):
                shell.run("umount", "--lazy", path, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
