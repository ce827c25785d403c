"""What local clouds of one machine share: its routing."""

import pytest

from localcloud import registry


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine that does not route, with these interfaces."""
    interfaces = {"lo", "eth0"}
    monkeypatch.setattr(registry, "DIRECTORY", tmp_path / "run")
    monkeypatch.setattr(registry, "FORWARD", tmp_path / "ip_forward")
    monkeypatch.setattr(registry, "_interfaces", lambda: set(interfaces))
    registry.FORWARD.write_text("0\n")
    return interfaces


def test_the_last_cloud_leaves_the_machine_as_the_first_found_it(machine):
    registry.start_routing()
    assert registry.FORWARD.read_text() == "1"
    other = registry.DIRECTORY / "beef.json"
    other.touch()
    registry.start_routing()
    assert registry.stop_routing() is None
    assert registry.FORWARD.read_text() == "1"
    other.unlink()
    assert registry.stop_routing() is None
    assert registry.FORWARD.read_text() == "0"


def test_a_machine_that_routed_before_still_does(machine):
    registry.FORWARD.write_text("1")
    registry.start_routing()
    registry.stop_routing()
    assert registry.FORWARD.read_text() == "1"


def test_routing_stays_for_what_came_meanwhile(machine):
    registry.start_routing()
    machine.add("docker0")
    assert "docker0 may need it" in registry.stop_routing()
    assert registry.FORWARD.read_text() == "1"
