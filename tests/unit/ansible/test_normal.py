"""AWS modules in a fork of Ansible: they answer as Ansible's own way has them answer."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SETTINGS = f"""
[defaults]
action_plugins = {ROOT}/action_plugins
library = library
module_utils = module_utils
stdout_callback = ansible.posix.json
"""
HELPER = """
def greeting(name):
    return f"good day, {name}"
"""
PROBE = """
import os, sys, time
from ansible.module_utils.helper import greeting
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

seen = []

def main():
    module = AnsibleAWSModule(
        argument_spec={
            "do": {"default": "answer"},
            "name": {"required": True},
            "secret": {"no_log": True},
            "number": {"type": "int", "aliases": ["count"]},
        },
        supports_check_mode=True,
    )
    seen.append(module.params["name"])
    if module.params["do"] == "fail":
        module.fail_json(msg="it cannot be", found=[1])
    if module.params["do"] == "crash":
        raise ValueError("nobody expected this")
    if module.params["do"] == "vanish":
        print("no JSON"), print("a complaint", file=sys.stderr)
        sys.exit(3)
    if module.params["do"] == "sleep":
        print(os.getpid(), file=open(module.params["name"], "w"), flush=True)
        time.sleep(60)
    if module.params["do"] == "warn":
        module.warn("take care")
        module.deprecate("not for long", version="9.0.0", collection_name="amazon.aws")
    print("chatter", file=sys.stderr)
    module.exit_json(
        changed=not module.check_mode,
        greeting=greeting(module.params["name"]),
        endpoint=os.environ.get("AWS_ENDPOINT_URL"),
        folder=os.getcwd(),
        seen=seen,
        secret=module.params["secret"],
        number=module.params["number"],
        region=module.region,
        diff={"before": "a", "after": "b"},
    )

if __name__ == "__main__":
    main()
"""
# What fails is compared as well, so that the play goes on.
PLAY = """
- hosts: localhost
  gather_facts: false
  ignore_errors: true
  environment: {AWS_ENDPOINT_URL: "http://127.0.0.1:{{ 4000 + 1 }}", AWS_REGION: eu-west-1}
  module_defaults: {probe: {number: 3}}
  tasks:
    - {probe: {name: you, secret: hush}, register: first}
    - {probe: {name: "{{ first.greeting }}", count: "7"}, loop: [1, 2], check_mode: true}
    - {probe: {name: you, do: warn}}
    - {probe: {do: fail, name: you}}
    - {probe: {do: crash, name: you}}
    - {probe: {do: vanish, name: you}}
    - {probe: {number: many}}
    - {probe: {name: you, unknown: 1}}
    - {probe: {name: you}, async: 20, poll: 1}
    - {ping: }
    - amazon.aws.ec2_vpc_net_info: {region: nowhere, endpoint_url: "http://127.0.0.1:9"}
"""
FAILS = [False, False, False, True, True, True, True, True, False, False, True]
# Of the way, not of the answer.
OF_THE_WAY = {"module_stdout", "module_stderr", "exception", "ansible_job_id", "results_file",
              "start", "end", "duration"}  # fmt: skip


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("normal")

    def run(text=PLAY, *options, **environment):
        for name, content in {
            "ansible.cfg": SETTINGS, "play.yml": text, "library/probe.py": PROBE,
            "module_utils/helper.py": HELPER,
        }.items():  # fmt: skip
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
        surroundings = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANSIBLE_", "AWS_"))
        }
        done = subprocess.run(
            ["ansible-playbook", "play.yml", *options],
            cwd=tmp_path,
            env=surroundings | {"PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"} | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done, tmp_path

    return run


def answers(done):
    report, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{\n") :])
    tasks = [task["hosts"]["localhost"] for play in report["plays"] for task in play["tasks"]]
    return [without(each) for each in tasks]


def without(answer):
    kept = {name: value for name, value in answer.items() if name not in OF_THE_WAY}
    if "results" in kept:
        kept["results"] = [without(each) for each in kept["results"]]
    return kept


@pytest.fixture(scope="module")
def forked(play):
    return play(PLAY, "-vvv")


def test_both_ways_give_the_same_answers(play, forked):
    packed, _ = play(PLAY, "-vvv", ANSIBLE_KEEP_REMOTE_FILES="1")
    assert ", in a fork" not in packed.stdout
    here, there = answers(forked[0]), answers(packed)
    assert [each.get("failed", False) for each in here] == FAILS
    for one, other in zip(here, there, strict=True):
        assert one == other


def test_a_module_is_by_itself(forked):
    done, folder = forked
    first, looped, *_ = answers(done)
    assert first["endpoint"] == "http://127.0.0.1:4001"
    assert first["folder"] == str(folder)
    assert first["number"] == 3
    assert "hush" not in done.stdout + done.stderr
    assert [each["seen"] for each in looped["results"]] == [["good day, you"]] * 2


def test_what_a_module_says_comes_through(forked):
    _, _, warned, failed, *_ = answers(forked[0])
    assert any("take care" in each for each in warned["warnings"])
    assert (failed["msg"], failed["found"]) == ("it cannot be", [1])


def test_who_looks_is_told_of_the_fork(forked):
    said = forked[0].stdout
    assert said.count("library/probe.py, in a fork") == 9
    assert "ec2_vpc_net_info.py, in a fork" in said
    assert "ping.py, in a fork" not in said


SLOW = """
- hosts: localhost
  gather_facts: false
  tasks:
    - {probe: {do: sleep, name: "{{ playbook_dir }}/pid"}, timeout: 2}
"""


def test_a_module_ends_with_its_time(play):
    began = time.monotonic()
    done, folder = play(SLOW)
    assert done.returncode == 2
    assert time.monotonic() - began < 30
    assert not Path("/proc", (folder / "pid").read_text().strip()).exists()


# Whether they get there is not ours: neither may be run here, as who we are.
ELSEWHERE = """
- hosts: localhost
  gather_facts: false
  ignore_errors: true
  tasks:
    - {probe: {name: you}, vars: {ansible_python_interpreter: /nowhere/python}}
    - {probe: {name: you}, become: true, become_method: ansible.builtin.sudo}
    - {probe: {name: you}}
"""


def test_another_python_and_another_user_are_not_passed_over(play):
    done, _ = play(ELSEWHERE, "-vvv", ANSIBLE_STDOUT_CALLBACK="default")
    assert done.stdout.count(", in a fork") == 1  # the last
    assert "/nowhere/python" in done.stdout
