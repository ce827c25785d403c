"""Every stage is drawn from the ladder's data, also one that the drawing has never heard of."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from guide.diagram import WIDTH, draw
from guide.stages import Part, compute, fronts, prices, stages, stores

STAGES = stages()


def drawn(stage):
    root = ElementTree.fromstring(draw(stage))
    return root, [each.text for each in root.iter("text")]


def test_every_stage_of_the_ladder_is_there():
    assert [stage.number for stage in STAGES] == prices().Ladder().stages


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: f"stage{stage.number}")
def test_a_stage_is_drawn_with_all_that_it_is_made_of(stage):
    root, texts = drawn(stage)

    assert [part.name for part in stage.parts if part.name not in texts] == []
    assert all(part.name in root.find("title").text for part in stage.parts)
    stored = " ".join(texts)
    assert all(store in stored for store in stage.values["stores"])


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: f"stage{stage.number}")
def test_a_drawing_stays_within_its_frame(stage):
    root, _ = drawn(stage)
    high = float(root.get("viewBox").split()[3])

    for rect in root.iter("rect"):
        x, y, wide, tall = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0 <= y
        assert x + wide <= WIDTH
        assert y + tall <= high


@pytest.mark.parametrize(
    ("front", "entry", "drawn"),
    [
        ("address", "host", ["address"]),
        ("balancer", "balancer", ["balancer"]),
        ("cdn", "balancer", ["cdn", "balancer"]),
        ("cdn", "api", ["cdn", "api"]),
    ],
)
def test_behind_a_front_is_who_hands_on_requests(front, entry, drawn):
    assert [part.provider for part in fronts(front, entry)] == drawn


def test_stages_have_the_fronts_that_the_playbooks_make():
    assert [[part.name for part in stage.fronts] for stage in STAGES] == [
        ["Elastic IP"],
        ["Elastic IP"],
        ["Application Load Balancer"],
        ["CloudFront", "Application Load Balancer"],
        ["CloudFront", "Application Load Balancer"],
        ["CloudFront", "API Gateway"],
    ]


def test_functions_are_drawn_with_how_often_they_run_at_once():
    last = STAGES[-1]

    assert last.compute == Part("compute", "functions", ("http, 100 at once at most", "manage"))
    assert "EC2" not in drawn(last)[1]
    runs = [each.get("class") for each in drawn(last)[0].iter("rect")]
    assert (runs.count("host"), runs.count("host coming")) == (1, 2)
    # No database, no cache: three stores are tables.
    assert [(part.name, part.lines) for part in last.stores] == [
        ("DynamoDB", ("rows, sessions, cache",)),
        ("S3", ("files",)),
    ]


def test_stores_in_the_database_are_where_its_rows_are():
    values = STAGES[0].values | {
        "stores": {"rows": "rds", "files": "s3", "sessions": "database", "cache": "new-thing"}
    }
    found = {part.provider: part.lines[0] for part in stores(values)}

    assert found == {"rds": "rows, sessions", "s3": "files", "new-thing": "cache"}


def test_what_has_no_name_here_is_shown_by_the_ladder_s():
    values = STAGES[0].values | {"compute": "submarines"}
    stage = replace(
        STAGES[0], fronts=(Part("front", "tide"),), compute=compute(values), values=values
    )

    _, texts = drawn(stage)
    assert {"submarines", "tide"} <= set(texts)


def test_only_what_a_stage_brings_or_changes_is_marked():
    first, second = STAGES[0], STAGES[1]

    assert not any(first.is_new(part) for part in first.parts)
    assert [part.provider for part in second.parts if second.is_new(part)] == ["rds"]
    marked = [each for each in drawn(second)[0].iter("rect") if "new" in each.get("class").split()]
    assert len(marked) == 1


def test_as_many_hosts_are_drawn_as_there_are():
    wider = replace(STAGES[2], values=STAGES[2].values | {"web_count": 3})

    for stage, count in ((STAGES[2], 2), (wider, 3)):
        hosts = [each for each in drawn(stage)[0].iter("rect") if each.get("class") == "host"]
        assert len(hosts) == count
