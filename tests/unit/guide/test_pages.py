"""What the guide's pages say is what the data says, with the command and the day of each figure."""

import json
import re
from pathlib import Path

import pytest

from guide import ROOT, charts, pages, promises, sources
from guide.links import local_links
from guide.stages import stages

MADE = pages.made()


def test_every_stage_has_its_section_and_its_price():
    for stage in stages():
        text = MADE["ladder.md"].partition(f"## Stage {stage.number}:")[2].partition("\n## ")[0]
        assert f"make stage{stage.number}\n" in text
        assert re.search(rf"About {stage.month:,.0f} USD .* prices of \d{{4}}-\d\d-\d\d", text)
        named = [name for name in pages.flat(stage.about["changes"]) if stage.number > 1]
        assert all(f"| `{name}` |" in text for name in named)


def test_a_way_that_nobody_has_measured_is_said_to_be_so():
    assert "no run with visitors is published" in pages.met(1, 99)
    run, span = promises.move(2, 3)
    assert f"{span.seconds} s." in pages.met(2, 3)
    assert f"(`{run.command}`, {run.date})" in pages.met(2, 3)


def test_every_run_is_there_with_its_command_and_its_day():
    for run in promises.runs():
        assert f"{run.name}: `{run.command}`, {run.date}" in MADE["visitors.md"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs/load").glob("*.json")), ids=lambda path: path.stem
)
def test_every_result_of_load_is_there_with_its_command_and_its_day(path):
    result = json.loads(path.read_text())
    command = result.get("command", f"make load LABEL={path.stem}")
    row = f"| {result['carried']} | `{command}`, {result['date'].split()[0]} |"

    assert row in MADE["load.md"]
    assert f">{path.stem} carries {result['carried']}<" in MADE["load.md"]


def test_links_lead_to_pages_of_the_guide():
    page = ROOT / "docs/some.md"
    text = "[a](../group_vars/all/ladder.yml#L1) [b](../tests/ladder) [c](aws.md#x) [d](prices.svg)"

    assert sources.rewritten(Path("docs/some.md"), text, local_links(page, text)) == (
        "[a](../group_vars/all/ladder.yml.md#L1) [b](../tests/ladder/README.md) "
        "[c](aws.md#x) [d](prices.svg)"
    )


def test_charts_take_the_colours_of_the_page_and_do_not_meddle_with_each_other():
    svg = (ROOT / "docs/prices.svg").read_text()
    made = charts.themed(svg, "one")

    assert made.startswith('<svg class="chart')
    assert "#ffffff" in svg
    assert not re.findall(r"#[0-9a-f]{6}\b", made)
    named = set(re.findall(r'\bid="([^"]+)"', made))
    assert all(name.startswith("one-") for name in named)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', made)) <= named
