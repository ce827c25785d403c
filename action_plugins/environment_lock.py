"""Hold an environment until this run has ended: library/environment_lock.py has the manual."""

import contextlib
import email.utils
import getpass
import json
import os
import secrets
import select
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import boto3
from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SIGN_OF_LIFE = 60


class Held(Exception):
    """Somebody else has the lock."""


class Lock:
    """An SSM parameter that one run has at a time; ``ssm`` is a client."""

    def __init__(self, ssm, name, holder, lease=300):
        self.ssm, self.name, self.holder, self.lease = ssm, name, holder, lease

    def take(self, take_over=False):
        """Have it, or raise ``Held``."""
        if self._make():
            return
        found = self._look()
        if found:
            other, age = found
            if not take_over and age < self.lease:
                raise Held(held(other, age, self.lease))
            # Two that come at this moment find the same dead holder: one of them makes it anew.
            self._remove()
        if not self._make():
            raise Held("Another run has just taken the lock of this environment: try again.")

    def renew(self):
        """Show a sign of life; return whether the lock is still ours."""
        if not self._ours():
            return False
        self._put(Overwrite=True)
        return True

    def release(self):
        if self._ours():
            self._remove()

    def _put(self, **options):
        text = json.dumps(self.holder)
        return self.ssm.put_parameter(Name=self.name, Value=text, Type="String", **options)

    def _make(self):
        try:
            self._put()
        except self.ssm.exceptions.ParameterAlreadyExists:
            return False
        return True

    def _look(self):
        """The holder, and the seconds since its last sign of life; None when there is none."""
        try:
            answer = self.ssm.get_parameter(Name=self.name)
        except self.ssm.exceptions.ParameterNotFound:
            return None
        now = email.utils.parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (now - answer["Parameter"]["LastModifiedDate"]).total_seconds()
        return json.loads(answer["Parameter"]["Value"]), max(age, 0)

    def _ours(self):
        found = self._look()
        return found is not None and found[0]["run"] == self.holder["run"]

    def _remove(self):
        self.ssm.delete_parameters(Names=[self.name])


def held(holder, age, lease):
    """What to tell who comes second."""
    since = holder["since"].replace("T", " ")
    return (
        f"{holder['who']} on {holder['host']} runs {holder['what']} here since {since}; its last "
        f"sign of life was {age:.0f} s ago. One run at a time: wait until it has ended. If it is "
        f"dead, its lock falls {lease} s after the last sign of life, or now with: "
        "-e break_lock=true"
    )


def holder():
    """This run, for whoever comes second."""
    return {
        "who": os.environ.get("SUDO_USER") or getpass.getuser(),
        "host": socket.gethostname(),
        "what": " ".join(Path(each).name for each in context.CLIARGS["args"]),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": secrets.token_hex(8),
    }


def client():
    """SSM as the environment of this process says; nobody waits long for a lock."""
    patience = Config(connect_timeout=10, read_timeout=30, retries={"max_attempts": 5})
    return boto3.client("ssm", config=patience)


def watch(pid, lock):
    """Keep the lock while the process lives, then give it back."""
    with contextlib.suppress(ProcessLookupError):
        running = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(running, select.POLLIN)
        while not poll.poll(SIGN_OF_LIFE * 1000):
            # AWS may be away for a moment; the lease is five times as long.
            with contextlib.suppress(BotoCoreError, ClientError):
                if not lock.renew():
                    return
    give_up = time.monotonic() + lock.lease
    while time.monotonic() < give_up:
        try:
            lock.release()
        except (BotoCoreError, ClientError):
            time.sleep(1)
        else:
            return


def leave(pid, name, holder, lease):
    """Let a process of its own watch, which nobody waits for and no terminal ends."""
    if os.fork():
        return
    code = 1
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir("/")
        watch(pid, Lock(client(), name, holder, lease))
        code = 0
    finally:
        os._exit(code)


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset(("name", "lease", "take_over"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(
            {
                "name": {"type": "str", "required": True},
                "lease": {"type": "int", "default": 300},
                "take_over": {"type": "bool", "default": False},
            }
        )
        result["changed"] = False
        if self._task.check_mode:
            return result | {"skipped": True, "msg": "Check mode takes no lock."}
        # This process ends with the task, so the play's environment may become its own.
        environment = {}
        self._compute_environment_string(environment)
        os.environ.update({name: str(value) for name, value in environment.items()})
        mine = holder()
        try:
            Lock(client(), given["name"], mine, given["lease"]).take(given["take_over"])
        except Held as error:
            raise AnsibleActionFail(str(error)) from error
        except (BotoCoreError, ClientError) as error:
            raise AnsibleActionFail(f"The lock {given['name']} cannot be taken: {error}") from error
        leave(os.getppid(), given["name"], mine, given["lease"])
        return result | {"holder": mine}
