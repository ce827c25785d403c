"""Rules with a schedule: at their time their targets, which are functions, are invoked."""

import json
import time
import uuid
from datetime import UTC, datetime

from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend

from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.events import schedule
from localcloud.services.functions.destinations import FUNCTION
from localcloud.services.functions.invocations import Invocations
from localcloud.settings import ACCOUNT, REGION

PRINCIPAL = "events.amazonaws.com"
TARGETS = 5
OF_A_TARGET = {"Id", "Arn", "Input"}
LARGEST = 8192
LATE = 60


class Rules(Service):
    """moto keeps the rules; it never looks at the clock."""

    clock = staticmethod(time.time)

    @hook(EventsBackend, "put_rule",
          "self, name, description, event_bus_arn, event_pattern, role_arn, scheduled_expression, "
          "state, managed_by, tags")  # fmt: skip
    def put(self, original, backend, name, *args, **kwargs):
        expression = kwargs.get("scheduled_expression")
        if expression:
            _check(expression)
        before = backend.event_buses["default"].rules.get(name)
        rule = original(backend, name, *args, **kwargs)
        same = before and (before.scheduled_expression, before.state) == (
            rule.scheduled_expression, rule.state,
        )  # fmt: skip
        rule.due = before.due if same else self._next(rule)
        return rule

    @hook(EventsBackend, "enable_rule", "self, name, event_bus_arn")
    def enable(self, original, backend, name, event_bus_arn):
        done = original(backend, name, event_bus_arn)
        rule = backend.event_buses["default"].rules.get(name)
        if rule:
            rule.due = self._next(rule)
        return done

    @hook(EventsBackend, "put_targets", "self, name, event_bus_arn, targets")
    def put_targets(self, original, backend, name, event_bus_arn, targets):
        rule = backend.describe_rule(name, event_bus_arn)
        for each in targets:
            for parameter in sorted(set(each) - OF_A_TARGET):
                raise Refusal("not supported", f"The local cloud refuses {parameter} of a target: "
                              "it would be ignored.")  # fmt: skip
            if not each["Arn"].startswith(FUNCTION):
                raise Refusal("not supported", f"The local cloud refuses the target {each['Arn']}: "
                              "it has functions only.")  # fmt: skip
            _check_input(each)
        if len({each["Id"] for each in (*rule.targets, *targets)}) > TARGETS:
            raise JsonRESTError(
                "LimitExceededException",
                f"The requested resource exceeds the maximum number allowed: {TARGETS} targets.",
            )
        return original(backend, name, event_bus_arn, targets)

    def reconcile(self) -> None:
        now = self.clock()
        for rule in self._rules():
            if rule.state == "ENABLED" and rule.due is not None and rule.due <= now:
                self._fire(rule)
                # what was missed while nothing ran here is made up for once
                rule.due = self._next(rule, rule.due if now - rule.due < LATE else now)

    def _fire(self, rule) -> None:
        due = datetime.fromtimestamp(rule.due, UTC)
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": f"{due:%Y-%m-%dT%H:%M:%SZ}",
            "region": REGION,
            "resources": [rule.arn],
            "detail": {},
        }
        for each in list(rule.targets):
            payload = each.get("Input") or json.dumps(event)
            self.cloud.service(Invocations).accept_from(
                PRINCIPAL, rule.arn, each["Arn"], payload.encode()
            )

    def _next(self, rule, moment: float | None = None) -> float | None:
        if not rule.scheduled_expression:
            return None
        return schedule.after(rule.scheduled_expression, moment or self.clock())

    def _rules(self) -> list:
        return list(self.cloud.backend("events").event_buses["default"].rules.values())

    def rows(self) -> list[Row]:
        return [
            Row(
                id=rule.name,
                kind="rule",
                name=rule.scheduled_expression,
                state=rule.state.lower(),
                address=", ".join(each["Arn"].removeprefix(FUNCTION) for each in rule.targets),
                real=f"next at {datetime.fromtimestamp(rule.due, UTC):%Y-%m-%d %H:%M:%S} UTC"
                if rule.due and rule.state == "ENABLED" else "",
                health="ok",
            )
            for rule in self._rules()
        ]  # fmt: skip


def _check(expression: str) -> None:
    try:
        schedule.check(expression)
    except schedule.UnknownError as error:
        raise Refusal("not supported", f"The local cloud refuses {expression}: it does not know "
                      "L, W and # of cron's times.") from error  # fmt: skip
    except schedule.ScheduleError as error:
        raise ValidationException("Parameter ScheduleExpression is not valid.") from error


def _check_input(target: dict) -> None:
    text = target.get("Input")
    if text is None:
        return
    try:
        json.loads(text)
    except ValueError as error:
        raise ValidationException(
            f"JSON syntax error in input for target {target['Id']} : {error}."
        ) from error
    if len(text) > LARGEST:
        raise ValidationException(
            f"1 validation error detected: Value at 'targets.1.member.input' failed to satisfy "
            f"constraint: Member must have length less than or equal to {LARGEST}"
        )
