"""The page of reports names what was run, when, and what it did to visitors."""

from tests.ladder.log import OK, READ, REFUSED, WRITE, Log, Request
from tests.ladder.published import page
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
    names = (f"stage3:{settings}", f"stage3:{settings},web_count=3")
    made = page("two cores", [ran(tmp_path / "ladder" / "wider", *names)], [])
    assert "`make test-ladder CLIMB=wider`, 2026-11-28" in made
    assert "\n| stage3 | 60 | 1 | 0 | 0 | 0.10 | 0.0 | 0 | 1 | 0 |" in made
    assert "\n| stage3, web_count=3 | 60 |" in made
    assert "1,234 uploads were acknowledged, 3 sessions started. All as promised." in made
    assert "## Drills" not in made


def test_a_drill_is_named_by_its_playbook(tmp_path):
    folder = ran(tmp_path / "drills" / "a-deploy-is-broken", "A deploy is broken")
    assert "`ansible-playbook playbooks/drills/broken_deploy.yml`" in page("", [], [folder])


def test_what_was_worse_than_allowed_is_said(tmp_path):
    folder = ran(tmp_path / "straight", "stage1", problems=["3 uploads are lost"])
    assert "3 sessions started. 3 uploads are lost." in page("", [folder], [])
