"""What functions and their platform say, in CloudWatch Logs."""

import math
import time

from moto.core.utils import unix_time_millis

from localcloud.identity import callers, policy
from localcloud.services.functions.environment import Environment, Outcome
from localcloud.settings import ACCOUNT, REGION

STREAMS, EVENTS = 20, 500
"""What is kept of a function: all of it is in the state file, which every change writes."""
TAIL = 4096


def lines(environment: Environment, request: str, outcome: Outcome) -> list[str]:
    """The events of one invocation, as AWS writes them."""
    before, own = [], outcome.lines
    if environment.invocations == 1:
        before = [f"INIT_START Runtime Version: python:3.13\tRuntime Version ARN: "
                  f"arn:aws:lambda:{REGION}::runtime:localcloud"]  # fmt: skip
    return [
        *before,
        f"START RequestId: {request} Version: {environment.plan.version}",
        *own,
        f"END RequestId: {request}",
        report(environment, request, outcome),
    ]


def report(environment: Environment, request: str, outcome: Outcome) -> str:
    billed = math.ceil(outcome.duration + (outcome.init or 0))
    fields = [
        f"REPORT RequestId: {request}",
        f"Duration: {outcome.duration:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {environment.plan.memory} MB",
        f"Max Memory Used: {environment.used_memory()} MB",
    ]
    if outcome.init is not None:
        fields.append(f"Init Duration: {outcome.init:.2f} ms")
    if outcome.status:
        fields.append(f"Status: {outcome.status}")
    return "\t".join(fields) + "\t"


class LogWriter:
    """Writes with the rights of the function's role: without them nothing is written, as on AWS."""

    def __init__(self, cloud):
        self.cloud = cloud

    def write(self, environment: Environment, caller: callers.Caller, events: list[str]) -> None:
        group, stream = environment.plan.group, environment.stream
        backend = self.cloud.backend("logs")
        with self.cloud.lock:
            if group not in backend.groups:
                if not _may(caller, "CreateLogGroup", f"log-group:{group}"):
                    return
                backend.create_log_group(group, {})
            streams = backend.groups[group].streams
            named = f"log-group:{group}:log-stream:{stream}"
            if stream not in streams:
                if not _may(caller, "CreateLogStream", f"log-group:{group}"):
                    return
                backend.create_log_stream(group, stream)
            if not _may(caller, "PutLogEvents", named):
                return
            now = int(unix_time_millis())
            backend.put_log_events(
                group, stream, [{"timestamp": now, "message": line} for line in events]
            )
            del streams[stream].events[:-EVENTS]
            for name in list(streams)[:-STREAMS]:
                del streams[name]


def tail(events: list[str]) -> bytes:
    """What a caller gets who asks for the log."""
    return "".join(f"{each}\n" for each in events).encode()[-TAIL:]


def _may(caller: callers.Caller, action: str, resource: str) -> bool:
    request = policy.Request(
        f"logs:{action}", f"arn:aws:logs:{REGION}:{ACCOUNT}:{resource}",
        {**caller.context, "aws:epochtime": [str(int(time.time()))]},
    )  # fmt: skip
    return policy.decide(caller.policies, request) is None
