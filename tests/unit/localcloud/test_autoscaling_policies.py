"""Scaling policies: alarms on what was measured make the group larger, and carefully smaller."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client

from localcloud.services.autoscaling.policy import adjusted, step_for, tracked
from localcloud.services.cloudwatch.alarms import Alarms
from localcloud.services.cloudwatch.metrics import Metrics

WEB = {"AutoScalingGroupName": "web"}
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}}


def put(scene, name="cpu", **options):
    return scene.api.put_scaling_policy(**WEB, PolicyName=name, **options)


def track(scene, name="cpu", target=50.0, metric=CPU, **options):
    return put(
        scene, name, PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={**metric, "TargetValue": target, **options},
    )  # fmt: skip


def custom(name):
    return {
        "CustomizedMetricSpecification": {
            "Namespace": "Site", "MetricName": name, "Statistic": "Average",
        }
    }  # fmt: skip


@pytest.fixture
def measure(scene):
    """Let minutes pass in which metrics have these values, and alarms are evaluated."""
    metrics = scene.cloud.service(Metrics)
    metrics.clock = lambda: scene.now.replace(tzinfo=UTC).timestamp()

    def pass_minutes(count, cpu=None, **sites):
        for _ in range(count):
            at = metrics.clock()
            if cpu is not None:
                metrics.put(
                    "AWS/EC2", "CPUUtilization", {"AutoScalingGroupName": "web"}, [cpu], at=at
                )
            for name, value in sites.items():
                metrics.put("Site", name, {}, [value], at=at)
            scene.now += timedelta(seconds=60)
            scene.cloud.service(Alarms).evaluate()
            scene.rounds(2, 0)

    return pass_minutes


def desired(scene) -> int:
    return scene.group()["DesiredCapacity"]


def test_a_tracking_policy_has_two_alarms_as_on_aws(scene):
    scene.create(1)
    answer = track(scene)
    names = [each["AlarmName"] for each in answer["Alarms"]]
    assert [name[:34] for name in names] == [
        "TargetTracking-web-AlarmHigh-" + names[0][29:34],
        "TargetTracking-web-AlarmLow-" + names[1][28:34],
    ]
    high, low = (
        client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0] for name in names
    )
    assert (high["Threshold"], high["EvaluationPeriods"], high["Period"]) == (50, 3, 60)
    assert (low["Threshold"], low["EvaluationPeriods"], low["Period"]) == (45, 15, 60)
    assert high["AlarmActions"] == [answer["PolicyARN"]]
    (found,) = scene.api.describe_policies(**WEB)["ScalingPolicies"]
    assert found["Alarms"] == answer["Alarms"]
    assert found["TargetTrackingConfiguration"]["TargetValue"] == 50
    scene.api.delete_policy(**WEB, PolicyName="cpu")
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_alarms_go_with_the_group(scene):
    scene.create(0)
    track(scene)
    scene.api.delete_auto_scaling_group(**WEB)
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_load_makes_the_group_larger_by_what_it_needs(scene, measure):
    scene.create(2, DefaultInstanceWarmup=60)
    scene.rounds(2)
    track(scene)
    measure(2, cpu=90)
    assert desired(scene) == 2
    measure(1, cpu=90)
    assert desired(scene) == 4
    assert (
        "triggered policy cpu changing the desired capacity from 2 to 4"
        in (scene.activities()[0]["Cause"])
    )
    measure(1, cpu=50)
    assert desired(scene) == 4


def test_the_group_stays_within_its_bounds(scene, measure):
    scene.create(2, MaxSize=3)
    scene.rounds(2)
    track(scene)
    measure(4, cpu=100)
    assert desired(scene) == 3


def test_it_becomes_smaller_one_by_one_after_a_quarter_of_an_hour(scene, measure):
    scene.create(4, DefaultInstanceWarmup=30)
    scene.rounds(2)
    track(scene)
    measure(14, cpu=10)
    assert desired(scene) == 4
    measure(1, cpu=10)
    assert desired(scene) == 3
    measure(1, cpu=10)
    assert desired(scene) == 2


def test_it_becomes_smaller_only_if_all_policies_agree(scene, measure):
    scene.create(4, DefaultInstanceWarmup=0)
    scene.rounds(2)
    track(scene)
    track(scene, "requests", 100, custom("requests"))
    measure(17, cpu=10, requests=100)
    assert desired(scene) == 4
    measure(16, cpu=10)  # one has no data
    assert desired(scene) == 4
    measure(16, cpu=10, requests=10)
    assert desired(scene) < 4


def test_the_policy_that_asks_for_most_is_followed(scene, measure):
    scene.create(2)
    scene.rounds(2)
    track(scene)
    track(scene, "requests", 100, custom("requests"))
    measure(3, cpu=60, requests=250)
    assert desired(scene) == 5


def test_a_policy_that_does_not_scale_in_holds_nobody_up(scene, measure):
    scene.create(3, DefaultInstanceWarmup=0)
    scene.rounds(2)
    track(scene)
    answer = track(scene, "requests", 100, custom("requests"), DisableScaleIn=True)
    assert len(answer["Alarms"]) == 1
    measure(16, cpu=5, requests=90)
    assert desired(scene) < 3


def test_nothing_is_taken_away_while_hosts_are_warming(scene, measure):
    scene.create(3, DefaultInstanceWarmup=3600)
    scene.rounds(2)
    track(scene)
    measure(18, cpu=5)
    assert desired(scene) == 3


def test_alarms_do_nothing_while_that_is_suspended(scene, measure):
    scene.create(1)
    scene.rounds(2)
    track(scene)
    scene.api.suspend_processes(**WEB, ScalingProcesses=["AlarmNotification"])
    measure(4, cpu=100)
    assert desired(scene) == 1


def test_requests_are_tracked_of_a_target_group_that_is_attached(scene):
    scene.create(0)
    label = "app/web/0123456789abcdef/targetgroup/web/0123456789abcdef"
    metric = {
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label,
        }
    }  # fmt: skip
    with pytest.raises(ClientError, match="Invalid resource label"):
        track(scene, metric=metric)


def test_steps_follow_how_far_the_metric_is(scene, measure):
    scene.create(2, DefaultInstanceWarmup=0)
    scene.rounds(2)
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
    ]
    arn = put(
        scene, PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=steps
    )["PolicyARN"]
    client("cloudwatch").put_metric_alarm(
        AlarmName="busy", Namespace="Site", MetricName="load", Statistic="Average", Period=60,
        EvaluationPeriods=1, Threshold=60, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[arn],
    )  # fmt: skip
    measure(1, load=70)
    assert desired(scene) == 3
    measure(1, load=85)
    assert desired(scene) == 6
    measure(1, load=20)
    assert desired(scene) == 6


def test_steps_do_not_ask_twice_for_what_is_warming(scene):
    scene.create(2, DefaultInstanceWarmup=600)
    scene.rounds(2)
    scene.rounds(1, 601)
    steps = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}]
    put(scene, PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=steps)
    for _ in range(2):
        scene.api.execute_policy(**WEB, PolicyName="cpu", MetricValue=9, BreachThreshold=5)
        scene.rounds(2)
    assert desired(scene) == 4


def test_a_simple_policy_waits_for_its_cooldown(scene):
    scene.create(1, DefaultCooldown=100)
    scene.rounds(2, 200)
    put(scene, AdjustmentType="ChangeInCapacity", ScalingAdjustment=1)
    scene.api.execute_policy(**WEB, PolicyName="cpu", HonorCooldown=True)
    with pytest.raises(ClientError, match="ScalingActivityInProgress"):
        scene.api.execute_policy(**WEB, PolicyName="cpu", HonorCooldown=True)
    scene.rounds(2, 60)
    scene.api.execute_policy(**WEB, PolicyName="cpu", HonorCooldown=True)
    assert desired(scene) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"PolicyType": "PredictiveScaling"}, "not PredictiveScaling"),
        ({"PolicyType": "TargetTrackingScaling"}, "TargetTrackingConfiguration is required"),
        ({"AdjustmentType": "Sometimes"}, "AdjustmentType"),
        ({"AdjustmentType": "ExactCapacity"}, "ScalingAdjustment"),
        ({"PolicyType": "StepScaling", "AdjustmentType": "ExactCapacity"}, "StepAdjustments"),
        (
            {
                "PolicyType": "StepScaling",
                "AdjustmentType": "ExactCapacity",
                "StepAdjustments": [
                    {"MetricIntervalUpperBound": 5.0, "ScalingAdjustment": 1},
                    {"MetricIntervalLowerBound": 6.0, "ScalingAdjustment": 2},
                ],
            },
            "can't have gaps",
        ),
    ],
)
def test_what_cannot_be_is_refused(scene, options, message):
    scene.create(0)
    with pytest.raises(ClientError, match=message):
        put(scene, **options)


@pytest.mark.parametrize(
    ("kind", "capacity", "by", "least", "wanted"),
    [
        ("ChangeInCapacity", 4, -1, None, 3),
        ("ExactCapacity", 4, 7, None, 7),
        ("PercentChangeInCapacity", 10, 25, None, 12),
        ("PercentChangeInCapacity", 2, 10, None, 3),
        ("PercentChangeInCapacity", 10, -25, None, 8),
        ("PercentChangeInCapacity", 10, 10, 3, 13),
    ],
)
def test_adjustments_are_rounded_as_aws_does(kind, capacity, by, least, wanted):
    asked = {"AdjustmentType": kind, "MinAdjustmentMagnitude": least}
    assert adjusted(asked, capacity, by) == wanted


@pytest.mark.parametrize(
    ("distance", "by"), [(0, 1), (9.9, 1), (10, 3), (-5, -1), (-10, -2), (-99, -2)]
)
def test_a_step_begins_at_its_bound_nearest_to_the_threshold(distance, by):
    steps = [
        {"MetricIntervalUpperBound": -10, "ScalingAdjustment": -2},
        {"MetricIntervalLowerBound": -10, "MetricIntervalUpperBound": 0, "ScalingAdjustment": -1},
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3},
    ]
    assert step_for(steps, distance) == by


def test_tracking_asks_for_what_brings_the_metric_to_its_target():
    assert tracked(2, 100, 50) == 4
    assert tracked(3, 50, 50) == 3
    assert tracked(4, 10, 50) == 1


def test_a_scheduled_action_is_done_once(scene):
    scene.create(1)
    at = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)
    scene.api.put_scheduled_update_group_action(
        **WEB, ScheduledActionName="evening", StartTime=at, MinSize=3, MaxSize=5
    )
    (found,) = scene.api.describe_scheduled_actions(**WEB)["ScheduledUpdateGroupActions"]
    assert (found["StartTime"], found["MinSize"]) == (at, 3)
    scene.rounds(2, 200)
    assert desired(scene) == 1
    scene.rounds(2, 200)
    assert desired(scene) == 3
    assert "a scheduled action update" in scene.activities()[0]["Cause"]
    assert not scene.api.describe_scheduled_actions(**WEB)["ScheduledUpdateGroupActions"]
    with pytest.raises(ClientError, match="in the past"):
        scene.api.put_scheduled_update_group_action(
            **WEB, ScheduledActionName="late", StartTime=at, MinSize=3
        )
    with pytest.raises(ClientError, match="Scheduled action name not found"):
        scene.api.delete_scheduled_action(**WEB, ScheduledActionName="late")
