"""One execution environment: a container that works on one invocation at a time, frozen between."""

import json
import logging
import os
import select
import shlex
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from localcloud.cgroups import ControlGroups
from localcloud.engine import Sandbox
from localcloud.services.functions import runtime
from localcloud.services.functions.model import INIT_SECONDS, MEMORY_OF_A_CPU, MIB, Plan
from localcloud.services.functions.output import Output
from localcloud.services.functions.runtime_api import ADDRESS, Answer, Invocation, RuntimeApi
from localcloud.services.functions.scratch import Scratch

log = logging.getLogger("localcloud.functions")

KIND = "function"
HOME = "/run/function"
BOOST = 2.0
"""Cores while a function starts: AWS gives them what it needs then, whatever its memory."""
SETTLE_SECONDS = 1
PREPARE_SECONDS = 130
"""That one which is kept has to initialise, or as long as an invocation may take."""
START = f'. {HOME}/environment; exec python3 -m awslambdaric "$_HANDLER" >{HOME}/log 2>&1'


class StillbornError(RuntimeError):
    """An environment failed before it could work; the message is what it said."""


@dataclass
class Outcome:
    """How an invocation ended. ``usable`` says whether the environment can do another one."""

    answer: Answer
    lines: list[str] = field(default_factory=list)
    duration: float = 0.0
    init: float | None = None
    status: str = ""
    usable: bool = True


class Environment:
    """Made for a `Plan`. ``slot`` is its place on the network; ``stream`` its log's name."""

    def __init__(self, plan: Plan, slot: int, engine, directory: Path):
        self.plan = plan
        self.slot = slot
        self.id = f"fn-{uuid.uuid4().hex[:12]}"
        self.engine = engine
        self.born = time.monotonic()
        self.used = self.born
        self.invocations = 0
        self.highest = 0
        now = datetime.now(UTC)
        self.stream = f"{now:%Y/%m/%d}/[{plan.version}]{uuid.uuid4().hex}"
        self.pid = 0
        self.provisioned = False  # it is kept, whether anybody asks or not
        self.working = self.befallen = False
        self._prepared = False
        self._directory = directory / self.id
        self._scratch = Scratch(self._directory)
        self._output: Output | None = None
        self._api: RuntimeApi | None = None
        self._groups: ControlGroups | None = None
        self._started = 0.0

    # life

    def start(self, namespace: str, listener, variables: dict[str, str], code: Path,
              layers: list[Path], mounts: dict[Path, str]) -> None:  # fmt: skip
        """Start the runtime; it initialises while the first invocation waits."""
        root = self._scratch.mount(self.plan.storage, layers)
        home = self._directory / "home"
        home.mkdir()
        # in a file: what a program is called with can be seen by every user of this machine
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        (home / "environment").write_text("".join(lines))
        self._output = Output(home / "log")
        self._api = RuntimeApi(listener)
        self._started = time.monotonic()
        self.pid = self.engine.run_sandbox(
            Sandbox(
                name=self.id,
                root=root,
                hostname=self.id,
                network_namespace=namespace,
                cpus=BOOST,
                memory=self.plan.memory,
                user=f"{runtime.USER}:{runtime.GROUP}",
                directory="/var/task",
                command=("/bin/sh", "-c", START),
                pid_file=self._directory / "pid",
                labels={"kind": KIND, "function": self.plan.function},
                mounts={
                    code: "/var/task:ro",
                    home: f"{HOME}:ro",
                    self._scratch.tmp: "/tmp:rw",  # noqa: S108 - the function's own
                    **mounts,
                },
            )
        )
        try:
            process = os.pidfd_open(self.pid)
            self._started = _begun(self.pid)
            self._groups = ControlGroups(self.pid)
        except OSError:  # it has ended already
            self._api.end()
            return
        threading.Thread(target=self._watch, args=(process,), name=f"watch {self.id}",
                         daemon=True).start()  # fmt: skip

    def remove(self) -> None:
        """End it, whatever it does; nothing of it stays."""
        with suppress(OSError):
            if self._groups:
                self._groups.thaw()  # what is frozen does not die
        self.engine.remove(self.id)
        if self._api:
            self._api.close()
        if self._output:
            self._output.close()
        self._scratch.remove()

    @property
    def alive(self) -> bool:
        return self._api is not None and not self._api.ended

    # work

    def invoke(self, invocation_id: str, arn: str, payload: bytes, context: str = "") -> Outcome:
        """Work on one request; ends it when it takes longer than the function's timeout."""
        self.invocations += 1
        self.used = time.monotonic()
        init = None
        if self.invocations == 1 and not self._prepared:
            # what is longer than AWS's ten seconds is at the expense of the invocation
            begun = self._started
            ready = self._api.wait_until_ready(INIT_SECONDS + self.plan.timeout)
            taken = (self._api.initialised or time.monotonic()) - begun
            init = taken * 1000
            if not ready:
                return self._stillborn(invocation_id, init)
            self._groups.limit_cpus(self.plan.memory / MEMORY_OF_A_CPU)
            spent = max(0.0, taken - INIT_SECONDS)
        else:
            self._groups.thaw()
            spent = 0.0
        begun = time.monotonic() - spent
        left = self.plan.timeout - spent
        self._api.hand_out(
            Invocation(invocation_id, arn, payload, time.time() + left, client_context=context)
        )
        self.working = True
        answer = self._api.wait_for_answer(left)
        self.working = False
        duration = (time.monotonic() - begun) * 1000
        self.highest = max(self.highest, self._groups.memory())
        self.used = time.monotonic()
        if answer is None:
            return self._ended(invocation_id, duration, init)
        usable = self._api.wait_until_ready(max(SETTLE_SECONDS, left - duration / 1000))
        if usable:
            self._groups.freeze()
        return Outcome(answer, self._output.take(), duration, init, usable=usable)

    def prepare(self) -> None:
        """Let it initialise before anybody asks."""
        if not self._api.wait_until_ready(max(PREPARE_SECONDS, self.plan.timeout)):
            raise StillbornError("\n".join(self._output.take()) or "it did not initialise")
        self._groups.limit_cpus(self.plan.memory / MEMORY_OF_A_CPU)
        self._groups.freeze()
        self._prepared = True

    def memory_groups(self) -> list[Path]:
        """Files that take the ids of processes that are to share its memory."""
        return self._groups.memory_files()

    def used_memory(self) -> int:
        """MiB, as REPORT says them."""
        return min(self.plan.memory, -(-self.highest // MIB))

    def _stillborn(self, identity: str, init: float) -> Outcome:
        """It failed before it could work."""
        lines = self._output.take()
        if self._api.init_error is not None:
            lines.append(
                f"INIT_REPORT Init Duration: {init:.2f} ms\tPhase: init\tStatus: error\t"
                "Error Type: Runtime.ExitError"
            )
            return Outcome(self._api.init_error, lines, init=None, status="error", usable=False)
        outcome = self._ended(identity, init, None)
        outcome.lines = lines + outcome.lines
        return outcome

    def _ended(self, identity: str, duration: float, init: float | None) -> Outcome:
        """It is out of time, or its process is gone."""
        lines = self._output.take()
        if self._api.ended:
            how = self._exit()
            lines.append(f"RequestId: {identity} Error: Runtime exited with error: {how}")
            lines.append("Runtime.ExitError")
            if how == "signal: killed":
                self.highest = self.plan.memory * MIB
            kind, reason = "Runtime.ExitError", f"Runtime exited with error: {how}"
            status = "error\tError Type: Runtime.ExitError"
        else:
            seconds = f"{self.plan.timeout:.2f}"
            lines.append(
                f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3]
                + f"Z {identity} Task timed out after {seconds} seconds"
            )
            kind, reason, status = (
                "Sandbox.Timedout", f"Task timed out after {seconds} seconds", "timeout",
            )  # fmt: skip
            duration = self.plan.timeout * 1000
        said = {"errorType": kind, "errorMessage": f"RequestId: {identity} Error: {reason}"}
        answer = Answer(json.dumps(said).encode(), failed=True)
        return Outcome(answer, lines, duration, init, status, usable=False)

    def _exit(self) -> str:
        """How its process ended, as AWS says it."""
        state = self.engine.containers().get(self.id)
        code = state.exit_code if state else 137
        return "signal: killed" if code == 137 else f"exit status {code}"

    def _watch(self, process: int) -> None:
        poll = select.poll()
        poll.register(process, select.POLLIN)
        poll.poll()
        os.close(process)
        self._api.end()


def _begun(pid: int) -> float:
    """When the process began, by the monotonic clock: the engine's own work is no part of init."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


def variables_of(plan: Plan, credentials, stream: str, endpoint: str,
                 provisioned: bool = False) -> dict[str, str]:  # fmt: skip
    """What AWS sets in every environment, beside the function's own."""
    return {
        **dict(plan.variables),
        "_HANDLER": plan.handler,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_DEFAULT_REGION": "us-east-1",
        # where the API is, which no program on AWS has to be told
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(plan.memory),
        "AWS_LAMBDA_FUNCTION_NAME": plan.function,
        "AWS_LAMBDA_FUNCTION_VERSION": plan.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if provisioned else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": plan.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_RUNTIME_API": f"{ADDRESS[0]}:{ADDRESS[1]}",
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": "/var/task:/var/task/lib:/opt/lib",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "PYTHONPATH": "/var/runtime" if "PYTHONPATH" not in dict(plan.variables)
        else f"{dict(plan.variables)['PYTHONPATH']}:/var/runtime",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": ":UTC",
    }  # fmt: skip
