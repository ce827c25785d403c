"""Rows that turn from one store to another: on all hosts or none, whatever fails on one of them."""

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROVIDERS = yaml.safe_load((ROOT / "group_vars/all/providers.yml").read_text())
HOSTS = ["one", "two"]
# What is to fail is a line of the file: host, program, first argument.
PROGRAM = """#!{python}
import os, sys
said = " ".join([os.environ["HOST"], os.path.basename(sys.argv[0]), sys.argv[1]])
with open({log!r}, "a") as log:
    print(said, file=log)
if said in open({failing!r}).read().splitlines():
    sys.exit(said + " fails")
print("done")
"""
NOTING = """#!{python}
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(
    {{name: {{"type": "raw"}} for name in ("path", "recursive", "purge", "parameters", "tags")}}
)
noted = [each["name"] + "=" + each["value"] for each in module.params["parameters"]]
said = "note " + " ".join(noted)
with open({log!r}, "a") as log:
    print(said, file=log)
if "note" in open({failing!r}).read().splitlines():
    module.fail_json(msg="note fails")
module.exit_json(changed=True)
"""
PLAY = """
- hosts: one:two
  gather_facts: false
  environment: {{HOST: "{{{{ inventory_hostname }}}}"}}
  tasks:
    - ansible.builtin.include_tasks: {root}/playbooks/tasks/turn_rows.yml

- hosts: one:two
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        dest: "{facts}.{{{{ inventory_hostname }}}}"
        content: "{{{{ dict(names | zip(names | map('extract', vars))) | to_json }}}}"
      vars:
        names: >-
          {{{{ query('ansible.builtin.varnames', '^turn_(error|noted|unknown|ended|said)$') }}}}
"""
PREPARED = [f"{host} mustache-release prepare" for host in HOSTS]
FROZEN = [f"{host} mustache-release freeze" for host in HOSTS]
BROUGHT = COMPARED = ["one mustache-manage move_rows"]
NOTED = ["note stores/rows=dynamodb seconds/rows=rds"]
LED = [f"{host} mustache-release flip" for host in HOSTS]
UNDONE = [f"{host} mustache-release {name}" for name in ("thaw", "abandon") for host in HOSTS]


@pytest.fixture
def turn(tmp_path):
    """Run the tasks on two hosts that are this machine; returns what was done and what is known."""
    log, failing, facts = (str(tmp_path / name) for name in ("log", "failing", "facts"))
    (tmp_path / "library").mkdir()
    (tmp_path / "ansible.cfg").touch()
    for path, text in {
        "mustache-release": PROGRAM,
        "mustache-manage": PROGRAM,
        "library/ssm_parameters.py": NOTING,
    }.items():
        program = tmp_path / path
        program.write_text(text.format(python=sys.executable, log=log, failing=failing))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "play.yml").write_text(PLAY.format(root=ROOT, facts=facts))
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "rows_turn": {"from": "rds", "to": "dynamodb"},
        "store_settings": {"rows": {
            "rds": {"ROWS": "database"},
            "dynamodb": {"ROWS": "dynamodb", "ROWS_TABLE": "rows"},
        }},
        "manage_host": "one",
        "manage_work": {},
        "state_path": "/state",
        "project_tags": {},
        "aws_environment": {},
        "turn_reached": PROVIDERS["turn_reached"],
    }  # fmt: skip
    hosts = {name: {} for name in (*HOSTS, "localhost")}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))

    def run(*fails):
        Path(failing).write_text("\n".join(fails))
        done = subprocess.run(
            [ROOT / ".venv/bin/ansible-playbook", "-i", tmp_path / "hosts.yml", "play.yml"],
            cwd=tmp_path,
            env=os.environ
            | {
                "PATH": f"{tmp_path}:{ROOT}/.venv/bin:{os.environ['PATH']}",
                "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
                "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
                "ANSIBLE_LIBRARY": str(tmp_path / "library"),
                "ANSIBLE_NOCOLOR": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        known = {host: json.loads(Path(f"{facts}.{host}").read_text()) for host in HOSTS}
        return Path(log).read_text().splitlines(), known

    return run


def in_any_order(steps):
    return [sorted(step) for step in steps]


def as_steps(done, *steps):
    """What was done, cut where the steps are; hosts do each at once."""
    found = []
    for step in steps:
        found.append(sorted(done[: len(step)]))
        done = done[len(step) :]
    assert done == []
    return found


def test_every_host_is_led_there_after_every_host_was_frozen_and_all_was_compared(turn):
    done, facts = turn()
    steps = [PREPARED, BROUGHT, FROZEN, COMPARED, NOTED, LED]

    assert as_steps(done, *steps) == in_any_order(steps)
    assert all(facts[host]["turn_ended"] for host in HOSTS)
    assert facts["one"]["turn_noted"] is True
    assert facts["one"]["turn_said"] == "done"


@pytest.mark.parametrize(
    ("fails", "steps"),
    [
        ("two mustache-release prepare", [PREPARED]),
        ("two mustache-release freeze", [PREPARED, BROUGHT, FROZEN]),
        ("one mustache-manage move_rows", [PREPARED, BROUGHT]),
    ],
)
def test_what_fails_on_one_host_leaves_everything_as_it_was_on_all(turn, fails, steps):
    done, facts = turn(fails)
    steps = [*steps, UNDONE[:2], UNDONE[2:]]

    assert as_steps(done, *steps) == in_any_order(steps)
    assert fails in facts[fails.split()[0]]["turn_error"]
    assert not any(facts[host]["turn_noted"] or facts[host]["turn_ended"] for host in HOSTS)


def test_while_nobody_knows_whether_it_was_noted_nobody_takes_writes(turn):
    done, facts = turn("note")
    steps = [PREPARED, BROUGHT, FROZEN, COMPARED, NOTED]

    assert as_steps(done, *steps) == in_any_order(steps)
    assert facts["one"]["turn_unknown"] is True


def test_a_host_that_is_not_led_there_stays_frozen_and_is_named(turn):
    done, facts = turn("two mustache-release flip")
    steps = [PREPARED, BROUGHT, FROZEN, COMPARED, NOTED, LED]

    assert as_steps(done, *steps) == in_any_order(steps)
    assert facts["one"]["turn_ended"]
    assert not facts["two"]["turn_ended"]
    assert "two mustache-release flip fails" in facts["two"]["turn_error"]


@pytest.fixture
def script(tmp_path):
    """The script on hosts, with its file in tmp_path."""
    path = ROOT / "roles/web/files/mustache-release"
    names = {"__name__": "mustache_release", "__doc__": ""}
    exec(compile(path.read_text(), str(path), "exec"), names)
    names["FREEZER"] = tmp_path / "frozen"
    names["FREEZER"].touch()
    return names


def test_a_freeze_waits_for_the_writes_of_before(script):
    with script["FREEZER"].open() as writer:
        fcntl.flock(writer, fcntl.LOCK_SH)
        script["FREEZE_SECONDS"] = 0.1
        with pytest.raises(script["ReleaseError"], match="nothing is frozen"):
            script["freeze"]("database")
        assert script["FREEZER"].read_text() == ""
    script["freeze"]("database")
    assert script["FREEZER"].read_text() == "database"
    script["thaw"]()
    assert script["FREEZER"].read_text() == ""
