"""The page of reports names what was run, when, and what it did to visitors."""

from tests.ladder.log import OK, READ, REFUSED, WRITE, Log, Request
from tests.ladder.published import PAGE, page
from tests.ladder.report import Report, Span

START = 1_795_896_000  # 2026-11-28, 20:00 UTC


def ran(folder, *names, problems=()):
    log = Log()
    log.add(Request(READ, "page", START + 1, 0.1, OK))
    log.add(Request(WRITE, "upload", START + 2, 0.2, REFUSED, 503))
    report = Report([Span.of(name, START, START + 60, 0, log) for name in names], list(problems))
    report.uploads, report.sessions = 1234, 3
    report.write(folder, log)
    return folder


def test_a_climb_has_a_row_for_each_move(tmp_path):
    settings = "app_settings={'UPLOAD_RATE': '0/60', 'WORK_RATE': '0/60'}"
    cut = "cut at 'Finish the moves'"
    names = (f"stage3:{settings}", f"stage3:{settings},web_count=3", f"stage4:{settings}, {cut}")
    made = page("", [ran(tmp_path / "ladder" / "wider", *names)])
    assert "`make test-ladder CLIMB=wider`, 2026-11-28" in made
    assert "\n| stage3 | 60 | 1 | 0 | 0 | 0.10 | 0.0 | 0 | 1 | 0 |" in made
    assert "\n| stage3, web_count=3 | 60 |" in made
    assert f"\n| stage4, {cut} | 60 |" in made
    assert "1,234 uploads were acknowledged, 3 sessions started. All as promised." in made
    assert "## Drills" not in made


def test_a_drill_is_named_by_its_playbook(tmp_path):
    folder = ran(tmp_path / "drills" / "a-deploy-is-broken", "A deploy is broken")
    assert "`ansible-playbook playbooks/drills/broken_deploy.yml`" in page("", [folder])


def test_what_was_worse_than_allowed_is_said(tmp_path):
    move = "1 stage4:app_settings={'UPLOAD_RATE': '0/60'}, cut at 'Move': 1 reads were not served"
    folder = ran(tmp_path / "straight", "stage1", problems=["3 uploads are lost", move])
    said = "3 uploads are lost; 1 stage4, cut at 'Move': 1 reads were not served."
    assert f"3 sessions started. {said}" in page("", [folder])


def test_a_run_takes_the_place_of_an_earlier_one_and_leaves_all_others(tmp_path):
    drill = ran(tmp_path / "drills" / "a-deploy-is-broken", "A deploy is broken")
    climb = ran(tmp_path / "straight", "stage1", problems=["3 uploads are lost"])
    old = page("", [drill, climb], "Two cores.")
    kept = old.replace("Two cores.", "Two cores, and a sentence of somebody's own.")

    new = page(kept, [ran(tmp_path / "straight", "stage3"), ran(tmp_path / "wider", "stage2")])

    assert new.index("### Straight") < new.index("### Wider") < new.index("## Drills")
    assert "3 uploads are lost" not in new
    assert new.count("and a sentence of somebody's own") == 1
    assert page(new, []) == new


def test_what_was_typed_is_said_as_it_was(tmp_path):
    folder = tmp_path / "whole"
    report = Report([Span.of("1 stage1", START, START + 60, 0, Log())])
    report.command = "python -m tests.ladder climb stage1 --pictures 50"
    report.write(folder, Log())
    assert "\n\n`python -m tests.ladder climb stage1 --pictures 50`, 2026" in page("", [folder])


def test_the_page_is_as_it_is_written():
    assert page(PAGE.read_text(), []) == PAGE.read_text()
