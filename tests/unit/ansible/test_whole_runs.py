"""Playbooks run whole and from their folder; everybody else is told so before anything happens."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def play(*words, cwd=ROOT, **environment):
    """`ansible-playbook WORDS` as typed in a shell that knows nothing of the project."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return subprocess.run(
        ["ansible-playbook", *words],
        cwd=cwd,
        env=kept | {"PATH": f"{ROOT}/.venv/bin:/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("playbook", ["stage3.yml", "deploy.yml", "drills/broken_deploy.yml"])
def test_from_elsewhere_the_right_command_is_named(tmp_path, playbook):
    done = play(ROOT / "playbooks" / playbook, cwd=tmp_path)

    assert done.returncode == os.EX_USAGE, done.stdout + done.stderr
    assert f"Run: cd {ROOT} && ansible-playbook playbooks/{playbook}" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "option", [["--limit", "localhost"], ["--tags", "db"], ["--skip-tags", "db"]], ids=" ".join
)
def test_a_part_of_a_run_is_refused_before_the_first_play(option):
    done = play("-i", "localhost,", "playbooks/stage1.yml", *option)

    assert done.returncode == os.EX_USAGE, done.stdout + done.stderr
    assert f"{option[0]} would leave out what the rest of stage1.yml builds on" in done.stderr
    assert "PLAY" not in done.stdout


def test_a_run_from_the_middle_is_refused():
    done = play("-i", "localhost,", "playbooks/destroy.yml", "--start-at-task", "Destroy")

    assert "--start-at-task would leave out" in done.stderr
    assert "PLAY" not in done.stdout


def test_other_playbooks_are_nobodys_business(tmp_path):
    book = tmp_path / "own.yml"
    book.write_text("- hosts: localhost\n  tasks: [{ansible.builtin.debug: {msg: mine}}]\n")

    assert play("-i", "localhost,", book, "--limit", "localhost").returncode == 0


def test_a_folder_that_everybody_may_write_to_is_named(tmp_path):
    clone = tmp_path / "open"
    for part in ("callback_plugins", "playbooks", "library", "module_utils"):
        shutil.copytree(ROOT / part, clone / part, symlinks=True)
    shutil.copy(ROOT / "ansible.cfg", clone)
    clone.chmod(0o777)
    done = play("-i", "localhost,", "playbooks/stage1.yml", cwd=clone)

    assert f"Run: chmod o-w {clone}" in done.stderr
