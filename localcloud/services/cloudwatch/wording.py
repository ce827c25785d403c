"""Why an alarm is in its state, in CloudWatch's words."""

import json
from datetime import datetime

from localcloud.services.cloudwatch.evaluation import ALARM, INSUFFICIENT, Decision, Rule

COMPARED = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


def reason(rule: Rule, decision: Decision) -> str:
    """StateReason of a state that was decided."""
    periods = rule.periods
    if decision.state == INSUFFICIENT:
        return f"Insufficient Data: {_some(periods, 'datapoint')} {_were(periods)} unknown."
    if not decision.used:
        return (
            f"Threshold Crossed: no datapoints were received for {_some(periods, 'period')} and "
            f"{_some(periods, 'missing datapoint')} {_were(periods)} treated as "
            f"[{TREATED[rule.missing]}]."
        )
    alarms = decision.state == ALARM
    told = [each for each in decision.used if rule.breaches(each.value) == alarms] or [
        *decision.used
    ]
    values = ", ".join(f"{each.value} ({each.at:%d/%m/%y %H:%M:%S})" for each in told)
    verb = f"{_were(len(told))}{'' if alarms else ' not'}"
    crossed = f"[{values}] {verb} {COMPARED[rule.comparison]} the threshold ({rule.threshold})"
    if periods == 1:
        return f"Threshold Crossed: 1 datapoint {crossed}."
    least, change = (
        (rule.needed, "OK -> ALARM") if alarms else (periods - rule.needed + 1, "ALARM -> OK")
    )
    return (
        f"Threshold Crossed: {len(told)} out of the last {_some(periods, 'datapoint')} {crossed} "
        f"(minimum {_some(least, 'datapoint')} for {change} transition)."
    )


def data(rule: Rule, decision: Decision, statistic: str, period: int, unit: str | None,
         now: datetime) -> str:  # fmt: skip
    """StateReasonData: what was looked at, as JSON."""
    used = sorted(decision.used, key=lambda each: each.at)
    told = {"version": "1.0", "queryDate": moment(now)}
    if used:
        told["startDate"] = moment(used[0].at)
    if unit:
        told["unit"] = unit
    return json.dumps(
        told
        | {
            "statistic": statistic,
            "period": period,
            "recentDatapoints": [each.value for each in used],
            "threshold": rule.threshold,
            "evaluatedDatapoints": [
                {"timestamp": moment(each.at), "sampleCount": each.samples, "value": each.value}
                for each in reversed(used)
            ],
        }
    )


def moment(at: datetime) -> str:
    """A time as CloudWatch writes it in JSON."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}+0000"


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
