"""Alarms that AWS does not take, and alarms that there are none of here."""

from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError

from localcloud.errors import Refusal
from localcloud.services.cloudwatch import actions, values
from localcloud.services.cloudwatch.evaluation import COMPARISONS, MISSING

SHORT = (10, 20, 30)
"""Periods of alarms on metrics of high resolution."""
MOST_ACTIONS = 5
DAY, WEEK = 86400, 7 * 86400
AUTOMATE = "arn:aws:automate:"


def check_alarm(asked: dict) -> None:
    """Raise for what PutMetricAlarm cannot be asked for."""
    if asked.get("Metrics") or asked.get("ThresholdMetricId"):
        raise Refusal(
            "not supported",
            "The local cloud has alarms on one metric: metric math, Metrics Insights and anomaly "
            "detection are refused.",
        )
    _check_metric(asked)
    _check_range(asked)
    for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        check_actions(asked.get(kind) or [], kind)


def check_actions(arns: list[str], kind: str) -> None:
    if len(arns) > MOST_ACTIONS:
        raise ValidationError(
            f"1 validation error detected: Value at '{kind[0].lower()}{kind[1:]}' failed to "
            f"satisfy constraint: Member must have length less than or equal to {MOST_ACTIONS}"
        )
    for arn in arns:
        if arn.startswith(AUTOMATE):
            raise Refusal(
                "not supported",
                f"The local cloud refuses {arn}: alarms do nothing to EC2 instances here.",
            )
        if not arn.startswith("arn:"):
            raise ValidationError(f"Invalid arn syntax: {arn}")
        if actions.find(arn) is None:
            raise Refusal(
                "not supported", f"The local cloud refuses {arn}: nothing here does that."
            )


def _check_metric(asked: dict) -> None:
    for name in ("Namespace", "MetricName", "Period"):
        if not asked.get(name):
            raise ValidationError(f"The parameter {name} is required.")
    if asked.get("Threshold") is None:
        raise ValidationError("The parameter Threshold is required.")
    simple, extended = asked.get("Statistic"), asked.get("ExtendedStatistic")
    if bool(simple) == bool(extended):
        raise InvalidParameterCombination(
            "Exactly one of Statistic and ExtendedStatistic must be specified"
        )
    if extended and (extended in values.SIMPLE or not values.known(extended)):
        raise Refusal(
            "not supported",
            f"The local cloud refuses the statistic {extended}: of the extended ones it has "
            "percentiles, such as p95 or p99.9.",
        )
    if asked["ComparisonOperator"] not in COMPARISONS:
        raise ValidationError(
            f"{asked['ComparisonOperator']} is for alarms with a band, not with a threshold."
        )
    missing = asked.get("TreatMissingData")
    if missing and missing not in MISSING:
        raise ValidationError(
            f"Option {missing} is not supported. Supported options for parameter "
            f"TreatMissingData are {', '.join(MISSING)}."
        )


def _check_range(asked: dict) -> None:
    period, periods = asked["Period"], asked["EvaluationPeriods"]
    if period not in SHORT and (period < 60 or period % 60):
        raise ValidationError("The period must be 10, 20, 30 or a multiple of 60 seconds")
    longest = WEEK if period >= 3600 else DAY
    if period * periods > longest:
        raise ValidationError(
            "Metrics cannot be checked across more than "
            f"{'seven days' if longest == WEEK else 'a day'} "
            "(EvaluationPeriods * Period must be <= "
            f"{longest})"
        )
    needed = asked.get("DatapointsToAlarm")
    if needed is not None and not 0 < needed <= periods:
        raise ValidationError(
            "DatapointsToAlarm must be greater than 0 and less than or equal to EvaluationPeriods"
        )
