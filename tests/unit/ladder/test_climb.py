"""Moves, and the verdict on them, with a fake site in place of playbooks."""

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.ladder import __main__ as command
from tests.ladder.climb import ROOT, Move, Plan, climb, playbook
from tests.ladder.test_ladder import CLIMBS
from tests.unit.ladder.fake import FakeSite


@pytest.fixture
def fake():
    fake = FakeSite()
    yield fake
    fake.close()


@pytest.fixture
def plan(fake, tmp_path):
    return Plan(
        base_url=fake.url,
        pictures=3,
        visitors=1,
        reads_per_second=50,
        writes_per_second=50,
        settle_seconds=0.1,
        output=tmp_path,
    )


def moves(*names: str) -> list[Move]:
    return [Move.parse(name, max_refused_seconds=2.0) for name in names]


def test_a_move_is_a_playbook_with_variables():
    move = Move.parse("stage1:web_instance_type=t3.medium,web_volume_size=40")
    assert move.command == [
        "ansible-playbook",
        "playbooks/stage1.yml",
        "-e",
        "confirm=yes",
        "-e",
        '{"web_instance_type": "t3.medium", "web_volume_size": "40"}',
    ]
    assert str(move) == "stage1:web_instance_type=t3.medium,web_volume_size=40"
    assert Move.parse("drills/dead-host").command[1] == "playbooks/drills/dead-host.yml"


@pytest.mark.parametrize("text", ["", ":a=b", "stage1:a", "stage1:=b"])
def test_what_is_no_move(text):
    with pytest.raises(ValueError, match="is not PLAYBOOK"):
        Move.parse(text)


def test_a_quiet_climb(fake, plan):
    def run(move, log):
        time.sleep(0.3)
        return 0

    report = climb(moves("stage1", "stage2", "destroy"), plan, run)
    assert report.problems == []
    assert [span.name for span in report.spans] == ["1 stage1", "2 stage2", "3 destroy"]
    assert report.spans[0].reads.ok == 0, "nobody there yet"
    assert report.spans[1].reads.ok > 0
    assert report.spans[1].writes.ok > 0
    assert report.spans[2].reads.ok == 0, "all have left"
    assert report.uploads > 3
    assert report.sessions == 1
    assert "All as promised." in report.text()
    facts = json.loads((plan.output / "report.json").read_text())
    assert facts["spans"][1]["writes"]["ok"] == report.spans[1].writes.ok
    assert (plan.output / "requests.jsonl").stat().st_size
    assert fake.pictures == {}, "nothing is left behind"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (lambda method, path: "error" if path == "/gallery" else None, "reads were not served"),
        (lambda method, path: "refuse" if path == "/gallery" else None, "reads were not served"),
        (lambda method, path: "drop" if method == "POST" else None, "writes failed"),
        (lambda method, path: "lose" if method == "POST" else None, "is gone (404)"),
    ],
    ids=["read fails", "read refused", "write fails", "upload lost"],
)
def test_a_move_that_breaks_something(fake, plan, fault, problem):
    struck = threading.Event()

    def strike(method, path):
        found = fault(method, path)
        if found:
            struck.set()
        return found

    def run(move, log):
        if move.playbook == "stage2":
            fake.fault = strike
            assert struck.wait(20)
            time.sleep(0.3)
            fake.fault = lambda method, path: None
        return 0

    report = climb(moves("stage1", "stage2"), plan, run)
    assert any(problem in found for found in report.problems), report.text()
    assert "WRONG" in report.text()


@pytest.mark.parametrize(("seconds", "problems"), [(0.3, 0), (2.5, 1)])
def test_writes_may_be_refused_for_a_while(fake, plan, seconds, problems):
    def run(move, log):
        if move.playbook == "stage2":
            fake.fault = lambda method, path: "refuse" if method == "POST" else None
            time.sleep(seconds)
            fake.fault = lambda method, path: None
        return 0

    report = climb(moves("stage1", "stage2"), plan, run)
    assert len(report.problems) == problems, report.text()
    assert report.spans[1].writes.refused > 0
    assert report.spans[1].writes.error_seconds > seconds - 0.3


def test_what_visitors_meet_while_the_site_is_looked_at_is_not_the_moves(fake, plan):
    def see(move, log):
        fake.fault = lambda method, path: "refuse" if method == "POST" else None
        time.sleep(0.3 if move.playbook == "stage2" else 0)
        fake.fault = lambda method, path: None
        return [f"{move} is odd"]

    report = climb(moves("stage1", "stage2"), plan, lambda move, log: time.sleep(0.3) or 0, see)
    assert report.problems == ["stage1 is odd", "stage2 is odd"]
    assert "refused" in (plan.output / "requests.jsonl").read_text(), "it was met"
    assert report.spans[1].writes.refused == 0


def test_a_playbook_that_fails_ends_the_climb(plan):
    report = climb(
        moves("stage1", "stage2", "stage3"), plan, lambda move, log: 2 * (log.name[0] == "2")
    )
    assert [span.exit_code for span in report.spans] == [0, 2]
    assert report.problems == ["2 stage2: the playbook ended with 2"]


def test_a_playbooks_output_is_kept(tmp_path, monkeypatch, capsys):
    program = [sys.executable, "-c", "print('fatal: this'); raise SystemExit(4)"]
    monkeypatch.setattr(Move, "command", program)
    assert playbook(Move("stage1"), tmp_path / "log", timeout=60) == 4
    assert "fatal: this" in (tmp_path / "log").read_text()
    assert "fatal: this" in capsys.readouterr().err


def test_a_playbook_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(Move, "command", ["sleep", "60"])
    assert playbook(Move("stage1"), tmp_path / "log", timeout=0.2) == 124


CHILD = """
import subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
print("PLAY [Look] ****", flush=True)
print(child.pid, flush=True)
print("TASK [web : Move them] ****", flush=True)
time.sleep(60)
"""


def running(pid: str) -> bool:
    """Whether there is such a process that has not ended, though nobody may have asked."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_is_cut_at_its_step_with_all_its_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(Move, "command", [sys.executable, "-c", CHILD])
    move = Move("stage4", cut_at="web : Move them")
    assert playbook(move, tmp_path / "log", timeout=30) == 0
    child = (tmp_path / "log").read_text().splitlines()[1]
    end = time.monotonic() + 5
    while running(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not running(child)
    assert str(move) == "stage4, cut at 'web : Move them'"


def test_a_run_that_never_came_to_where_it_is_cut_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Move, "command", ["echo", "PLAY [Look]"])
    assert playbook(Move("stage4", cut_at="Move"), tmp_path / "log", timeout=30) == 1
    assert "never came to 'Move'" in capsys.readouterr().err


PLAYS = """
- name: Move
  hosts: nobody
  tasks:
    - name: Note it
      ansible.builtin.file: {path: "{{ playbook_dir }}/nobody", state: touch}
- name: Note it, as another play has it
  hosts: localhost
  tasks:
    - name: Wait, and note it
      ansible.builtin.shell: sleep 2; touch {{ playbook_dir }}/waited
- name: Move
  hosts: localhost
  tasks:
    - name: Move it
      ansible.builtin.shell: sleep 2; touch {{ playbook_dir }}/moved
    - name: Look at it
      ansible.builtin.debug:
"""


@pytest.mark.parametrize(
    ("step", "left"), [("Wait, and note it", []), ("Move", ["waited"]), ("Move it", ["waited"])]
)
def test_it_is_cut_where_the_step_begins_not_where_it_ends(tmp_path, monkeypatch, step, left):
    (tmp_path / "plays.yml").write_text(PLAYS)
    program = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(tmp_path / "plays.yml")]
    monkeypatch.setattr(Move, "command", program)
    assert playbook(Move("stage4", cut_at=step), tmp_path / "log", timeout=60) == 0
    time.sleep(2)
    assert [name for name in ("nobody", "waited", "moved") if (tmp_path / name).exists()] == left


CUT = {move.cut_at for moves, _ in CLIMBS.values() for move in moves if move.cut_at}


@pytest.mark.parametrize("step", sorted(CUT))
def test_a_step_where_climbs_cut_is_one_step(step):
    text = "\n".join(path.read_text() for path in (ROOT / "playbooks").rglob("*.yml"))
    assert len(re.findall(rf"^ *- name: {re.escape(step)}$", text, re.MULTILINE)) == 1


def test_what_a_cut_run_has_left_is_not_held_to_the_contract(plan):
    seen = []
    made = [Move("stage3"), Move("stage4", cut_at="Move"), Move("stage4")]
    climb(made, plan, lambda move, log: 0, see=lambda move, log: seen.append(str(move)) or [])
    assert seen == ["stage3", "stage4"]


def during(fake, tmp_path, *options: str, program=("sleep", "0.5")) -> int:
    common = ["--base-url", fake.url, "--output", str(tmp_path)]
    rates = ["--reads-per-second", "50", "--writes-per-second", "50"]
    return command.main(["during", *common, *rates, *options, "--", *program])


def test_a_quiet_drill(fake, tmp_path, capsys):
    assert during(fake, tmp_path, "--name", "nothing at all") == 0
    said = capsys.readouterr().out
    assert "nothing at all" in said
    assert "All as promised." in said
    assert fake.pictures == {}


@pytest.fixture
def breaking(fake, monkeypatch):
    """The command of a drill lets nobody through for a while, then everybody again."""

    def faulty(program, check):
        fake.fault = lambda method, path: "drop"
        time.sleep(0.4)
        fake.fault = lambda method, path: None
        time.sleep(0.4)
        return subprocess.CompletedProcess(program, 0)

    monkeypatch.setattr(command.subprocess, "run", faulty)
    return fake


@pytest.mark.parametrize(("allowed", "code"), [("0", 1), ("20", 0)])
def test_a_drill_with_errors(breaking, tmp_path, allowed, code):
    assert during(breaking, tmp_path, "--max-error-seconds", allowed) == code
    facts = json.loads((tmp_path / "report.json").read_text())
    assert facts["spans"][0]["reads"]["failed"] > 0
    assert 0.2 < facts["spans"][0]["reads"]["longest_error_seconds"] < 5


@pytest.mark.parametrize(("allowed", "code"), [("0", 1), ("1000", 0), ("-1", 0)])
def test_a_drill_with_requests_that_fail(breaking, tmp_path, capsys, allowed, code):
    lenient = ["--max-error-seconds", "20", "--max-failed", allowed]
    assert during(breaking, tmp_path, *lenient) == code
    assert (f"requests failed; allowed are {allowed}" in capsys.readouterr().out) == bool(code)


def test_a_drill_whose_program_fails(fake, tmp_path):
    assert during(fake, tmp_path, program=("false",)) == 1


def test_without_a_site_there_is_nothing_to_visit(fake, tmp_path, capsys):
    fake.close()
    assert during(fake, tmp_path) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(("allowed", "problems"), [(0, 2), (20, 0)])
def test_a_site_may_be_down_for_a_while_when_the_move_says_so(fake, plan, allowed, problems):
    def run(move, log):
        if move.playbook == "stage2":
            fake.fault = lambda method, path: "drop"
            time.sleep(0.4)
            fake.fault = lambda method, path: None
        return 0

    path = [Move("stage1"), Move("stage2", max_down_seconds=allowed)]
    assert len(climb(path, plan, run).problems) == problems
