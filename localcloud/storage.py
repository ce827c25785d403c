"""Block storage: every EBS volume is a sparse file on a loop device with a real size.

A host's root is an overlay of its image (read-only, shared) and the file system on its root
volume, so the volume alone holds what the host wrote, fills up when it is full, and outlives the
container. The file system is XFS, because it grows while mounted without CAP_SYS_RESOURCE.
"""

import json
import logging
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from localcloud import shell

log = logging.getLogger("localcloud.storage")

GIB = 1 << 30


class Storage:
    """Volumes, snapshots and mounted roots of one local cloud under ``directory``."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.volumes = directory / "volumes"
        self.snapshots = directory / "snapshots"
        self.hosts = directory / "hosts"

    # volumes

    def image(self, volume_id: str) -> Path:
        return self.volumes / f"{volume_id}.img"

    def create(self, volume_id: str, size: int, snapshot_id: str | None = None) -> None:
        """Make a volume of ``size`` GiB, empty or from a snapshot."""
        self.volumes.mkdir(parents=True, exist_ok=True)
        image = self.image(volume_id)
        snapshot = self.snapshots / f"{snapshot_id}.img"
        if snapshot_id and snapshot.exists():
            _copy(snapshot, image)
        else:
            image.touch()
        os.truncate(image, max(size * GIB, image.stat().st_size))

    def grow(self, volume_id: str, size: int) -> None:
        """Enlarge the volume to ``size`` GiB, attached or not."""
        os.truncate(self.image(volume_id), size * GIB)
        device = self.device(volume_id)
        if device:
            shell.run("losetup", "--set-capacity", device)

    def delete(self, volume_id: str) -> None:
        self.detach(volume_id)
        self.image(volume_id).unlink(missing_ok=True)

    def snapshot(self, volume_id: str, snapshot_id: str, frozen: bool = False) -> None:
        """Copy the volume as it is now; a mounted file system is flushed first unless the caller
        holds it ``frozen``."""
        self.snapshots.mkdir(parents=True, exist_ok=True)
        if not frozen:
            os.sync()
        _copy(self.image(volume_id), self.snapshots / f"{snapshot_id}.img")

    @contextmanager
    def snapshot_mounted(self, snapshot_id: str):
        """Where the file system of a snapshot can be read meanwhile."""
        file = self.snapshots / f"{snapshot_id}.img"
        self.hosts.mkdir(parents=True, exist_ok=True)
        point = Path(tempfile.mkdtemp(prefix="snapshot-", dir=self.hosts))
        try:
            # it was taken of a file system at rest: there is no log to replay
            shell.run("mount", "-o", "loop,ro,nouuid,norecovery", file, point)
            yield point
        finally:
            shell.run("umount", point, check=False)
            point.rmdir()

    def clone(self, volume_id: str, new_id: str) -> None:
        """Make a volume that is a copy of another one; hold writes to that one meanwhile."""
        _copy(self.image(volume_id), self.image(new_id))

    def copy_snapshot(self, snapshot_id: str, new_id: str) -> None:
        _copy(self.snapshots / f"{snapshot_id}.img", self.snapshots / f"{new_id}.img")

    def delete_snapshot(self, snapshot_id: str) -> None:
        (self.snapshots / f"{snapshot_id}.img").unlink(missing_ok=True)

    def attach(self, volume_id: str) -> str:
        """Return the volume's block device, set up if it was not."""
        return self.device(volume_id) or shell.run(
            "losetup", "--find", "--show", self.image(volume_id)
        )

    def device(self, volume_id: str) -> str | None:
        listed = shell.run("losetup", "--list", "--noheadings", "--output=NAME",
                           "--associated", self.image(volume_id))  # fmt: skip
        return listed.split()[0] if listed else None

    def detach(self, volume_id: str) -> None:
        device = self.device(volume_id)
        if device:
            shell.run("losetup", "--detach", device)

    def loop_devices(self) -> dict[str, str]:
        """Block devices of this cloud's volumes: device to file."""
        listed = json.loads(shell.run("losetup", "--list", "--json") or '{"loopdevices": []}')
        return {
            entry["name"]: entry["back-file"]
            for entry in listed["loopdevices"]
            if entry["back-file"].startswith(f"{self.volumes}/")
        }

    # roots

    def root(self, host_id: str) -> Path:
        return self.hosts / host_id / "root"

    def upper(self, host_id: str) -> Path:
        """What the host wrote over its image."""
        return self.hosts / host_id / "volume" / "upper"

    def mount_root(self, host_id: str, volume_id: str, layers: list[Path]) -> Path:
        """Mount the root volume over the image's layers (topmost first); return the root."""
        root, volume = self.root(host_id), self.hosts / host_id / "volume"
        device = self.attach(volume_id)
        if os.path.ismount(volume) and volume.stat().st_dev != Path(device).stat().st_rdev:
            log.warning("%s: another volume is mounted there yet", volume)
            self.unmount_root(host_id, None)
        if not os.path.ismount(volume):
            root.mkdir(parents=True, exist_ok=True)
            volume.mkdir(parents=True, exist_ok=True)
            if not shell.run("blkid", "--probe", device, check=False):
                shell.run("mkfs.xfs", "-q", device)
            # a volume made from a snapshot may be mounted beside the one it is a copy of
            shell.run("mount", "-o", "nouuid", device, volume)
            shell.run("xfs_growfs", volume)
        upper = self.upper(host_id)
        if not os.path.ismount(root):
            work = volume / "work"
            upper.mkdir(exist_ok=True)
            work.mkdir(exist_ok=True)
            lower = ":".join(str(layer) for layer in layers)
            shell.run("mount", "-t", "overlay", f"host-{host_id}", "-o",
                      f"lowerdir={lower},upperdir={upper},workdir={work}", root)  # fmt: skip
        return root

    def resize_root(self, host_id: str) -> None:
        """Let the mounted root use the whole of its enlarged volume."""
        if os.path.ismount(self.hosts / host_id / "volume"):
            shell.run("xfs_growfs", self.hosts / host_id / "volume")

    def unmount_root(self, host_id: str, volume_id: str | None) -> None:
        for directory in (self.root(host_id), self.hosts / host_id / "volume"):
            if os.path.ismount(directory):
                shell.run("umount", directory)
        if volume_id:
            self.detach(volume_id)
        # never what is mounted there: somebody may have done so in this very moment
        shell.run("rm", "--recursive", "--force", "--one-file-system", self.hosts / host_id,
                  check=False)  # fmt: skip

    def mounted_hosts(self, prefix: str) -> set[str]:
        """Ids, beginning with ``prefix``, of hosts that have a root here."""
        if not self.hosts.exists():
            return set()
        return {path.name for path in self.hosts.iterdir() if path.name.startswith(prefix)}

    def volume_ids(self, prefix: str) -> set[str]:
        return {path.stem for path in self.volumes.glob(f"{prefix}*.img")}

    def snapshot_ids(self, prefix: str) -> set[str]:
        return {path.stem for path in self.snapshots.glob(f"{prefix}*.img")}

    def clean(self) -> None:
        """Delete copies that a process which was killed did not finish."""
        for directory in (self.volumes, self.snapshots):
            for part in directory.glob("*.part"):
                part.unlink()

    def destroy(self) -> None:
        """Unmount and delete everything."""
        for point in sorted(self.mounts(), reverse=True):
            shell.run("umount", "--lazy", point, check=False)
        for device in self.loop_devices():
            shell.run("losetup", "--detach", device, check=False)
        for directory in (self.hosts, self.volumes, self.snapshots):
            shutil.rmtree(directory, ignore_errors=True)

    def mounts(self) -> list[str]:
        """Mount points of this cloud: of hosts, of the engine and of lxcfs."""
        lines = Path("/proc/mounts").read_text().splitlines()
        points = (_unescaped(line.split()[1]) for line in lines)
        return [point for point in points if point.startswith(f"{self.directory}/")]


def _unescaped(path: str) -> str:
    r"""A path of /proc/mounts as it is: a space is written as \040 there."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), path)


def _copy(source: Path, target: Path) -> None:
    """Copy a sparse file, sharing blocks where the file system can; never leave half a copy."""
    part = target.with_suffix(".part")
    shell.run("cp", "--sparse=always", "--reflink=auto", source, part, timeout=600)
    part.rename(target)
