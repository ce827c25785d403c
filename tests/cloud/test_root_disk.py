"""roles/common/files/measure sees a disk that has grown, on a real block device."""

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

MEASURE = Path(__file__).resolve().parents[2] / "roles/common/files/measure"
GIB = 2**30
SECTORS = GIB // 512

pytestmark = pytest.mark.cloud


def run(*words) -> str:
    return subprocess.run(
        [str(word) for word in words], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


@pytest.fixture
def disk(tmp_path):
    """A disk of 1 GiB whose one partition is mounted: the loop device and the mount point."""
    file, mount = tmp_path / "disk", tmp_path / "mount"
    with file.open("wb") as image:
        image.truncate(GIB)
    mount.mkdir()
    device = Path(run("losetup", "--find", "--show", file))
    partition = Path(f"{device}p1")
    try:
        run("addpart", device, 1, 2048, SECTORS - 2048)
        if not partition.exists():  # in a container nobody makes it
            numbers = Path(f"/sys/class/block/{partition.name}/dev").read_text().strip()
            run("mknod", partition, "b", *numbers.split(":"))
        run("mkfs.ext4", "-q", partition)
        run("mount", partition, mount)
        yield device, mount
    finally:
        with suppress(subprocess.CalledProcessError):
            run("umount", mount)
        with suppress(subprocess.CalledProcessError):
            run("delpart", device, 1)
        run("losetup", "--detach", device)
        partition.unlink(missing_ok=True)


def test_a_disk_that_has_grown_can_give_its_file_system_more(disk, tmp_path):
    device, mount = disk

    def measured() -> tuple[int, bool]:
        found = json.loads(run("sh", MEASURE, mount))
        return found["disk_gib"], found["disk_growable"]

    assert measured() == (1, False)
    with (tmp_path / "disk").open("r+b") as image:
        image.truncate(3 * GIB)
    run("losetup", "--set-capacity", device)
    assert measured() == (3, True)
    run("resizepart", device, 1, 3 * SECTORS - 2048)
    assert measured() == (3, False)


def test_a_container_has_no_disk_to_grow():
    """The root of the hosts here is no partition, nor is a directory in memory."""
    found = json.loads(run("sh", MEASURE, "/dev/shm"))

    assert (found["disk_gib"], found["disk_growable"]) == (0, False)
