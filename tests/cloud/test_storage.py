"""Roots of hosts on real mounts: what must not be lost, and what must not be taken for another."""

import shutil
from pathlib import Path

import pytest

from localcloud.storage import Storage

pytestmark = pytest.mark.cloud


@pytest.fixture
def storage(tmp_path):
    made = Storage(tmp_path / "state")
    yield made
    made.destroy()
    assert not made.mounts()


@pytest.fixture
def layer(tmp_path):
    """An image that has one file."""
    directory = tmp_path / "layer"
    (directory / "usr").mkdir(parents=True)
    (directory / "usr/system").write_text("debian")
    return directory


@pytest.fixture
def mount(storage, layer) -> Path:
    """Mount the root of edge-1 on a volume of its own, made if there is none."""

    def mount():
        if not storage.image("edge-1").exists():
            storage.create("edge-1", 1)
        return storage.mount_root("edge-1", "edge-1", [layer])

    return mount


def test_a_root_goes_with_its_volume(storage, mount):
    root = mount()
    (root / "written").write_text("1")
    assert (root / "usr/system").read_text() == "debian"
    storage.unmount_root("edge-1", "edge-1")
    assert not storage.mounts()
    assert not storage.loop_devices()
    assert not (storage.hosts / "edge-1").exists()
    assert (mount() / "written").read_text() == "1"


def test_who_mounts_while_another_unmounts_loses_nothing(storage, mount, monkeypatch):
    (mount() / "written").write_text("1")
    monkeypatch.setattr(storage, "detach", lambda volume_id: mount())
    storage.unmount_root("edge-1", "edge-1")
    root = storage.root("edge-1")
    assert (root / "usr/system").read_text() == "debian"
    assert (root / "written").read_text() == "1"


def test_a_new_volume_is_not_taken_for_one_that_is_still_mounted(storage, mount, caplog):
    old = mount()
    shutil.rmtree(old / "usr")
    storage.delete("edge-1")
    root = mount()
    assert (root / "usr/system").read_text() == "debian"
    assert "another volume is mounted there yet" in caplog.text
    assert [Path(file).name for file in storage.loop_devices().values()] == ["edge-1.img"]
