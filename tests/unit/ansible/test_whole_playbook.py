"""A run within a run: what it gets, what is seen of it, and how both end."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SETTINGS = f"""
[defaults]
action_plugins = {ROOT}/action_plugins
library = {ROOT}/library
"""
OUTER = """
- hosts: localhost
  gather_facts: false
  tasks:
    - whole_playbook:
        path: "{{ playbook_dir }}/inner.yml"
        without: [front]
        variables: {name_given: grace, size: large}
    - debug: {msg: it goes on}
"""
INNER = """
- hosts: localhost
  gather_facts: false
  tasks:
    - debug:
        msg: >-
          {{ name_given }}, {{ front | default('no front') }}, {{ groups.web | default([]) }},
          {{ password }}, {{ day | default('') }}, {{ size }}
"""


@pytest.fixture
def start(tmp_path):
    """Begin a run of the outer playbook, with this one within it."""

    def begin(inner, *options):
        for name, text in {"ansible.cfg": SETTINGS, "outer.yml": OUTER, "inner.yml": inner}.items():
            (tmp_path / name).write_text(text)
        (tmp_path / "hosts.yml").write_text("{web: {hosts: {one: {}}}}\n")
        # Other tests read the project's settings, which Ansible leaves in the environment.
        surroundings = {
            name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")
        }
        begun.append(
            subprocess.Popen(
                ["ansible-playbook", "-i", "hosts.yml", "outer.yml", *options],
                cwd=tmp_path,
                env=surroundings
                | {"PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return begun[-1]

    begun = []
    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def finished(process):
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_it_has_the_variables_and_the_inventory_of_the_other(start):
    code, output = finished(
        start(
            INNER, "-e", "name_given=ada front=cdn", "-e", "{password: two words, day: 2026-11-29}"
        )
    )

    assert code == 0
    assert "ada, no front, ['one'], two words, 2026-11-29, large" in output
    assert "it goes on" in output


def test_its_failure_is_one_of_the_other(start):
    code, output = finished(start("- hosts: localhost\n  tasks: [{fail: {msg: no room}}]\n"))

    assert code == 2
    assert "no room" in output
    assert "inner.yml ended with 2: see above." in output
    assert "it goes on\n" not in output


def test_check_mode_does_not_run_it(start):
    code, output = finished(start(INNER, "--check"))

    assert code == 0
    assert "no front" not in output
    assert "it goes on" in output


def test_its_output_comes_while_it_runs_and_it_ends_with_the_other(start, tmp_path):
    waits = """
- hosts: localhost
  gather_facts: false
  tasks:
    - debug: {msg: here it waits}
    - copy: {dest: "{{ playbook_dir }}/began", content: ""}
    - wait_for: {path: "{{ playbook_dir }}/never", timeout: 60}
    - copy: {dest: "{{ playbook_dir }}/went on", content: ""}
"""
    process = start(waits)
    said = ""
    while "here it waits" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    deadline = time.monotonic() + 30
    while not (tmp_path / "began").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)

    process.send_signal(signal.SIGINT)

    assert finished(process)[0] != 0
    deadline = time.monotonic() + 20
    while running(tmp_path):
        assert time.monotonic() < deadline, running(tmp_path)
        time.sleep(0.1)
    assert not (tmp_path / "went on").exists()


def running(folder):
    """Command lines of the processes that run the inner playbook."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().decode().split("\0")
        except OSError:
            continue
        if f"{folder}/inner.yml" in words:
            found.append(words)
    return found
