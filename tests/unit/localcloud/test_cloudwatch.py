"""Metrics that are put in and read out, and alarms on them, with a clock of the test's own."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from localcloud.services.cloudwatch import actions
from localcloud.services.cloudwatch.alarms import Alarms
from localcloud.services.cloudwatch.metrics import Metrics
from localcloud.services.cloudwatch.store import Metric
from localcloud.services.cloudwatch.values import Values, statistic

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOST = {"InstanceId": "i-1"}
DIMENSIONS = [{"Name": "InstanceId", "Value": "i-1"}]


class Clock:
    """Seconds since noon are set by hand."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self) -> float:
        return NOON.timestamp() + self.seconds

    def at(self, minutes: float) -> datetime:
        return NOON + timedelta(minutes=minutes)


@pytest.fixture
def clock(cloud):
    made = Clock()
    cloud.service(Metrics).clock = made
    return made


@pytest.fixture
def metrics(cloud, clock):
    return cloud.service(Metrics)


@pytest.fixture
def cloudwatch(api, clock):
    return api.client("cloudwatch")


@pytest.fixture
def told(monkeypatch):
    """What an action of the test's own was called with."""
    calls = []

    def call(arn, alarm, state):
        calls.append((arn.rpartition(":")[2], alarm.name, state))

    monkeypatch.setitem(actions.ALARM_ACTIONS, "arn:aws:once:", actions.Action(call))
    monkeypatch.setitem(actions.ALARM_ACTIONS, "arn:aws:often:", actions.Action(call, repeats=True))
    return calls


def put_alarm(cloudwatch, **options):
    asked = {
            "AlarmName": "busy", "Namespace": "Shop", "MetricName": "Load",
            "Dimensions": DIMENSIONS, "Statistic": "Average", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold",
            **options,
        }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None}
    cloudwatch.put_metric_alarm(**given)


def state(cloudwatch, name="busy"):
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def minutes(cloud, clock, metrics, values, first=0):
    """One value a minute (None for none), and an evaluation at the end of each."""
    for minute, value in enumerate(values, first):
        clock.seconds = 60 * minute + 30
        if value is not None:
            metrics.put("Shop", "Load", HOST, [value])
        clock.seconds = 60 * (minute + 1)
        cloud.service(Alarms).evaluate()


# metrics


def test_statistics_for_other_services(metrics, clock):
    for minute, values in enumerate(([10, 30], [50], [])):
        metrics.put("Shop", "Load", HOST, values, at=clock() + 60 * minute + 5)
    asked = ("Shop", "Load", HOST, 60)
    assert metrics.statistics(*asked, "Average", clock.at(0), clock.at(3)) == [
        (clock.at(0), 20.0),
        (clock.at(1), 50.0),
    ]
    whole = ("Shop", "Load", HOST, 300)
    for name, value in {"Sum": 90, "Minimum": 10, "SampleCount": 3, "p50": 30}.items():
        assert metrics.statistics(*whole, name, clock.at(0), clock.at(5)) == [(clock.at(0), value)]
    assert metrics.statistics(*asked, "Average", clock.at(2), clock.at(3)) == []
    assert metrics.statistics("Shop", "Load", {}, 60, "Sum", clock.at(0), clock.at(3)) == []


def test_percentiles_need_values():
    assert statistic("p95", [Values.of(range(1, 101))]) == 95
    assert statistic("p99.9", [Values.of(range(1, 1001))]) == 999
    assert statistic("p100", [Values.of([3, 1, 2])]) == 3
    assert statistic("p50", [Values(2, 4, 1, 3)]) is None
    assert statistic("p50", [Values(2, 4, 2, 2)]) == 2
    assert statistic("Average", []) is None


def test_the_api_s_statistics(cloudwatch, clock):
    cloudwatch.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "Load", "Dimensions": DIMENSIONS, "Values": [1.0, 2.0],
             "Counts": [3.0, 1.0], "Unit": "Count", "Timestamp": clock.at(0)},
            {"MetricName": "Load", "Dimensions": DIMENSIONS, "Unit": "Count",
             "StatisticValues": {"SampleCount": 2, "Sum": 8, "Minimum": 3, "Maximum": 5},
             "Timestamp": clock.at(1)},
        ],
    )  # fmt: skip
    asked = {
        "Namespace": "Shop", "MetricName": "Load", "Dimensions": DIMENSIONS, "Period": 60,
        "StartTime": clock.at(0), "EndTime": clock.at(5),
    }  # fmt: skip
    found = cloudwatch.get_metric_statistics(
        **asked, Statistics=["Sum", "Maximum"], ExtendedStatistics=["p90"]
    )
    assert found["Datapoints"] == [
        {"Timestamp": clock.at(0), "Sum": 5.0, "Maximum": 2.0, "Unit": "Count",
         "ExtendedStatistics": {"p90": 2.0}},
        {"Timestamp": clock.at(1), "Sum": 8.0, "Maximum": 5.0, "Unit": "Count"},
    ]  # fmt: skip
    other = cloudwatch.get_metric_statistics(**asked, Statistics=["Sum"], Unit="Seconds")
    assert other["Datapoints"] == []
    with pytest.raises(ClientError, match="exceeds the limit of 1,440"):
        cloudwatch.get_metric_statistics(
            **{**asked, "StartTime": clock.at(-2000)}, Statistics=["Sum"]
        )
    with pytest.raises(ClientError, match="refuses the statistic tm90"):
        cloudwatch.get_metric_statistics(**asked, ExtendedStatistics=["tm90"])


def test_metric_data(cloudwatch, metrics, clock):
    for minute in range(3):
        metrics.put("Shop", "Load", HOST, [minute], at=clock() + 60 * minute)
    stat = {
        "Metric": {"Namespace": "Shop", "MetricName": "Load", "Dimensions": DIMENSIONS},
        "Period": 60, "Stat": "Sum",
    }  # fmt: skip
    times = {"StartTime": clock.at(0), "EndTime": clock.at(3)}
    (found,) = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "load", "MetricStat": stat}], **times
    )["MetricDataResults"]
    assert found["Values"] == [2, 1, 0]
    assert found["Timestamps"] == [clock.at(2), clock.at(1), clock.at(0)]
    with pytest.raises(ClientError, match="metric math"):
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "twice", "Expression": "2*load"}], **times
        )


def test_metrics_are_listed(cloudwatch, metrics, clock):
    metrics.put("Shop", "Load", HOST, [1])
    metrics.put("Shop", "Load", {}, [1])
    metrics.put("Shop", "Old", {}, [1], at=clock() - 15 * 86400)
    listed = cloudwatch.list_metrics(Namespace="Shop")["Metrics"]
    assert {each["MetricName"] for each in listed} == {"Load"}
    assert sorted(len(each["Dimensions"]) for each in listed) == [0, 1]
    named = cloudwatch.list_metrics(Dimensions=[{"Name": "InstanceId"}])["Metrics"]
    assert len(named) == 1


def test_what_cannot_be_put(cloudwatch, clock):
    datum = {"MetricName": "Load", "Value": 1.0}
    with pytest.raises(ClientError, match="AWS's own"):
        cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=[datum])
    with pytest.raises(ClientError, match="two weeks in the past"):
        cloudwatch.put_metric_data(
            Namespace="Shop", MetricData=[datum | {"Timestamp": clock.at(-21000)}]
        )


def test_points_outlive_the_process_and_are_bounded(make_cloud):
    first = make_cloud()
    metrics = first.service(Metrics)
    now = metrics.clock()
    metrics.put("Shop", "Load", HOST, [1], at=now - 16 * 86400)
    for minute in range(5):
        metrics.put("Shop", "Load", HOST, [minute], at=now - 60 * minute)
    metrics = make_cloud().service(Metrics)
    metrics.store.sweep(now, most=3)
    points = metrics.store.read(Metric.of("Shop", "Load", HOST), 0, int(now) + 60)
    assert [each.values.sum for each in points] == [2, 1, 0]


# alarms


def test_an_alarm_is_evaluated(cloud, cloudwatch, clock, metrics, told):
    put_alarm(cloudwatch, AlarmActions=["arn:aws:once:high"], OKActions=["arn:aws:once:fine"],
              InsufficientDataActions=["arn:aws:once:unknown"])  # fmt: skip
    assert state(cloudwatch) == "INSUFFICIENT_DATA"
    minutes(cloud, clock, metrics, [10, 60, 70, 20])
    assert told == [("fine", "busy", "OK"), ("high", "busy", "ALARM"), ("fine", "busy", "OK")]
    described = cloudwatch.describe_alarms()["MetricAlarms"][0]
    assert described["StateReason"] == (
        "Threshold Crossed: 1 datapoint [20.0 (02/01/26 12:03:00)] was not greater than the "
        "threshold (50.0)."
    )
    assert described["StateUpdatedTimestamp"] == clock.at(4)
    reason = json.loads(described["StateReasonData"])
    assert reason["recentDatapoints"] == [20.0]
    assert reason["statistic"] == "Average"
    # one more period counts, and two that are looked at in addition
    minutes(cloud, clock, metrics, [None, None, None], first=4)
    assert told[3:] == [("unknown", "busy", "INSUFFICIENT_DATA")]


def test_scaling_actions_repeat_each_minute(cloud, cloudwatch, clock, metrics, told):
    put_alarm(cloudwatch, AlarmActions=["arn:aws:once:mail", "arn:aws:often:scale"])
    minutes(cloud, clock, metrics, [60, 60, 60, 10])
    assert told == [("mail", "busy", "ALARM")] + [("scale", "busy", "ALARM")] * 3
    cloudwatch.disable_alarm_actions(AlarmNames=["busy"])
    minutes(cloud, clock, metrics, [60], first=4)
    assert len(told) == 4
    assert state(cloudwatch) == "ALARM"


def test_some_of_several_periods(cloud, cloudwatch, clock, metrics):
    put_alarm(cloudwatch, EvaluationPeriods=3, DatapointsToAlarm=2)
    seen = []
    for minute, value in enumerate([60, 10, 60, 10, 10]):
        minutes(cloud, clock, metrics, [value], first=minute)
        seen.append(state(cloudwatch))
    assert seen == ["OK", "OK", "ALARM", "OK", "OK"]


def test_a_percentile_and_high_resolution(cloud, cloudwatch, clock, metrics):
    put_alarm(cloudwatch, AlarmName="slow", Period=10, Statistic=None, ExtendedStatistic="p90",
              Threshold=8)  # fmt: skip
    clock.seconds = 21
    metrics.put("Shop", "Load", HOST, range(1, 11), resolution=1)
    clock.seconds = 30
    cloud.service(Alarms).evaluate(short=True)
    assert state(cloudwatch, "slow") == "ALARM"
    clock.seconds = 31
    metrics.put("Shop", "Load", HOST, [1] * 10, resolution=1)
    clock.seconds = 40
    cloud.service(Alarms).evaluate(short=True)
    assert state(cloudwatch, "slow") == "OK"


def test_a_state_that_was_set_is_put_right(cloud, cloudwatch, clock, metrics, told):
    put_alarm(cloudwatch, AlarmActions=["arn:aws:once:mail"])
    minutes(cloud, clock, metrics, [10])
    cloudwatch.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="a drill")
    assert told == [("mail", "busy", "ALARM")]
    assert state(cloudwatch) == "ALARM"
    minutes(cloud, clock, metrics, [10], first=1)
    assert state(cloudwatch) == "OK"
    history = cloudwatch.describe_alarm_history(AlarmName="busy")["AlarmHistoryItems"]
    assert [each["HistorySummary"] for each in reversed(history)] == [
        'Alarm "busy" created',
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        "Successfully executed action arn:aws:once:mail",
        "Alarm updated from ALARM to OK",
    ]


def test_an_action_that_fails_is_in_the_history(cloud, cloudwatch, clock, metrics, monkeypatch):
    def fail(arn, alarm, new_state):
        raise RuntimeError("no such group")

    monkeypatch.setitem(actions.ALARM_ACTIONS, "arn:aws:once:", actions.Action(fail))
    put_alarm(cloudwatch, AlarmActions=["arn:aws:once:scale"])
    minutes(cloud, clock, metrics, [60])
    found = cloudwatch.describe_alarm_history(HistoryItemType="Action")["AlarmHistoryItems"]
    assert found[0]["HistorySummary"] == "Failed to execute action arn:aws:once:scale"
    assert json.loads(found[0]["HistoryData"])["error"] == "no such group"
    assert state(cloudwatch) == "ALARM"


def test_an_update_keeps_the_state(cloud, cloudwatch, clock, metrics):
    put_alarm(cloudwatch, Tags=[{"Key": "Project", "Value": "shop"}])
    minutes(cloud, clock, metrics, [60])
    put_alarm(cloudwatch, Threshold=90, Tags=[{"Key": "Project", "Value": "other"}])
    described = cloudwatch.describe_alarms()["MetricAlarms"][0]
    assert (described["StateValue"], described["Threshold"]) == ("ALARM", 90)
    tags = cloudwatch.list_tags_for_resource(ResourceARN=described["AlarmArn"])["Tags"]
    assert tags == [{"Key": "Project", "Value": "shop"}]


def test_alarms_are_found_by_all_that_is_asked(cloudwatch, clock):
    for name in ("shop-cpu", "shop-disk", "other-cpu"):
        put_alarm(cloudwatch, AlarmName=name)
    cloudwatch.set_alarm_state(AlarmName="shop-cpu", StateValue="OK", StateReason="seen")

    def names(**asked):
        pages = cloudwatch.get_paginator("describe_alarms").paginate(**asked)
        return [each["AlarmName"] for page in pages for each in page["MetricAlarms"]]

    assert names(AlarmNamePrefix="shop-", StateValue="INSUFFICIENT_DATA") == ["shop-disk"]
    assert names(MaxRecords=2) == ["other-cpu", "shop-cpu", "shop-disk"]
    found = cloudwatch.describe_alarms_for_metric(
        MetricName="Load", Namespace="Shop", Dimensions=DIMENSIONS
    )
    assert len(found["MetricAlarms"]) == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"Period": 45}, "must be 10, 20, 30 or a multiple of 60"),
        ({"Period": 300, "EvaluationPeriods": 300}, "more than a day"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "drop"}, "Option drop is not supported"),
        ({"ExtendedStatistic": "p90"}, "Exactly one"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:recover"]}, "nothing to EC2"),
        ({"AlarmActions": ["arn:aws:lambda:us-east-1:123456789012:function:a"]}, "nothing here"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "band"),
    ],
)  # fmt: skip
def test_alarms_that_are_refused(cloudwatch, options, says):
    with pytest.raises(ClientError, match=says):
        put_alarm(cloudwatch, **options)
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_alarms_are_in_the_status(cloud, cloudwatch, clock):
    put_alarm(cloudwatch)
    (row,) = [each for each in cloud.rows() if each.kind == "alarm"]
    assert (row.id, row.state) == ("busy", "INSUFFICIENT_DATA")
    assert row.name == "Average of Shop Load"
