"""Run AWS modules in a fork of Ansible's own process, which has boto3 loaded already.

Ansible takes this plugin for every module that has none of its own. It would pack a module, start
Python and import boto3: half a second, several times what the calls to AWS take. A fork of the
process that waits for the task has all of that (the inventory is read with boto3). The module finds
what it finds in a process of its own: its arguments as JSON, the task's environment, nothing of
other tasks; and its state goes with it.

Everything else goes Ansible's own way: other modules, and AWS modules in the background, as another
user, with another Python, on another connection, or kept for debugging (`keep_remote_files`).
"""

import importlib.util
import json
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

import ansible.module_utils
import ansible.modules
import ansible.plugins.action
from ansible import constants
from ansible.module_utils import _internal
from ansible.module_utils._internal._ansiballz import _loader
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.loader import module_utils_loader
from ansible.utils.display import Display

MARK = "AnsibleAWSModule"
PROFILE = "legacy"  # of JSON to and from modules that declare none; AWS modules do not
FORK = multiprocessing.get_context("fork")


def builtin():
    """Ansible's own plugin of this name, which this one hides."""
    path = Path(ansible.plugins.action.__path__[0], "normal.py")
    spec = importlib.util.spec_from_file_location("ansible_builtin_normal", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ActionModule


class ActionModule(builtin()):
    def _execute_module(
        self, module_name=None, module_args=None, task_vars=None, wrap_async=False, **options
    ):
        name = module_name or self._task.action
        found = None if wrap_async else self._aws_module(name, task_vars or {})
        if not found:
            return super()._execute_module(
                module_name, module_args, task_vars=task_vars, wrap_async=wrap_async, **options
            )
        Display().vvv(f"Using module file {found.plugin_resolved_path}, in a fork")
        arguments = dict(self._task.args if module_args is None else module_args)
        self._update_module_args(name, arguments, task_vars)
        environment = {}
        self._compute_environment_string(environment)
        answer = run_forked(found, arguments, environment, self._loader.get_basedir())
        result = self._parse_returned_data(answer, PROFILE)
        result.remove_internal_keys()
        return result.as_result_dict(for_round_trip=True)

    def _aws_module(self, name, task_vars):
        """Where the module is; nothing when it is not one to run here."""
        if constants.DEFAULT_KEEP_REMOTE_FILES or self._connection.become:
            return None
        if self._connection.transport not in ("local", "ansible.builtin.local"):
            return None
        if self._interpreter(task_vars) != sys.executable:
            return None
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(
            name, ".py", collection_list=self._task.collections
        )
        if not found.resolved or MARK not in Path(found.plugin_resolved_path).read_text("utf-8"):
            return None
        return found

    def _interpreter(self, task_vars):
        if self._task.delegate_to:
            task_vars = task_vars["ansible_delegated_vars"][self._task.delegate_to]
        return self._templar.template(task_vars.get("ansible_python_interpreter"))


def run_forked(found, arguments, environment, folder):
    """Run a module to its end; return what a command would: rc, stdout, stderr."""
    ours, its = os.pipe()  # never a file: there may be secrets in an answer
    with (
        os.fdopen(ours, encoding="utf-8", errors="replace") as answer,
        tempfile.TemporaryFile("w+") as complaints,
    ):
        process = FORK.Process(
            target=run, args=(found, arguments, environment, folder, its, complaints.fileno())
        )
        process.start()
        os.close(its)
        try:
            stdout = answer.read()
            process.join()
        finally:
            process.kill()  # nothing to kill, but where the task has run out of its time
            process.join()
        complaints.seek(0)
        stderr = complaints.read()
    return {
        "rc": process.exitcode,
        "stdout": stdout,
        "stdout_lines": stdout.splitlines(),
        "stderr": stderr,
        "stderr_lines": stderr.splitlines(),
    }


def run(found, arguments, environment, folder, stdout, stderr):
    """Be the module, as AnsiballZ has it on a host."""
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ.update({name: str(value) for name, value in environment.items()})
    os.chdir(folder)
    # Warnings go into the result, not to the display of a controller.
    _internal.is_controller = False
    _internal.import_controller_module = lambda _name, /: None
    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
    parameters = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder)
    _loader.run_module(
        json_params=parameters.encode(),
        profile=PROFILE,
        module_fqn=python_name(found),
        modlib_path="",
        extensions={},
    )


def python_name(found):
    """What to import a module by; those of no collection AnsiballZ has in `ansible.modules`."""
    path = Path(found.plugin_resolved_path)
    collection = found.plugin_resolved_collection
    if collection and collection not in ("ansible.builtin", "ansible.legacy"):
        return f"ansible_collections.{collection}.plugins.modules.{path.stem}"
    ansible.modules.__path__.insert(0, str(path.parent))
    for each in module_utils_loader._get_paths(subdirs=False):
        ansible.module_utils.__path__.append(each)
    return f"ansible.modules.{path.stem}"
