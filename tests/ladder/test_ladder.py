"""The whole ladder with visitors on the site, on a local cloud of the test's own.

`pytest tests/ladder -s` shows how it goes; the reports are in artifacts/ladder/.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.conftest import free_ports
from tests.ladder.climb import ROOT, Move, Plan, climb
from tests.localhost import resolve_localhost

ENVIRONMENT = "ladder"
# Faster than one client may go; its limit is for visitors, and all of ours share an address.
NO_LIMIT = {"app_settings": {"UPLOAD_RATE": "0/60"}}
DESTROY = Move("destroy", {"confirm_destroy": ENVIRONMENT, "destroy_backups": "true"})


def to(stage: int, refused: float = 0, down: float = 0, **variables: str) -> Move:
    return Move(f"stage{stage}", NO_LIMIT | variables, refused, down)


LADDER = [
    to(1),
    to(2, refused=10),
    to(3),
    to(2, refused=10),
    to(1, refused=10),
    DESTROY,
]
# The only host stops to change its type.
BIGGER_BOX = [to(1), to(1, web_instance_type="t3.medium", down=60), DESTROY]


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """A local cloud that the playbooks find by the environment, gone at the end."""
    port, http, https = free_ports(3)
    for name, value in {
        "LOCALCLOUD_STATE": tmp_path / "cloud",
        "LOCALCLOUD_PORT": port,
        "LOCALCLOUD_HTTP_PORT": http,
        "LOCALCLOUD_HTTPS_PORT": https,
        "MUSTACHE_ENVIRONMENT": ENVIRONMENT,
        "MUSTACHE_CIDR": "10.77.0.0/16",
    }.items():
        monkeypatch.setenv(name, str(value))
    yield tmp_path / "cloud"
    localcloud("down", "--destroy-data")


def localcloud(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.cloud
@pytest.mark.parametrize(
    ("name", "moves"),
    [("ladder", LADDER), ("bigger-box", BIGGER_BOX)],
    ids=["ladder", "bigger box"],
)
def test_visitors_keep_all_they_have(cloud: Path, name: str, moves: list[Move]):
    resolve_localhost()
    plan = Plan(
        base_url=f"https://mustache.localhost:{os.environ['LOCALCLOUD_HTTPS_PORT']}",
        ca_file=str(cloud / "authority" / "ca.pem"),
        writes_per_second=4,
        output=ROOT / "artifacts" / "ladder" / name,
    )
    report = climb(moves, plan)
    print(report.text())
    assert report.problems == []
    assert report.uploads > plan.pictures
    assert report.sessions == plan.visitors
    assert json.loads(localcloud("status", "--json"))["resources"] == []
