"""PutMetricData, and what is asked of metrics."""

from datetime import UTC, datetime

from moto.cloudwatch.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    ValidationError,
)
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.cloudwatch.metrics import MINUTE, Metrics
from localcloud.services.cloudwatch.store import Metric, Point
from localcloud.services.cloudwatch.values import SIMPLE, Values, known, statistic

SHORT = (1, 5, 10, 20, 30)
MOST_POINTS = 1440
LISTED = 14 * 86400
"""Seconds that a metric without new data is listed."""
RECENT = 3 * 3600
MOST_METRICS = 500
OLDEST, NEWEST = 14 * 86400, 2 * 3600
"""How far in the past and in the future data may be put."""


class Queries(Service):
    """Calls about metrics, answered from the data points that are kept."""

    @hook(CloudWatchBackend, "put_metric_data", "self, namespace, metric_data")
    def put(self, original, backend, namespace, metric_data):
        if namespace.startswith("AWS/"):
            raise InvalidParameterValue(
                "The value AWS/ for parameter Namespace is invalid: it is for AWS's own metrics."
            )
        for number, each in enumerate(metric_data, 1):
            backend._validate_parameters_put_metric_data(each, number)
        metrics = self.cloud.service(Metrics)
        metrics.add([self._point(metrics, namespace, each) for each in metric_data])

    @hook(CloudWatchResponse, "get_metric_statistics", "self")
    def get_statistics(self, original, response):
        asked = response._get_params()
        names, extended = asked.get("Statistics") or [], asked.get("ExtendedStatistics") or []
        if not names and not extended:
            raise InvalidParameterCombination(
                "At least one of Statistics and ExtendedStatistics must be specified."
            )
        for name in extended:
            _check_statistic(name)
        period, start, end = _range(asked["Period"], asked["StartTime"], asked["EndTime"])
        points = (end - start).total_seconds() / period
        if points > MOST_POINTS:
            raise InvalidParameterCombination(
                f"You have requested up to {points:,.0f} datapoints, which exceeds the limit of "
                f"{MOST_POINTS:,}. You may reduce the datapoints requested by increasing Period, "
                "or decreasing the time range."
            )
        found = self.cloud.service(Metrics).periods(
            _metric(asked), period, start, end, asked.get("Unit")
        )
        return ActionResult(
            {
                "Label": asked["MetricName"],
                "Datapoints": [_datapoint(at, seen, names, extended) for at, seen in found.items()],
            }
        )

    @hook(CloudWatchResponse, "get_metric_data", "self")
    def get_data(self, original, response):
        asked = response._get_params()
        results = []
        for number, query in enumerate(asked.get("MetricDataQueries") or [], 1):
            if query.get("Expression"):
                raise Refusal(
                    "not supported",
                    "The local cloud refuses Expression of cloudwatch:GetMetricData: it has "
                    "neither metric math nor Metrics Insights.",
                )
            if not query.get("MetricStat"):
                raise ValidationError(
                    f"The parameter MetricDataQueries.member.{number}.MetricStat is required.\n"
                )
            if query.get("ReturnData", True):
                results.append(self._result(query, asked))
        return ActionResult({"MetricDataResults": results, "Messages": []})

    @hook(CloudWatchResponse, "list_metrics", "self")
    def list_metrics(self, original, response):
        asked = response._get_params()
        metrics = self.cloud.service(Metrics)
        age = RECENT if asked.get("RecentlyActive") else LISTED
        found = [
            each
            for each in metrics.store.metrics(int(metrics.clock()) - age)
            if _matches(each, asked)
        ]
        first = int(asked.get("NextToken") or 0)
        shown = {
            "Metrics": [
                {
                    "Namespace": each.namespace,
                    "MetricName": each.name,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in
                                   each.dimensions],
                }
                for each in found[first : first + MOST_METRICS]
            ]
        }  # fmt: skip
        if first + MOST_METRICS < len(found):
            shown["NextToken"] = str(first + MOST_METRICS)
        return ActionResult(shown)

    # how

    def _point(self, metrics: Metrics, namespace: str, datum: dict) -> Point:
        now = metrics.clock()
        at = _moment(datum["Timestamp"]).timestamp() if datum.get("Timestamp") else now
        if not now - OLDEST <= at <= now + NEWEST:
            raise InvalidParameterValue(
                "The parameter MetricData.member.1.Timestamp must specify a time no more than two "
                "weeks in the past or two hours in the future."
            )
        return metrics.point(
            namespace,
            datum["MetricName"],
            {each["Name"]: each["Value"] for each in datum.get("Dimensions") or []},
            _values(datum),
            datum.get("Unit") or "None",
            at,
            datum.get("StorageResolution") or MINUTE,
        )

    def _result(self, query: dict, asked: dict) -> dict:
        stat = query["MetricStat"]
        name = stat["Stat"]
        _check_statistic(name)
        period, start, end = _range(stat["Period"], asked["StartTime"], asked["EndTime"])
        metric = _metric(stat["Metric"])
        found = self.cloud.service(Metrics).periods(metric, period, start, end, stat.get("Unit"))
        pairs = [
            (at, value)
            for at, seen in found.items()
            if (value := statistic(name, [each.values for each in seen])) is not None
        ]
        if asked.get("ScanBy") != "TimestampAscending":
            pairs.reverse()
        return {
            "Id": query["Id"],
            "Label": query.get("Label") or metric.name,
            "Timestamps": [at for at, _ in pairs],
            "Values": [value for _, value in pairs],
            "StatusCode": "Complete",
        }


def _values(datum: dict) -> Values:
    if datum.get("StatisticValues"):
        told = datum["StatisticValues"]
        return Values(*(float(told[each]) for each in ("SampleCount", "Sum", "Minimum", "Maximum")))
    if datum.get("Values"):
        counts = datum.get("Counts") or [1] * len(datum["Values"])
        return Values.counted(
            (float(value), float(count))
            for value, count in zip(datum["Values"], counts, strict=True)
        )
    return Values.of([float(datum.get("Value") or 0)])


def _metric(asked: dict) -> Metric:
    dimensions = {each["Name"]: each["Value"] for each in asked.get("Dimensions") or []}
    return Metric.of(asked["Namespace"], asked["MetricName"], dimensions)


def _matches(metric: Metric, asked: dict) -> bool:
    """A dimension may be asked for with any value."""
    dimensions = dict(metric.dimensions)
    return (
        asked.get("Namespace") in (None, metric.namespace)
        and asked.get("MetricName") in (None, metric.name)
        and all(
            each["Name"] in dimensions and each.get("Value") in (None, dimensions[each["Name"]])
            for each in asked.get("Dimensions") or []
        )
    )


def _datapoint(at: datetime, points: list[Point], names: list, extended: list) -> dict:
    sets = [each.values for each in points]
    found = {"Timestamp": at, "Unit": points[-1].unit}
    found |= {name: statistic(name, sets) for name in names}
    percentiles = {name: statistic(name, sets) for name in extended}
    told = {name: value for name, value in percentiles.items() if value is not None}
    return found | ({"ExtendedStatistics": told} if told else {})


def _check_statistic(name: str) -> None:
    if not known(name):
        raise Refusal(
            "not supported",
            f"The local cloud refuses the statistic {name}: it has {', '.join(SIMPLE)} and "
            "percentiles, such as p95 or p99.9.",
        )


def _range(period, start, end) -> tuple[int, datetime, datetime]:
    period, start, end = int(period), _moment(start), _moment(end)
    if period not in SHORT and (period < MINUTE or period % MINUTE):
        raise InvalidParameterValue(
            "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."
        )
    if start >= end:
        raise InvalidParameterValue(
            "The parameter StartTime must be less than the parameter EndTime."
        )
    return period, start, end


def _moment(value) -> datetime:
    """Times come as the protocol has them, without a zone that is UTC."""
    if not isinstance(value, datetime):
        value = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return value if value.tzinfo else value.replace(tzinfo=UTC)
