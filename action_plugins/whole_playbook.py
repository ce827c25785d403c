"""Run another playbook, and show what it says: library/whole_playbook.py has the manual."""

import ctypes
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from ansible import constants, context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

PR_SET_PDEATHSIG = 1
# What a caller may have given on the command line, that is not what to run or with which variables.
PASSED = {
    "inventory": "--inventory",
    "vault_ids": "--vault-id",
    "vault_password_files": "--vault-password-file",
}


def options(given):
    """The options of this run that hold for the other one too."""
    passed = [
        f"{written}={value}" for name, written in PASSED.items() for value in given.get(name) or ()
    ]
    return (
        passed
        + ["--diff"] * bool(given.get("diff"))
        + ["-" + "v" * given["verbosity"]] * bool(given.get("verbosity"))
    )


def end_with_us():
    """Let Linux interrupt this process when the one that started it ends, in whichever way."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset(("path", "variables", "without"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(
            {
                "path": {"type": "path", "required": True},
                "variables": {"type": "dict", "default": {}},
                "without": {"type": "list", "elements": "str", "default": []},
            }
        )
        if self._task.check_mode:
            return result | {"skipped": True, "msg": f"Check mode does not run {given['path']}."}
        variables = given["variables"] | {
            name: value
            for name, value in load_extra_vars(self._loader).items()
            if name not in given["without"]
        }
        # They may hold secrets, which a command line would show to everybody on this machine.
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            # YAML has dates, and Ansible what a vault has to open.
            json.dump(variables, file, default=str)
            file.flush()
            command = [
                str(Path(task_vars["ansible_playbook_python"]).with_name("ansible-playbook")),
                given["path"],
                f"--extra-vars=@{file.name}",
                *options(context.CLIARGS),
            ]
            code = self._show(command)
        if code:
            raise AnsibleActionFail(
                f"{Path(given['path']).name} ended with {code}: see above. "
                "Run the same again; it goes on from there."
            )
        return result | {"changed": True}

    def _show(self, command):
        """Run it in the project's folder, line by line on our own output; return its exit code."""
        environment = {"PYTHONUNBUFFERED": "1"} | dict(os.environ)
        # It is in our log already.
        environment.pop("ANSIBLE_LOG_PATH", None)
        if ANSIBLE_COLOR:
            environment["ANSIBLE_FORCE_COLOR"] = "true"
        with subprocess.Popen(
            command,
            cwd=Path(constants.CONFIG_FILE).parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=end_with_us,
        ) as process:
            for line in process.stdout:
                Display().display(line.rstrip("\n"))
        return process.returncode
