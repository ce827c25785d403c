"""Alarms: kept by moto, evaluated here, and the actions that they take."""

import logging
from datetime import UTC, datetime

from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.cloudwatch import actions, refusals, wording
from localcloud.services.cloudwatch.evaluation import (
    EXTRA,
    INSUFFICIENT,
    Decision,
    Rule,
    Seen,
    decide,
)
from localcloud.services.cloudwatch.history import ACTION, CONFIGURED, STATE, History
from localcloud.services.cloudwatch.metrics import MINUTE, Metrics
from localcloud.services.cloudwatch.store import Metric
from localcloud.services.cloudwatch.values import statistic

log = logging.getLogger("localcloud.cloudwatch")

SHORTEST = 10
"""Seconds between two looks at an alarm whose period is shorter than a minute."""
MOST_A_CALL, USUAL_A_CALL = 100, 50


class Alarms(Service):
    """Alarms on one metric each."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._repeated: dict[str, float] = {}

    # the API's calls

    @hook(CloudWatchResponse, "put_metric_alarm", "self")
    def check(self, original, response):
        refusals.check_alarm(response._get_params())
        return original(response)

    @hook(CloudWatchBackend, "put_metric_alarm",
          "self, name, namespace, metric_name, comparison_operator, evaluation_periods, period, "
          "threshold, statistic, description, dimensions, alarm_actions, metric_data_queries, "
          "datapoints_to_alarm, extended_statistic, ok_actions, insufficient_data_actions, unit, "
          "actions_enabled, treat_missing_data, evaluate_low_sample_count_percentile, "
          "threshold_metric_id, rule, tags")  # fmt: skip
    def put(self, original, backend, name, *args, **kwargs):
        """Also for other services, which make alarms of their own."""
        before = backend.alarms.get(name)
        tagger = backend.tagger
        tags = before and tagger.get_tag_dict_for_resource(before.alarm_arn)
        alarm = original(backend, name, *args, **kwargs)
        now = _naive(self._now())
        alarm.configuration_updated_timestamp = now
        if before:
            # an update leaves the state as it is, and the tags
            for attribute in STATE_ATTRIBUTES:
                setattr(alarm, attribute, getattr(before, attribute, None))
            tagger.delete_all_tags_for_resource(alarm.alarm_arn)
            tagger.tag_resource(alarm.alarm_arn, tagger.convert_dict_to_tags_input(tags))
        else:
            alarm.state_value = INSUFFICIENT
            alarm.state_reason_data = None
            alarm.state_updated_timestamp = alarm.state_transitioned_timestamp = now
        verb, kind = ("updated", "Update") if before else ("created", "Create")
        self._history.note(alarm, CONFIGURED, f'Alarm "{name}" {verb}', {"type": kind})
        return alarm

    @hook(CloudWatchBackend, "delete_alarms", "self, alarm_names")
    def delete(self, original, backend, alarm_names):
        for name in alarm_names:
            if name in backend.alarms:
                self._history.note(
                    backend.alarms[name], CONFIGURED, f'Alarm "{name}" deleted', {"type": "Delete"}
                )
                self._repeated.pop(name, None)
        return original(backend, alarm_names)

    @hook(CloudWatchResponse, "describe_alarms", "self")
    def describe(self, original, response):
        """moto follows one of the filters only."""
        asked = response._get_params()
        found = [
            alarm
            for _, alarm in sorted(response.cloudwatch_backend.alarms.items())
            if _wanted(alarm, asked)
        ]
        first = int(asked.get("NextToken") or 0)
        most = int(asked.get("MaxRecords") or USUAL_A_CALL)
        shown = {"MetricAlarms": found[first : first + most], "CompositeAlarms": []}
        if "MetricAlarm" not in (asked.get("AlarmTypes") or ["MetricAlarm"]):
            shown["MetricAlarms"] = []
        elif first + most < len(found):
            shown["NextToken"] = str(first + most)
        return ActionResult(shown)

    @hook(CloudWatchResponse, "describe_alarms_for_metric", "self")
    def describe_for_metric(self, original, response):
        asked = response._get_params()
        dimensions = {each["Name"]: each["Value"] for each in asked.get("Dimensions") or []}
        wanted = Metric.of(asked["Namespace"], asked["MetricName"], dimensions)
        found = [
            alarm
            for _, alarm in sorted(response.cloudwatch_backend.alarms.items())
            if metric(alarm) == wanted
            and asked.get("Statistic") in (None, alarm.statistic)
            and asked.get("ExtendedStatistic") in (None, alarm.extended_statistic)
            and asked.get("Period") in (None, alarm.period)
            and asked.get("Unit") in (None, alarm.unit)
        ]
        return ActionResult({"MetricAlarms": found})

    @hook(CloudWatchBackend, "set_alarm_state",
          "self, alarm_name, reason, reason_data, state_value")  # fmt: skip
    def set_state(self, original, backend, alarm_name, reason, reason_data, state_value):
        """It does what the state does; the next evaluation puts the state right."""
        alarm = backend.alarms.get(alarm_name)
        before = alarm and alarm.state_value
        original(backend, alarm_name, reason, reason_data, state_value)
        alarm.history.clear()  # ours is elsewhere, and not in the state file
        self._stamp(alarm)
        if before != state_value:
            self._changed(alarm, before)

    # evaluation

    def evaluate(self, short: bool = False) -> None:
        """Look at the alarms whose time has come: all, or those with ``short`` periods only."""
        for alarm in self._all():
            if short and alarm.period >= MINUTE:
                continue
            try:
                self.look(alarm)
            except Exception:  # one bad alarm must not keep the others from being looked at
                log.exception("alarm %s", alarm.name)

    def look(self, alarm: Alarm) -> None:
        """Evaluate one alarm and let it act."""
        now, rule = self._now(), rule_of(alarm)
        decision = self.decide(alarm, rule, now)
        before = alarm.state_value
        if decision.state not in (None, before):
            alarm.state_value = decision.state
            alarm.state_reason = wording.reason(rule, decision)
            alarm.state_reason_data = wording.data(
                rule, decision, alarm.extended_statistic or alarm.statistic, alarm.period,
                alarm.unit, now,
            )  # fmt: skip
            self._stamp(alarm)
            self._changed(alarm, before)
        elif now.timestamp() - self._repeated.get(alarm.name, 0) >= MINUTE - 1:
            self._act(alarm, repeated=True)

    def decide(self, alarm: Alarm, rule: Rule, now: datetime) -> Decision:
        """What the metric says of the alarm at this moment."""
        step = SHORTEST if alarm.period < MINUTE else MINUTE
        end = int(now.timestamp()) // step * step
        start = end - alarm.period * (rule.periods + EXTRA)
        name = alarm.extended_statistic or alarm.statistic
        found: dict[int, list] = {}
        for point in self.cloud.service(Metrics).store.read(
            metric(alarm), start, end, alarm.unit or None
        ):
            found.setdefault((end - 1 - point.at) // alarm.period, []).append(point.values)
        seen: list[Seen | None] = []
        for age in range(rule.periods + EXTRA):
            value = statistic(name, found.get(age, []))
            at = datetime.fromtimestamp(end - alarm.period * (age + 1), UTC)
            samples = sum(each.count for each in found.get(age, []))
            seen.append(None if value is None else Seen(at, float(value), samples))
        if _too_few(alarm, seen[: rule.periods]):
            return Decision(None)
        return decide(rule, seen)

    # what the cloud asks

    def rows(self) -> list[Row]:
        return [
            Row(
                id=alarm.name,
                kind="alarm",
                name=f"{alarm.extended_statistic or alarm.statistic} of {alarm.namespace} "
                f"{alarm.metric_name}",
                state=alarm.state_value,
                real=", ".join(f"{each.name} {each.value}" for each in alarm.dimensions),
                health="" if alarm.actions_enabled else "actions off",
            )
            for alarm in self._all()
        ]

    # how

    @property
    def _history(self) -> History:
        return self.cloud.service(History)

    def _all(self) -> list[Alarm]:
        found = list(self.cloud.backend("cloudwatch").alarms.values())
        return [each for each in found if each.rule is None and not each.metric_data_queries]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.cloud.service(Metrics).clock(), UTC)

    def _stamp(self, alarm: Alarm) -> None:
        alarm.state_updated_timestamp = alarm.state_transitioned_timestamp = _naive(self._now())

    def _changed(self, alarm: Alarm, before: str) -> None:
        log.info("alarm %s: %s, was %s: %s", alarm.name, alarm.state_value, before,
                 alarm.state_reason)  # fmt: skip
        self._history.note(
            alarm, STATE, f"Alarm updated from {before} to {alarm.state_value}",
            {"oldState": {"stateValue": before},
             "newState": {"stateValue": alarm.state_value, "stateReason": alarm.state_reason}},
        )  # fmt: skip
        alarm.state_before = before
        self._act(alarm, repeated=False)

    def _act(self, alarm: Alarm, repeated: bool) -> None:
        """Take the actions of the state that the alarm is in."""
        self._repeated[alarm.name] = self._now().timestamp()
        if not alarm.actions_enabled:
            return
        for arn in actions_of(alarm):
            found = actions.find(arn)
            if found is None or (repeated and not found.repeats):
                continue
            try:
                found.call(arn, alarm, alarm.state_value)
            except Exception as error:
                log.exception("alarm %s: %s", alarm.name, arn)
                said, told = "Failed to execute action", {"actionState": "Failed",
                                                          "error": str(error)}  # fmt: skip
            else:
                said, told = "Successfully executed action", {"actionState": "Succeeded"}
            if not repeated or told["actionState"] == "Failed":
                self._history.note(alarm, ACTION, f"{said} {arn}", {**told,
                                   "notificationResource": arn})  # fmt: skip


STATE_ATTRIBUTES = (
    "state_value", "state_reason", "state_reason_data", "state_updated_timestamp",
    "state_transitioned_timestamp",
)  # fmt: skip


def metric(alarm: Alarm) -> Metric:
    return Metric.of(
        alarm.namespace, alarm.metric_name, {each.name: each.value for each in alarm.dimensions}
    )


def rule_of(alarm: Alarm) -> Rule:
    return Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        periods=alarm.evaluation_periods,
        needed=alarm.datapoints_to_alarm or alarm.evaluation_periods,
        missing=alarm.treat_missing_data or "missing",
    )


def actions_of(alarm: Alarm) -> list[str]:
    """What it does in the state that it is in."""
    return {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        INSUFFICIENT: alarm.insufficient_data_actions,
    }[alarm.state_value]


def _wanted(alarm: Alarm, asked: dict) -> bool:
    names, action = asked.get("AlarmNames"), asked.get("ActionPrefix")
    every = [*alarm.alarm_actions, *alarm.ok_actions, *alarm.insufficient_data_actions]
    return (
        (not names or alarm.name in names)
        and alarm.name.startswith(asked.get("AlarmNamePrefix") or "")
        and asked.get("StateValue") in (None, alarm.state_value)
        and (not action or any(each.startswith(action) for each in every))
    )


def _too_few(alarm: Alarm, seen: list[Seen | None]) -> bool:
    """Whether there are too few samples for a percentile, and the alarm is to wait for more."""
    if not alarm.extended_statistic or alarm.evaluate_low_sample_count_percentile != "ignore":
        return False
    share = float(alarm.extended_statistic[1:]) / 100
    rest = share if share < 0.5 else 1 - share
    samples = sum(each.samples for each in seen if each)
    return rest > 0 and 0 < samples < 10 / rest


def _naive(at: datetime) -> datetime:
    """As moto keeps times."""
    return at.replace(tzinfo=None)
