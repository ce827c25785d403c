"""The calls that run functions: with their answer, or later."""

import base64
import json
import logging
import random
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse

from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.identity import callers
from localcloud.services.base import Service
from localcloud.services.functions import logs, refusals
from localcloud.services.functions.environment import Outcome
from localcloud.services.functions.fleet import Throttled
from localcloud.services.functions.functions import Functions
from localcloud.services.functions.model import EVENT, PAYLOAD, Plan
from localcloud.services.managed import FAILURES

log = logging.getLogger("localcloud.functions")

RETRY_SECONDS = (60, 120)
"""After the first and after the second failure of an event."""
OLDEST_EVENT = 6 * 3600
BUSY_SECONDS = (1, 300)
"""Between two tries of an event that finds no room, at first and at most."""
WORKERS = 8
draw = random.random  # an alias's shares are no secret
QUALIFIED = re.compile(r"(?:arn:aws:lambda:[^:]+:\d+:function:)?([^:]+)(?::(.+))?")


@dataclass
class Event:
    """An invocation that nobody waits for. It is saved with the API's state until it is done."""

    id: str
    function: str
    qualifier: str | None
    payload: bytes
    accepted: float
    due: float
    failures: int = 0
    throttles: int = 0


@dataclass(frozen=True)
class Result:
    """What the caller of an invocation learns."""

    outcome: Outcome
    version: str
    log: bytes


class Invocations(Service):
    """Runs functions for whoever may; `identity` has decided that before."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._writer = logs.LogWriter(cloud)
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="events")
        self._working: set[str] = set()
        self._lock = threading.Lock()

    # the API's call

    @hook(LambdaResponse, "invoke", "self")
    def invoke(self, original, response):
        name = unquote(response.path.rsplit("/", 2)[-2])
        qualifier = (response.querystring or {}).get("Qualifier", [None])[0]
        kind = response.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        payload = response.body or b""
        if isinstance(payload, str):
            payload = payload.encode()
        _check(kind, payload)
        function, qualifier = _named(name, qualifier)
        if kind != "RequestResponse":
            self._choose(function, qualifier)  # there is one
        if kind == "DryRun":
            return 204, {"status": 204}, ""
        if kind == "Event":
            self.accept(function, qualifier, payload)
            return 202, {"status": 202}, ""
        context = response.headers.get("X-Amz-Client-Context") or ""
        if context:
            context = base64.b64decode(context).decode()
        result = self.run(function, qualifier, payload, context=context)
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": result.version}
        if result.outcome.answer.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if response.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(result.log).decode()
        return 200, headers, result.outcome.answer.payload

    # what other services of the local cloud may ask, too

    def run(self, function: str, qualifier: str | None, payload: bytes,
            request: str = "", context: str = "") -> Result:  # fmt: skip
        """Run it now; `Refusal` with 429 when there is no room."""
        plan, arn, latest = self._choose(function, qualifier)
        request = request or str(uuid.uuid4())
        functions = self.cloud.service(Functions)
        try:
            environment = functions.fleet.take(plan, latest.reserved_concurrency)
        except Throttled as error:
            raise Refusal((429, "TooManyRequestsException"), f"Rate Exceeded. ({error})") from error
        except FAILURES as error:
            log.exception("an environment of %s", function)
            raise Refusal((500, "ServiceException"), f"No environment starts: {error}") from error
        usable = False
        try:
            outcome = environment.invoke(request, arn, payload or b"{}", context)
            usable = outcome.usable
            events = logs.lines(environment, request, outcome)
            self._log(environment, events)
        finally:
            functions.fleet.give_back(environment, usable)
        return Result(outcome, plan.version, logs.tail(events))

    def accept(self, function: str, qualifier: str | None, payload: bytes) -> None:
        """Run it soon. The event is on the disk before the call is answered."""
        now = time.time()
        event = Event(str(uuid.uuid4()), function, qualifier, payload or b"{}", now, now)
        self._events().append(event)
        self._submit(event)

    # events

    def reconcile(self) -> None:
        now = time.time()
        for event in list(self._events()):
            if event.due <= now:
                self._submit(event)

    def _submit(self, event: Event) -> None:
        with self._lock:
            if event.id in self._working:
                return
            self._working.add(event.id)
        self._workers.submit(self._work, event)

    def _work(self, event: Event) -> None:
        try:
            done = self._try(event)
            if done:
                self._events().remove(event)
        except Exception:
            log.exception("event %s of %s", event.id, event.function)
            event.due = time.time() + BUSY_SECONDS[1]
        finally:
            with self._lock:
                self._working.discard(event.id)
        self.cloud.save()

    def _try(self, event: Event) -> bool:
        """Whether nothing more is to be done about the event."""
        retries, oldest = self._patience(event)
        now = time.time()
        if now - event.accepted > oldest:
            log.warning("%s: event %s is too old", event.function, event.id)
            return True
        try:
            result = self.run(event.function, event.qualifier, event.payload, event.id)
        except Refusal as error:
            if error.named("rest-json")[0] not in (429, 500):
                log.warning("%s: event %s: %s", event.function, event.id, error.message)
                return True
            least, most = BUSY_SECONDS
            event.due = now + min(most, least * 2**event.throttles)
            event.throttles += 1
            return False
        if not result.outcome.answer.failed:
            return True
        event.failures += 1
        if event.failures > retries:
            log.warning("%s: event %s failed %d times", event.function, event.id, event.failures)
            return True
        event.due = time.time() + RETRY_SECONDS[event.failures - 1]
        return False

    def _patience(self, event: Event) -> tuple[int, int]:
        """How often an event is tried again, and how old it may become."""
        group = self.cloud.backend("lambda")._lambdas._functions.get(event.function)
        configured = group["latest"].event_invoke_config if group else []
        config = configured[0].config if configured else {}
        return (
            config.get("MaximumRetryAttempts", len(RETRY_SECONDS)),
            config.get("MaximumEventAgeInSeconds", OLDEST_EVENT),
        )

    def _events(self) -> list[Event]:
        return vars(self.cloud.backend("lambda")).setdefault("events", [])

    # how

    def _choose(self, name: str, qualifier: str | None) -> tuple[Plan, str, object]:
        """What runs, under which ARN, and the function; of an alias by its weights."""
        backend = self.cloud.backend("lambda")
        function = backend.get_function(name, qualifier)
        latest = backend.get_function(name)
        arn = ":".join(latest.function_arn.split(":")[:7]) + (f":{qualifier}" if qualifier else "")
        alias = next((e for e in backend.list_aliases(name) if e.name == qualifier), None)
        if alias and alias.routing_config:
            weights = alias.routing_config.get("AdditionalVersionWeights") or {}
            for version, weight in weights.items():
                if draw() < weight:
                    function = backend.get_function(name, version)
        if function.plan is None:
            raise refusals.conflict(
                "The operation cannot be performed at this time. The function is currently in the "
                f"following state: {function.state}"
            )
        return function.plan, arn, latest

    def _log(self, environment, events: list[str]) -> None:
        try:
            caller = callers.find(self.cloud, environment.access_key, here=False)
        except Refusal:  # the role is gone: nobody may write
            return
        self._writer.write(environment, caller, events)

    def close(self) -> None:
        self._workers.shutdown(wait=False, cancel_futures=True)


def _check(kind: str, payload: bytes) -> None:
    if kind not in ("RequestResponse", "Event", "DryRun"):
        raise refusals.invalid(f"Invalid invocation type: {kind}")
    limit = EVENT if kind == "Event" else PAYLOAD
    if len(payload) > limit:
        raise Refusal(
            (413, "RequestTooLargeException"),
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
        )
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        raise Refusal(
            (400, "InvalidRequestContentException"),
            f"Could not parse request body into json: {error}",
        ) from error


def _named(name: str, qualifier: str | None) -> tuple[str, str | None]:
    """A function's name and the qualifier, which may be a part of what it was called by."""
    found = QUALIFIED.fullmatch(name)
    if found is None:
        raise refusals.invalid(f"Invalid function name: {name}")
    return found[1], found[2] or qualifier
