"""Callback plugin: refuse a run that would leave something out, in a sentence, before it starts."""

DOCUMENTATION = r"""
name: whole_runs
type: aggregate
short_description: Refuse to run a playbook of the project in part, or without its ansible.cfg
description:
  - >-
    The phases of a playbook build on each other, across plays and hosts: with C(--limit),
    C(--tags), C(--skip-tags) or C(--start-at-task) a task deep in a role would miss what a task
    before it found.
  - >-
    C(playbooks/callback_plugins) leads here too, so that Ansible finds this plugin when it does not
    find C(ansible.cfg).
author: Simple Mustache Service
"""

import os
import shlex
import sys
from pathlib import Path

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

ROOT = Path(__file__).resolve().parents[1]
# Ansible's name of the option, how it is written, and what nobody gave.
PARTIAL = {
    "subset": ("--limit", None),
    "tags": ("--tags", ["all"]),
    "skip_tags": ("--skip-tags", []),
    "start_at_task": ("--start-at-task", None),
}


def partial(options):
    """Those of the options that leave something out, as they are written."""
    given = {
        written: list(value) if isinstance(value, (list, tuple)) else value
        for name, (written, _) in PARTIAL.items()
        if (value := options.get(name)) is not None
    }
    nothing = dict(PARTIAL.values())
    return [written for written, value in given.items() if value != nothing[written]]


def refusal(playbook, options, configuration, here):
    """Why this playbook cannot run so, or None."""
    if not playbook.is_relative_to(ROOT / "playbooks"):
        return None
    ours = ROOT / "ansible.cfg"
    folder = shlex.quote(str(ROOT))
    if configuration is None and here == ROOT:
        return (
            f"Ansible does not read {ours}, for everybody may write to its folder. "
            f"Run: chmod o-w {folder}"
        )
    if configuration is None or Path(configuration).resolve() != ours:
        return (
            "This needs the project's ansible.cfg, which Ansible reads in its folder only. "
            f"Run: cd {folder} && ansible-playbook {playbook.relative_to(ROOT)}"
        )
    if options := partial(options):
        return (
            f"{' and '.join(options)} would leave out what the rest of {playbook.name} builds on. "
            "Run it whole: what is right already stays as it is, and --check --diff shows what "
            "would change. For less there are deploy.yml, backup.yml and restore.yml; for a "
            "command on one host: ansible HOST -m ansible.builtin.command -a uptime"
        )
    return None


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "whole_runs"
    CALLBACK_NEEDS_ENABLED = False

    def v2_playbook_on_start(self, playbook):
        path = Path(playbook._basedir, Path(playbook._file_name).name).resolve()
        reason = refusal(path, context.CLIARGS, constants.CONFIG_FILE, Path.cwd().resolve())
        if reason:
            self._display.error(reason, wrap_text=False)
            sys.stdout.flush()
            # Ansible takes exceptions of callbacks for warnings and goes on.
            sys.exit(os.EX_USAGE)
