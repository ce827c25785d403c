"""What docs/benchmarks.md says of the advice is what was measured."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
RESULTS = sorted((DOCS / "load/advice").glob("*.json"))


def lines(result):
    for found in result["rounds"]:
        said = found["advice"]
        first = max(said["resources"], key=lambda each: each["full"], default=None)
        cells = [
            str(said["at"]),
            f"{found['users']}",
            f"{found['requests_per_second']:.0f}",
            f"{found['p95']:,.0f}",
            f"{found['failed']:,}",
            "carried" if found["carried"] else "too many",
            said["verdict"] + (f" to stage {said['stage']}" if said["stage"] else ""),
            f"{first['what']} {first['full']:.0%}" if first else "nothing",
        ]
        yield f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("result", RESULTS, ids=lambda path: path.stem)
def test_each_load_and_its_advice_are_in_the_table(result):
    text = (DOCS / "benchmarks.md").read_text()
    for line in lines(json.loads(result.read_text())):
        assert line in text


def test_the_advice_was_asked_at_stages_of_every_kind():
    asked = {json.loads(each.read_text())["rounds"][0]["advice"]["at"] for each in RESULTS}
    assert asked == {1, 3, 5, 6}
