"""Firewalls of others, as their own programs make them, in a network of the test's own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.cloud

SETTLE = """
from localcloud.neighbours import Neighbours
ours = Neighbours("abcd")
for round in range(2):
    print(ours.settle(), ours.places())
"""
REMOVE = """
from localcloud.neighbours import Neighbours
ours = Neighbours("abcd")
ours.remove()
print(ours.places())
"""


@pytest.fixture
def run():
    """Run a program in a network where nobody else is."""
    name = "localcloud-neighbours"
    subprocess.run(["ip", "netns", "add", name], check=True)

    def run(*words):
        done = subprocess.run(
            ["ip", "netns", "exec", name, *words], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    yield run
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.parametrize("program", ["iptables-nft", "iptables-legacy"])
def test_docker_and_ufw_by_iptables(run, program):
    run(program, "-P", "FORWARD", "DROP")
    run(program, "-P", "INPUT", "DROP")
    settled = run(sys.executable, "-c", SETTLE).splitlines()
    rules = run(program, "-S")

    assert [line.startswith("[] [") for line in settled] == [True, True]
    assert "-A FORWARD -i lcabcd+" in rules
    assert "-A FORWARD -o lcabcd+" in rules
    assert rules.count("localcloud_abcd") == 3
    run(program, "-F", "FORWARD")  # as `ufw reload` does
    run(sys.executable, "-c", SETTLE)
    assert run(program, "-S").count("localcloud_abcd") == 3

    assert run(sys.executable, "-c", REMOVE) == "[]"
    assert "localcloud" not in run(program, "-S")


def test_firewalld_s_last_rule(run):
    run("nft", "add table inet other; add chain inet other forward "
        "{ type filter hook forward priority filter + 10; policy accept; }; "
        "add rule inet other forward reject with icmpx type admin-prohibited")  # fmt: skip
    settled = run(sys.executable, "-c", SETTLE)

    assert settled.splitlines() == ["[] ['inet other forward']"] * 2
    listed = run("nft", "list", "table", "inet", "other")
    assert listed.index("localcloud_abcd") < listed.index("reject")


def test_nothing_is_done_where_nothing_drops(run):
    run("iptables-nft", "-P", "FORWARD", "ACCEPT")

    assert run(sys.executable, "-c", SETTLE).splitlines() == ["[] []"] * 2
