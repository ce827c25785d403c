"""What a run says before it touches anything, and when it asks."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.ansible.test_filters import load

ROOT = Path(__file__).parents[3]
PROVIDERS = yaml.safe_load((ROOT / "group_vars/all/providers.yml").read_text())
PROMISES = (ROOT / "docs/promises.md").read_text()
DATABASE = {"files": "database", "sessions": "database", "cache": "database"}
STAGES = {
    1: {"front": "address", "entry": "host", "compute": "hosts", "rows": "instance"} | DATABASE,
    2: {"front": "address", "entry": "host", "compute": "hosts", "rows": "rds"} | DATABASE,
    3: {"front": "balancer", "entry": "balancer", "compute": "hosts", "rows": "rds"} | DATABASE,
    4: {"front": "cdn", "entry": "balancer", "compute": "hosts", "rows": "rds", "files": "s3",
        "sessions": "dynamodb", "cache": "elasticache"},
    5: {"front": "cdn", "entry": "balancer", "compute": "group", "rows": "rds", "files": "s3",
        "sessions": "dynamodb", "cache": "elasticache"},
    6: {"front": "cdn", "entry": "api", "compute": "functions", "rows": "dynamodb", "files": "s3",
        "sessions": "dynamodb", "cache": "dynamodb"},
}  # fmt: skip
WEB = ["web-1", "web-2"]
LOGS = "the disks of the hosts, with their logs"


def planned(now, wanted, there=(), names=(), kind="t3.small", group=(), classes=()):
    hosts = {
        "web": [{"name": name, "type": "t3.small"} for name in there],
        "group": list(group),
        "names": list(names),
        "type": kind,
    }
    before = STAGES[now] if now else {}
    return load("planned_changes")(PROVIDERS["providers"], before, STAGES[wanted], hosts, classes)


def test_from_nothing_everything_is_made_and_nothing_lost():
    assert planned(None, 3, names=WEB) == {
        "make": ["entry balancer", "rows rds", "host web-1", "host web-2"],
        "change": [], "remove": [], "lost": [], "moves": [], "reclassed": [], "resize": False,
    }  # fmt: skip


def test_a_run_that_finds_all_as_it_should_be_plans_nothing():
    plan = planned(3, 3, WEB, WEB)
    assert (plan["make"], plan["change"], plan["remove"], plan["lost"]) == ([], [], [], [])


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_nobody_is_asked_on_the_way_up_to_stage_4(stage):
    there = WEB[:1] if stage < 3 else WEB
    plan = planned(stage, stage + 1, there, WEB[:1] if stage == 1 else WEB)
    assert plan["lost"] == []
    assert plan["make"] != []


def test_rows_move_up_and_the_copy_on_the_host_goes():
    plan = planned(1, 2, WEB[:1], WEB[:1])
    assert plan["change"] == ["rows from instance to rds"]
    assert plan["remove"] == ["rows instance"]
    assert plan["moves"] == ["rows"]


def test_on_the_way_down_it_is_said_what_goes_for_good():
    plan = planned(3, 1, WEB, WEB[:1])
    assert plan["remove"] == ["entry balancer", "rows rds", "host web-2"]
    assert len(plan["lost"]) == 3
    assert plan["lost"][-1] == LOGS


def test_a_balancer_stays_behind_a_cdn_and_goes_with_both():
    assert planned(4, 3, WEB, WEB)["remove"] == [
        "front cdn", "sessions dynamodb", "cache elasticache",
    ]  # fmt: skip
    assert planned(4, 1, WEB, WEB[:1])["remove"][:2] == ["front cdn", "entry balancer"]
    assert "entry balancer" not in planned(3, 4, WEB, WEB)["make"]


def test_hosts_go_for_a_group_and_a_group_for_hosts():
    up = planned(4, 5, WEB)
    assert up["make"] == ["compute group"]
    assert up["remove"] == ["host web-1", "host web-2"]
    down = planned(5, 4, (), WEB, group=["i-1", "i-2"])
    assert down["remove"] == ["compute group", "host i-1", "host i-2"]
    assert down["lost"] == [LOGS]
    # A group that stays looks after its hosts itself.
    assert planned(5, 5, (), (), group=["i-1"])["remove"] == []


def test_only_the_only_host_is_missed_while_it_gets_another_size():
    assert planned(1, 1, WEB[:1], WEB[:1], kind="t3.large")["resize"] is True
    both = planned(3, 3, WEB, WEB, kind="t3.large")
    assert both["resize"] is False
    assert both["change"][0] == "host web-1 from t3.small to t3.large"


def test_a_database_that_stays_and_gets_another_class_is_a_change():
    classes = {"rows": ["db.t4g.micro", "db.t4g.medium"]}
    assert planned(4, 5, WEB, classes=classes)["change"][-1] == (
        "rows rds from db.t4g.micro to db.t4g.medium"
    )
    assert planned(4, 5, WEB, classes=classes)["reclassed"] == ["rows"]
    # One that comes or goes has one class only, and PostgreSQL on a host has none.
    for now, wanted in ((None, 5), (1, 5), (5, 6), (1, 1)):
        assert planned(now, wanted, classes=classes)["reclassed"] == []


def refused(now, wanted, multi_az=True, **options):
    plan = planned(now, wanted, WEB[:1], WEB[:1], **options) | {"multi_az": multi_az}
    return load("writes_refused")(plan, PROVIDERS["pauses"], STAGES[now], STAGES[wanted])


def test_it_is_said_how_long_writes_are_refused_and_while_what():
    assert refused(3, 4) == []
    assert [each.partition(" (")[0] for each in refused(1, 2)] == [
        "for about 1.2 s while the rows move"
    ]
    assert "another class" in refused(4, 5, classes={"rows": ["a", "b"]})[0]
    assert [each.partition(" (")[0] for each in refused(1, 1, kind="t3.large")] == [
        "for about 4.2 s while the only host is stopped and started"
    ]


def test_what_nobody_has_measured_is_said_to_be_so():
    assert "for how long nobody has measured, while rows changes" in refused(1, 6)
    [alone] = refused(2, 2, multi_az=False, classes={"rows": ["a", "b"]})
    assert alone.startswith("for how long nobody has measured, while the database, which has no")


def climbs():
    """``{command: [(what, seconds of errors of reads, of writes)]}`` of those published."""
    published = PROMISES.partition("## Climbs")[2].partition("## Drills")[0]
    for section in published.split("### ")[1:]:
        command, date = re.search(r"`(.+)`, (\S+)", section).groups()
        rows = re.findall(
            r"^\| \d+ (\S+?)[,| ](?:[^|]*\|){6} ([\d.]+) \|.*\| ([\d.]+) \|$", section, re.M
        )
        yield f"{command}, {date}", [(what, float(a), float(b)) for what, a, b in rows]


def test_how_long_writes_are_refused_is_what_was_measured():
    measured = dict(climbs())
    by_axis = {
        each["axis"]: each.get("seconds") for each in PROVIDERS["pauses"]
    }  # rows: the longer
    for pause in [each for each in PROVIDERS["pauses"] if "seconds" in each]:
        moves = measured[pause["source"]]
        worst = max(writes for _, _, writes in moves)
        if "instance" in pause.get("between", []):
            [worst] = [writes for what, _, writes in moves if what == "stage2"]
        if pause["axis"] == "failover":
            [worst] = [max(errors) for what, *errors in moves if what == "stage5"]
        if pause["axis"] in ("entry", "compute"):
            # Nothing but what rows and a database that fails over at the same time are blamed for.
            blamed = {"stage5": by_axis["failover"]}
            worst = max(
                0, *(writes - blamed.get(what, by_axis["rows"]) for what, _, writes in moves)
            )
        assert pause["seconds"] == worst, pause


@pytest.fixture
def run(tmp_path):
    """The phase alone, on what an inventory says."""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    host = {
        "aws_instance_id": "i-1", "aws_instance_type": "t3.small",
        "aws_root_device_name": "/dev/xvda",
        "aws_block_device_mappings": [
            {"device_name": "/dev/xvda", "ebs": {"volume_id": "vol-1"}},
        ],
    }  # fmt: skip
    names = ["mustache-local-web-1", "mustache-local-web-2"]
    (inventory / "group_vars").symlink_to(ROOT / "inventories/local/group_vars")

    def run(stage, *options, noted=3, leaving_functions=False):
        there = dict.fromkeys(names, host) if STAGES[noted]["compute"] == "hosts" else {}
        hosts = {"all": {"children": {"role_web": {"hosts": there}}}}
        (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
        before = {axis: STAGES[noted][axis] for axis in ("front", "entry")} | {"stage": noted}
        before["stores"] = {axis: STAGES[noted][axis] for axis in ("rows", *DATABASE)}
        variables = {"stage_wanted": stage, "noted": before, "aws_account": "1"}
        variables["leaving_functions"] = leaving_functions
        playbook = tmp_path / f"stage{stage}.yml"
        phase = str(ROOT / "playbooks/phases/plan.yml")
        playbook.write_text(
            json.dumps([{"ansible.builtin.import_playbook": phase, "vars": {"stage": stage}}])
        )
        return subprocess.run(
            ["ansible-playbook", "-i", inventory, playbook, "-e", json.dumps(variables), *options],
            cwd=ROOT,
            env=os.environ
            | {"PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run


def test_without_anybody_to_ask_nothing_is_removed(run):
    done = run(2)
    said = " ".join(done.stdout.split())
    assert done.returncode == 2, done.stdout + done.stderr
    assert "From stage 3 to stage 2:" in said
    assert "remove entry balancer, host mustache-local-web-2" in said
    # 36 instead of 95 USD.
    assert re.search(r"bill 3\d\.\d\d USD a month, -5\d\.\d\d", said), said
    assert "Nothing was changed. This removes entry balancer, host" in said + done.stderr
    assert "-e confirm=yes" in said


@pytest.mark.parametrize("option", [["-e", "confirm=yes"], ["--check"]])
def test_who_has_agreed_and_who_only_looks_is_not_asked(run, option):
    done = run(1, *option)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "change front from balancer to address, entry from balancer to host, rows from" in said
    assert "writes refused for about 1.2 s while the rows move (python -m tests.ladder" in said
    assert "Ask whether it may go" not in said


def test_nobody_is_asked_when_nothing_is_lost(run):
    done = run(4)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make front cdn, sessions dynamodb, cache elasticache" in said
    assert "writes none refused" in said


def test_a_database_that_was_made_on_the_way_has_its_class(run):
    words = "rows rds from db.t4g.micro to db.t4g.medium"
    assert words in " ".join(run(5, "--check", noted=4).stdout.split())
    came = run(5, "--check", noted=4, leaving_functions=True)
    assert came.returncode == 0, came.stdout + came.stderr
    assert words not in " ".join(came.stdout.split())


def test_functions_go_for_a_group_and_it_is_said_what_that_costs(run):
    done = run(5, "--check", noted=6)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "From stage 6 to stage 5:" in said
    assert "change entry from api to balancer, compute from functions to group" in said
    # 214 instead of 1 USD, and the other way.
    assert re.search(r"bill 21\d\.\d\d USD a month, \+213\.\d\d", said), said
    stays = " ".join(run(6, "--check", noted=6).stdout.split())
    assert re.search(r"bill 0\.5\d USD a month, [+-]0\.00", stays), stays
