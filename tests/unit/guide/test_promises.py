"""The guide reads the page of reports as it is written."""

from guide.promises import Requests, move, runs
from tests.ladder.published import page
from tests.unit.ladder.test_published import ran

SERVED = Requests(1, 0, 0, 0.1, 0.0)


def test_a_climb_is_read_as_it_was_written(tmp_path):
    climb = ran(tmp_path / "ladder" / "up-and-down", "1 stage1", "2 stage2", "3 stage2:web_count=3")
    drill = ran(
        tmp_path / "drills" / "a-deploy-is-broken", "A deploy is broken", problems=["worse"]
    )

    up, broken = runs(page("", [climb, drill], "Two cores."))

    assert (up.name, up.command, up.date) == (
        "Up and down", "make test-ladder CLIMB=up-and-down", "2026-11-28",
    )  # fmt: skip
    assert [(span.before, span.after, span.settings) for span in up.spans] == [
        (0, 1, ""), (1, 2, ""), (2, 2, "web_count=3"),
    ]  # fmt: skip
    assert up.spans[0].reads == SERVED
    assert (up.spans[0].writes.refused, up.spans[0].writes.unserved) == (1, 1)
    assert (up.drill, broken.drill) == (False, True)
    assert (broken.verdict, broken.spans[0].after) == ("worse.", 0)


def test_the_page_of_docs_is_read_whole():
    found = runs()

    assert any(run.drill for run in found)
    assert all(run.spans for run in found)
    _, span = move(1, 2)
    assert (span.before, span.after, span.settings) == (1, 2, "")
    assert move(1, 99) is None
