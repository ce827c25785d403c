"""What alarms went through: DescribeAlarmHistory, also of those that are gone."""

import json
from datetime import UTC, datetime

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localcloud.hooks import addition
from localcloud.services.base import Service
from localcloud.services.cloudwatch.metrics import Metrics

CONFIGURED, STATE, ACTION = "ConfigurationUpdate", "StateUpdate", "Action"
MOST_A_CALL = 100


class History(Service):
    """Kept beside the data points, for thirty days."""

    def note(self, alarm, kind: str, summary: str, data: dict) -> None:
        metrics = self.cloud.service(Metrics)
        metrics.store.note(alarm.name, metrics.clock(), kind, summary, {"version": "1.0", **data})

    @addition(CloudWatchResponse, "describe_alarm_history", "self")
    def describe(self, response):
        asked = response._get_params()
        found = [
            {
                "AlarmName": alarm,
                "AlarmType": "MetricAlarm",
                "Timestamp": datetime.fromtimestamp(at, UTC),
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps(json.loads(data)),
            }
            for alarm, at, kind, summary, data in self.cloud.service(Metrics).store.history()
            if asked.get("AlarmName") in (None, alarm)
            and asked.get("HistoryItemType") in (None, kind)
            and _between(asked, datetime.fromtimestamp(at, UTC))
            and "MetricAlarm" in (asked.get("AlarmTypes") or ["MetricAlarm"])
        ]
        if asked.get("ScanBy") == "TimestampAscending":
            found.reverse()
        first = int(asked.get("NextToken") or 0)
        most = int(asked.get("MaxRecords") or MOST_A_CALL)
        shown = {"AlarmHistoryItems": found[first : first + most]}
        if first + most < len(found):
            shown["NextToken"] = str(first + most)
        return ActionResult(shown)


def _between(asked: dict, at: datetime) -> bool:
    start, end = (asked.get(name) for name in ("StartDate", "EndDate"))
    return not (start and at < _aware(start)) and not (end and at > _aware(end))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
