"""The calls that run functions: with their answer, or later."""

import base64
import json
import logging
import random
import re
import uuid
from dataclasses import dataclass
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse
from moto.core.exceptions import JsonRESTError

from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.identity import callers, policy
from localcloud.services.base import Service
from localcloud.services.functions import logs, refusals
from localcloud.services.functions.destinations import Destinations
from localcloud.services.functions.environment import Outcome
from localcloud.services.functions.events import Queue
from localcloud.services.functions.fleet import Throttled
from localcloud.services.functions.functions import Functions
from localcloud.services.functions.model import EVENT, PAYLOAD, Plan
from localcloud.services.functions.traffic import Traffic, subjects
from localcloud.services.managed import FAILURES
from localcloud.settings import ACCOUNT
from localcloud.shelves import Shelf

log = logging.getLogger("localcloud.functions")

draw = random.random  # an alias's shares are no secret
QUALIFIED = re.compile(r"(?:arn:aws:lambda:[^:]+:\d+:function:)?([^:]+)(?::(.+))?")


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
        self.traffic = Traffic()
        self.queue = Queue(cloud, self.run, Destinations(cloud, self.accept))

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
        function, qualifier = named(name, qualifier)
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
        counted = subjects(function, qualifier, plan.version)
        try:
            environment = functions.fleet.take(plan, latest.reserved_concurrency)
        except Throttled as error:
            self.traffic.throttled(counted)
            raise Refusal((429, "TooManyRequestsException"), f"Rate Exceeded. ({error})") from error
        except FAILURES as error:
            log.exception("an environment of %s", function)
            raise Refusal((500, "ServiceException"), f"No environment starts: {error}") from error
        usable = False
        try:
            with self.traffic.running(counted):
                outcome = environment.invoke(request, arn, payload or b"{}", context)
            self.traffic.ran(counted, outcome.duration, outcome.answer.failed)
            usable = outcome.usable
            events = logs.lines(environment, request, outcome)
            self._log(environment, events)
        finally:
            functions.fleet.give_back(environment, usable)
        return Result(outcome, plan.version, logs.tail(events))

    def accept(self, function: str, qualifier: str | None, payload: bytes) -> None:
        """Run it soon. The event is on the disk before the call is answered."""
        self.queue.accept(function, qualifier, payload)

    def lets(self, principal: str, source: str, arn: str) -> bool:
        """Whether a service may invoke that function for ``source``, as its policy says."""
        name, qualifier = named(arn, None)
        try:
            self.cloud.backend("lambda").get_function(name, qualifier)
        except JsonRESTError:
            return False
        asked = policy.Request(
            "lambda:InvokeFunction", arn,
            {"aws:sourcearn": [source], "aws:sourceaccount": [ACCOUNT]},
            principals=(principal,),
        )  # fmt: skip
        documents = [self.cloud.service(Functions).policy(arn) or "{}"]
        return policy.says(documents, asked, "Allow") and not policy.says(documents, asked, "Deny")

    def accept_from(self, principal: str, source: str, arn: str, payload: bytes) -> None:
        """What a service tells a function, if it may."""
        if self.lets(principal, source, arn):
            self.accept(*named(arn, None), payload)
        else:
            log.warning("%s may not invoke %s for %s", principal, arn, source)

    # events

    def adopt(self) -> list[str]:
        for each in self.cloud.service(Functions).all():  # of an older state file
            vars(each).setdefault("event_configs", {})
            vars(each).setdefault("dead_letter", None)
            vars(each).setdefault("provisioned", {})
        self.queue.fill(vars(self.cloud.backend("lambda")).pop("events", []))
        return []

    def shelves(self) -> list[Shelf]:
        return [self.queue.events]

    def save(self) -> None:
        self.queue.save()

    def reconcile(self) -> None:
        self.queue.submit_due()

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
        self.queue.close()


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


def named(name: str, qualifier: str | None) -> tuple[str, str | None]:
    """A function's name and the qualifier, which may be a part of what it was called by."""
    found = QUALIFIED.fullmatch(name)
    if found is None:
        raise refusals.invalid(f"Invalid function name: {name}")
    return found[1], found[2] or qualifier
