"""Climbs with visitors on the site, on a local cloud of the test's own.

`pytest tests/ladder -s -k up-and-down` shows how it goes; the reports are in artifacts/ladder/.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.conftest import free_ports
from tests.cloud.project import contract
from tests.ladder.climb import ROOT, Move, Plan, climb
from tests.localhost import resolve_localhost

ENVIRONMENT = "ladder"
# Faster than one client may go; its limit is for visitors, and all of ours share an address.
NO_LIMIT = {"app_settings": {"UPLOAD_RATE": "0/60", "WORK_RATE": "0/60"}}
CACHED_SESSIONS = {"stores": {"sessions": "elasticache"}}
# What stage 5 has. Where RDS gets it on the way, its standby takes over, and requests are refused.
LARGER_DATABASE = {"db_instance_class": "db.t4g.medium"}
# What the local cloud has from the start.
OF_THE_CLOUD = ("certificate authority", "AMI")
# As AWS does, it names an instance for an hour after its end.
ENDED = "terminated"
DESTROY = Move("destroy", {"confirm_destroy": ENVIRONMENT, "destroy_backups": "true"})


def to(stage: int, refused: float = 0, down: float = 0, **variables: object) -> Move:
    return Move(f"stage{stage}", NO_LIMIT | variables, refused, down)


def cut(stage: int, *steps: str) -> list[Move]:
    """Runs on the way to a stage, each killed where it begins one of the steps.

    What was cut while nobody may change rows refuses writes until the next run comes there.
    """
    return [Move(f"stage{stage}", NO_LIMIT, max_refused_seconds=120, cut_at=step) for step in steps]


# Where a move of stores can be cut off: playbooks/phases/transfer.yml, turn.yml and retire.yml.
TRANSFER = (
    "Let the app use both places everywhere",
    "Bring over what there was before",
    "Read each where it is wanted",
    "Let the app read there everywhere",
)
FINISH = ("Finish the moves", "Let the app use one place everywhere", "Retire what is at AWS")
TURN = (
    "Copy the rows while the site serves",
    "Find everybody who changes rows",
    "Turn to the new place",
    "Let nobody change rows where they are; what is under way ends first",
    "Bring the rest, and compare every record",
)
# From here on the rows are noted as turned, and the next run turns nothing: one of these in a move.
LEAD, GO_ON, EVERYWHERE = (
    "Lead visitors to the app that was prepared",
    "Go on from the new place",
    "Let the app read and write there everywhere",
)
# The moves of each climb, and the pictures that are there from the first stage on.
CLIMBS = {
    # Going from 3 to 2, the database stays where it is: nothing is refused.
    "up-and-down": ([to(1), to(2, refused=10), to(3), to(2), to(1, refused=10), DESTROY], 200),
    "straight": ([to(1), to(3, refused=10), to(1, refused=10), DESTROY], 200),
    "wider": (
        [
            to(3),
            to(3, web_count=3),
            to(3, web_count=3, web_instance_type="t3.medium"),
            to(3, web_instance_type="t3.medium"),
            DESTROY,
        ],
        50,
    ),
    "thousand-pictures": ([to(1), to(2, refused=10), DESTROY], 1000),
    "lighter": ([to(3), to(4), to(3), DESTROY], 1000),
    "straight-to-adapt": ([to(1), to(4, refused=10), to(1, refused=10), DESTROY], 1000),
    "cached-sessions": ([to(4), to(4, my_values=CACHED_SESSIONS), to(4), DESTROY], 1000),
    # Rows turn from a database to tables and back, and counters and all else goes along.
    "rows-to-dynamodb": (
        [to(4), to(4, refused=10, db_provider="dynamodb"), to(4, refused=10), DESTROY],
        200,
    ),
    "straight-to-dynamodb": (
        [to(1), to(4, refused=10, db_provider="dynamodb"), to(1, refused=10), DESTROY],
        200,
    ),
    "elastic": (
        [to(4, my_values=LARGER_DATABASE), to(5), to(4, my_values=LARGER_DATABASE), DESTROY],
        200,
    ),
    "straight-to-elastic": ([to(3), to(5, down=10), to(1, refused=10), DESTROY], 200),
    "serverless": ([to(4), to(6, refused=10), to(4, refused=10), DESTROY], 200),
    "straight-to-serverless": ([to(1), to(6, refused=10), to(1, refused=10), DESTROY], 200),
    # Given up once, then cut at every step, there and back.
    "cut-off": (
        [
            to(3),
            *cut(4, "Bring over what there was before"),
            to(3),
            *cut(4, *TRANSFER, *FINISH),
            to(4),
            *cut(3, *TRANSFER, *FINISH),
            to(3),
            DESTROY,
        ],
        100,
    ),
    "rows-cut-off": (
        [
            to(4),
            *cut(6, "Bring the rest, and compare every record"),
            to(4, refused=120),
            *cut(6, *TURN, LEAD, *FINISH),
            to(6, refused=120),
            *cut(4, *TURN, GO_ON, *FINISH),
            to(4, refused=120),
            *cut(6, EVERYWHERE),
            to(6, refused=120),
            DESTROY,
        ],
        100,
    ),
    "elastic-to-functions": ([to(5), to(6, refused=10), to(5, refused=10), DESTROY], 100),
    # To hosts with a database of their own at once.
    "from-functions": ([to(6), to(2, refused=10), DESTROY], 100),
    # The only host stops to change its type.
    "bigger-box": ([to(1), to(1, web_instance_type="t3.medium", down=60), DESTROY], 200),
}


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
        "MUSTACHE_CIDR": os.environ.get("MUSTACHE_CIDR", "10.77.0.0/16"),
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
@pytest.mark.parametrize("name", CLIMBS)
def test_visitors_keep_all_they_have(cloud: Path, name: str):
    resolve_localhost()
    moves, pictures = CLIMBS[name]
    pace = os.environ.get("LOCALCLOUD_PACE", "instant")
    instant = pace == "instant"
    plan = Plan(
        base_url=f"https://mustache.localhost:{os.environ['LOCALCLOUD_HTTPS_PORT']}",
        ca_file=str(cloud / "authority" / "ca.pem"),
        pictures=pictures,
        writes_per_second=4,
        output=ROOT / "artifacts" / "ladder" / (name if instant else f"{name}-as-aws-does-it"),
        command=f"make test-ladder {'' if instant else f'PACE={pace} '}CLIMB={name}",
    )

    def keeps_contract(move: Move, log: Path) -> list[str]:
        """Every stage keeps it, whatever it came from."""
        with log.with_suffix(".contract.log").open("w") as output:
            command = contract(plan.base_url, plan.ca_file)
            code = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output).returncode
        return [f"{move}: the contract is broken, see {output.name}"] * bool(code)

    report = climb(moves, plan, see=keeps_contract)
    print(report.text())
    assert report.problems == []
    assert report.uploads > plan.pictures
    assert report.sessions == plan.visitors
    left = json.loads(localcloud("status", "--json"))["resources"]
    assert [
        each for each in left if each["kind"] not in OF_THE_CLOUD and each["state"] != ENDED
    ] == []
