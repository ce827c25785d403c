"""What docs/benchmarks.md says of stage 4's hosts and database is what was measured."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
ROWS = {
    "requests of the users": "requests",
    "of them pages": "pages",
    "of them pictures, drawings of the styles, static files": "files",
    "requests that the load balancer handed on": "balanced",
    "of them pictures": "pictures",
    "transactions of the database": "transactions",
}


def measured(folder, name):
    return json.loads((DOCS / "load" / folder / f"{name}.json").read_text())


@pytest.mark.parametrize(("words", "field"), ROWS.items())
def test_what_reached_hosts_and_database(words, field):
    three, four = (measured("reach", f"stage{number}")[field] for number in (3, 4))
    assert f"| {words} | {three:,} | {four:,} |" in (DOCS / "benchmarks.md").read_text()


def test_users_carried():
    three, four = (measured("", f"tenth-stage{number}")["carried"] for number in (3, 4))
    text = (DOCS / "benchmarks.md").read_text()
    assert f"| users carried | {three} | **{four}** |" in text
    assert f"carries {four / three:.1f} times the users" in text
