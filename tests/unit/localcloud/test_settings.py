"""The environment, the machine's needs and the image's recipe."""

import socket

import pytest

from localcloud import image, machine, registry
from localcloud.settings import Settings, SettingsError


def test_defaults_are_in_the_checkout():
    settings = Settings.from_environment({})
    assert settings.endpoint == "http://127.0.0.1:5000"
    assert settings.state.name == ".localcloud"
    assert settings.site == "mustache.localhost"


def test_the_environment_recreates_the_settings(settings):
    assert Settings.from_environment(settings.environment()) == settings


@pytest.mark.parametrize("value", ["http", "0", "70000", "-1"])
def test_a_bad_port_is_named(value):
    with pytest.raises(SettingsError, match="LOCALCLOUD_HTTP_PORT"):
        Settings.from_environment({"LOCALCLOUD_HTTP_PORT": value})


def test_clouds_with_different_states_share_no_names(tmp_path):
    first, second = (
        Settings.from_environment({"LOCALCLOUD_STATE": str(tmp_path / name)}) for name in "ab"
    )
    assert first.id != second.id
    assert registry.loopback_block(first.id) != registry.loopback_block(second.id)


def test_missing_packages_come_with_the_command(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name, path=None: None)
    with pytest.raises(machine.MachineError, match=r"apt-get install -y .*podman"):
        machine.check_programs()


def test_a_taken_port_comes_with_another(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings.from_environment({"LOCALCLOUD_PORT": str(port)})
        with pytest.raises(machine.MachineError, match=f"LOCALCLOUD_PORT={port + 1000}"):
            machine.check_ports(settings)


def test_the_recipe_changes_with_what_is_built(monkeypatch):
    before = image.recipe()
    assert before == image.recipe()
    monkeypatch.setattr(image, "PACKAGES", [*image.PACKAGES, "nginx"])
    assert image.recipe() != before


def test_a_built_image_is_not_built_again(tmp_path):
    directory = tmp_path / "images" / image.recipe()
    directory.mkdir(parents=True)
    assert image.base(tmp_path) == directory


def test_a_failed_build_leaves_nothing_and_shows_the_log(tmp_path, monkeypatch):
    script = tmp_path / "mmdebstrap"
    script.write_text("#!/bin/sh\necho 'E: no network'\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(image.ImageError, match="no network"):
        image.base(tmp_path, say=lambda line: None)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["lock"]


def test_a_folder_that_mounts_cannot_name_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="LOCALCLOUD_STATE=DIRECTORY"):
        Settings.from_environment({"LOCALCLOUD_STATE": str(tmp_path / "a:b")})
    assert Settings.from_environment({"LOCALCLOUD_STATE": str(tmp_path / "a b")})
