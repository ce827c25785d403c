"""What the tests of modules share."""

import importlib
import pkgutil
import sys
import time

import pytest

import module_utils

from .aws import Done, Failed


@pytest.fixture
def run(monkeypatch):
    """Run a module of library/ with a client of ours; its result, or Failed."""
    # As Ansible maps module_utils/.
    for each in pkgutil.iter_modules(module_utils.__path__):
        found = importlib.import_module(f"module_utils.{each.name}")
        monkeypatch.setitem(sys.modules, f"ansible.module_utils.{each.name}", found)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def run(library_module, client, check_mode=False, **given):
        class Module:
            region = "us-east-1"

            def __init__(self, argument_spec, **options):
                self.params = {key: each.get("default") for key, each in argument_spec.items()}
                self.params |= given
                self.check_mode = check_mode

            def client(self, service, **options):
                return client[service] if isinstance(client, dict) else client

            def fail_json(self, msg, **facts):
                raise Failed(msg)

            def fail_json_aws(self, error, msg):
                raise Failed(f"{msg}: {error}")

            def exit_json(self, **result):
                raise Done(result)

        module = importlib.import_module(f"library.{library_module}")
        monkeypatch.setattr(module, "AnsibleAWSModule", Module)
        with pytest.raises(Done) as done:
            module.main()
        return done.value.args[0]

    return run
