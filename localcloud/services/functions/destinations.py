"""Where the outcome of an event goes: to another function, a topic, a bucket, or a dead letter."""

import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from localcloud.errors import Refusal
from localcloud.identity import callers, policy
from localcloud.services.functions import refusals
from localcloud.settings import ACCOUNT, REGION

log = logging.getLogger("localcloud.functions")

SUCCESS, FAILED, TOO_OLD = "Success", "RetriesExhausted", "EventAgeExceeded"
FUNCTION, TOPIC, BUCKET = (
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:", f"arn:aws:sns:{REGION}:{ACCOUNT}:",
    "arn:aws:s3:::",
)  # fmt: skip
CALLS = {FUNCTION: "lambda:InvokeFunction", TOPIC: "sns:Publish", BUCKET: "s3:PutObject"}


@dataclass(frozen=True)
class Ending:
    """How an event ended. ``result`` is that of its last run, if it ever ran."""

    condition: str
    result: object | None = None
    runs: int = 0


def check(cloud, config: dict, role: str) -> None:
    """Raise for destinations that AWS or the local cloud does not take."""
    for name in ("OnSuccess", "OnFailure"):
        arn = (config.get(name) or {}).get("Destination")
        if arn:
            buckets = (BUCKET,) if name == "OnFailure" else ()
            _check(cloud, arn, role, f"DestinationConfig.{name}", (FUNCTION, TOPIC, *buckets))


def check_dead_letter(cloud, config: dict, role: str) -> None:
    """The same for where dead letters go."""
    if config.get("TargetArn"):
        _check(cloud, config["TargetArn"], role, "DeadLetterConfig", (TOPIC,))


def _check(cloud, arn: str, role: str, name: str, kinds: tuple[str, ...]) -> None:
    kind = _kind(arn)
    if kind not in kinds:
        has = ", ".join(CALLS[each] for each in kinds)
        raise Refusal("not supported", f"The local cloud refuses {name} {arn}: it has {has} only.")
    if not _exists(cloud, kind, arn):
        raise refusals.invalid(f"The destination ARN {arn} is invalid.")
    if not _may(cloud, role, kind, arn):
        raise refusals.invalid("The function's execution role does not have permissions to "
                               f"call {CALLS[kind].partition(':')[2]} on {arn}")  # fmt: skip


class Destinations:
    """Sends what there is to tell. ``accept`` invokes a function later."""

    def __init__(self, cloud, accept: Callable[[str, str | None, bytes], None]):
        self.cloud = cloud
        self._accept = accept

    def send(self, event, function, config: dict, ending: Ending) -> None:
        """Tell whoever is to know how an event of a function ended."""
        side = "OnSuccess" if ending.condition == SUCCESS else "OnFailure"
        arn = (config.get(side) or {}).get("Destination")
        if arn:
            self._deliver(arn, function, json.dumps(_record(event, function, ending)))
        if side == "OnFailure" and function.dead_letter:
            self._deliver(function.dead_letter, function, event.payload.decode(),
                          _attributes(event, ending))  # fmt: skip

    def _deliver(self, arn: str, function, message: str, attributes: dict | None = None) -> None:
        kind = _kind(arn)
        if not _exists(self.cloud, kind, arn) or not _may(self.cloud, function.role, kind, arn):
            log.warning("%s: nothing can be sent to %s", function.function_name, arn)
            return
        if kind == FUNCTION:
            name, _, qualifier = arn.removeprefix(FUNCTION).partition(":")
            self._accept(name, qualifier or None, message.encode())
        elif kind == TOPIC:
            self.cloud.backend("sns").topics[arn].publish(message, message_attributes=attributes)
        else:
            now = datetime.now(UTC)
            key = (f"aws/lambda/async/{function.function_name}/{now:%Y/%m/%d}/"
                   f"{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}")  # fmt: skip
            self.cloud.backend("s3", "aws").put_object(
                arn.removeprefix(BUCKET), key, message.encode()
            )


def _exists(cloud, kind: str, arn: str) -> bool:
    if kind == FUNCTION:
        name = arn.removeprefix(FUNCTION).partition(":")[0]
        return name in cloud.backend("lambda")._lambdas._functions
    if kind == TOPIC:
        return arn in cloud.backend("sns").topics
    return arn.removeprefix(BUCKET) in cloud.backend("s3", "aws").buckets


def _may(cloud, role: str, kind: str, arn: str) -> bool:
    resource = f"{arn}/aws/lambda/async/x" if kind == BUCKET else arn
    policies = callers.of_role(cloud, role)
    return policies is not None and (
        policy.decide(policies, policy.Request(CALLS[kind], resource)) is None
    )


def _kind(arn: str) -> str | None:
    return next((each for each in CALLS if arn.startswith(each)), None)


def _record(event, function, ending: Ending) -> dict:
    """What AWS sends of an event."""
    base = ":".join(function.function_arn.split(":")[:7])
    record = {
        "version": "1.0",
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "requestContext": {
            "requestId": event.id,
            "functionArn": f"{base}:{event.qualifier or '$LATEST'}",
            "condition": ending.condition,
            "approximateInvokeCount": ending.runs,
        },
        "requestPayload": json.loads(event.payload),
    }
    if ending.result is not None:
        answer = ending.result.outcome.answer
        record["responseContext"] = {"statusCode": 200, "executedVersion": ending.result.version}
        if answer.failed:
            record["responseContext"]["functionError"] = "Unhandled"
        record["responsePayload"] = json.loads(answer.payload or b"null")
    return record


def _attributes(event, ending: Ending) -> dict:
    """What a dead letter says beside the event."""
    said = {}
    if ending.result is not None:
        said = json.loads(ending.result.outcome.answer.payload or b"{}")
    message = said.get("errorMessage", "") if isinstance(said, dict) else ""
    values = {"RequestID": event.id, "ErrorCode": "200", "ErrorMessage": message[:1024]}
    return {name: {"Type": "String", "Value": value} for name, value in values.items()}
