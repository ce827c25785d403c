"""Root makes the state; the user who called sudo works in it, and nobody else reads it."""

from dataclasses import dataclass

import pytest

from localcloud import machine


@dataclass
class Placed:
    """Settings' directories, without a machine's /run."""

    state: object
    run: object


@pytest.fixture
def owners(monkeypatch):
    """Who was given what; only root may really give files away."""
    given = {}
    monkeypatch.setattr(
        machine.os, "chown",
        lambda path, user, group, follow_symlinks: given.update({path: (user, group)}),
    )  # fmt: skip
    return given


def test_the_state_is_the_callers_alone(tmp_path, owners):
    placed = Placed(tmp_path / "state", tmp_path / "run")
    key = placed.state / "ansible" / "id_ed25519"
    key.parent.mkdir(parents=True)
    key.touch()
    machine.prepare_state(placed, {"SUDO_UID": "1000", "SUDO_GID": "1001"})
    assert owners == dict.fromkeys((placed.state, key.parent, key), (1000, 1001))
    for directory in (placed.state, key.parent, placed.run):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_without_sudo_nothing_changes_hands(tmp_path, owners):
    placed = Placed(tmp_path / "state", tmp_path / "run")
    machine.prepare_state(placed, {})
    assert set(owners.values()) == {(-1, -1)}


def test_a_user_becomes_root_with_all_settings(settings, monkeypatch):
    called = []
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    monkeypatch.setattr(machine.os, "execvp", lambda program, words: called.extend(words))
    monkeypatch.setenv("LOCALCLOUD_VCPU", "0.5")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    machine.become_root(["up"], settings)
    assert called[:2] == ["sudo", "env"]
    assert called[-3:] == ["-m", "localcloud", "up"]
    assert {f"PYTHONPATH={machine.CHECKOUT}", "LOCALCLOUD_VCPU=0.5"} < set(called)
    assert f"LOCALCLOUD_STATE={settings.state}" in called
    assert "HTTPS_PROXY=http://proxy.example:3128" in called
