"""Instance refresh: a few at a time, never too few, and back when the new ones are not well."""

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client

WEB = {"AutoScalingGroupName": "web"}
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"


def start(scene, version=None, **preferences):
    options = {}
    if version:
        options["DesiredConfiguration"] = {
            "LaunchTemplate": {"LaunchTemplateId": scene.template, "Version": version}
        }
    answer = scene.api.start_instance_refresh(**WEB, **options, Preferences=preferences)
    return answer["InstanceRefreshId"]


def newest(scene) -> dict:
    return scene.api.describe_instance_refreshes(**WEB)["InstanceRefreshes"][0]


def versions(scene) -> list[str]:
    return [each["LaunchTemplate"]["Version"] for each in scene.instances()]


def until_ended(scene, most=60) -> tuple[dict, list[int]]:
    """Rounds until the refresh has ended, and how many were in service in each."""
    in_service = []
    for _ in range(most):
        scene.rounds()
        in_service.append(sum(each == "InService" for each in scene.states().values()))
        if newest(scene)["Status"] not in ("Pending", "InProgress", "RollbackInProgress", "Baking"):
            return newest(scene), in_service
    raise AssertionError(newest(scene))


def ready(scene, desired=2, **options):
    scene.create(desired, **options)
    scene.rounds(2)
    return scene.ids(), scene.version()


def hook(scene):
    scene.api.put_lifecycle_hook(
        **WEB, LifecycleHookName="ready", LifecycleTransition=LAUNCHING, HeartbeatTimeout=60
    )


def complete(scene, result):
    for name, state in scene.states().items():
        if state == "Pending:Wait":
            scene.api.complete_lifecycle_action(
                **WEB,
                LifecycleHookName="ready",
                InstanceId=name,
                LifecycleActionResult=result,
            )


def test_a_refresh_replaces_all_one_after_the_other_and_the_group_keeps_the_version(scene):
    old, version = ready(scene, 3)
    started = start(scene, version)
    ended, in_service = until_ended(scene)
    assert (ended["InstanceRefreshId"], ended["Status"]) == (started, "Successful")
    assert (ended["PercentageComplete"], ended["InstancesToUpdate"]) == (100, 0)
    assert versions(scene) == ["2"] * 3
    assert not set(old) & set(scene.ids())
    assert min(in_service) == 2
    assert scene.group()["LaunchTemplate"]["Version"] == "2"
    causes = " ".join(each["Cause"] for each in scene.activities())
    assert "taken out of service in response to an instance refresh" in causes


def test_with_room_above_the_new_ones_come_first(scene):
    _, version = ready(scene, 2)
    start(scene, version, MinHealthyPercentage=100, MaxHealthyPercentage=110)
    ended, in_service = until_ended(scene)
    assert ended["Status"] == "Successful"
    assert min(in_service) == 2
    assert versions(scene) == ["2"] * 2
    said = [each["Description"].split()[0] for each in reversed(scene.activities())]
    assert said == ["Launching"] * 3 + ["Terminating", "Launching", "Terminating"]


def test_all_at_once_when_none_need_be_healthy(scene):
    _, version = ready(scene, 4)
    start(scene, version, MinHealthyPercentage=0)
    ended, in_service = until_ended(scene)
    assert ended["Status"] == "Successful"
    assert min(in_service) == 0


def test_without_another_configuration_all_are_replaced_by_their_like(scene):
    old, _ = ready(scene)
    start(scene)
    assert until_ended(scene)[0]["Status"] == "Successful"
    assert not set(old) & set(scene.ids())
    assert versions(scene) == ["1", "1"]


def test_what_is_so_already_can_be_skipped(scene):
    old, version = ready(scene)
    start(scene, "1", SkipMatching=True)
    ended, _ = until_ended(scene)
    assert (ended["Status"], scene.ids()) == ("Successful", old)
    start(scene, version, SkipMatching=True)
    until_ended(scene)
    assert versions(scene) == ["2", "2"]


def test_there_is_one_at_a_time(scene):
    _, version = ready(scene)
    start(scene, version)
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        start(scene, version)
    with pytest.raises(ClientError, match="active instance refresh with a desired configuration"):
        scene.api.update_auto_scaling_group(
            **WEB, LaunchTemplate={"LaunchTemplateId": scene.template, "Version": "1"}
        )


def test_a_new_host_must_be_warm_before_the_next_goes(scene):
    _, version = ready(scene, 2)
    start(scene, version, InstanceWarmup=20)
    scene.rounds(6)
    assert sorted(versions(scene)) == ["1", "2"]
    assert newest(scene)["PercentageComplete"] == 50
    scene.rounds(1, 20)
    scene.rounds(4)
    assert versions(scene) == ["2", "2"]
    assert newest(scene)["Status"] == "InProgress"
    scene.rounds(2, 20)
    assert newest(scene)["Status"] == "Successful"


def test_hosts_that_scale_out_meanwhile_have_the_new_version(scene):
    _, version = ready(scene, 2)
    start(scene, version, InstanceWarmup=60)
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=4)
    scene.rounds(3)
    assert sorted(versions(scene)) == ["1", "1", "2", "2"]
    scene.rounds(6, 61)
    assert versions(scene) == ["2"] * 4
    assert newest(scene)["Status"] == "Successful"


@pytest.mark.parametrize(
    ("back", "status", "left"), [(True, "RollbackSuccessful", "1"), (False, "Failed", "1")]
)
def test_a_release_that_does_not_get_ready_is_given_up(scene, back, status, left):
    old, version = ready(scene, 3)
    hook(scene)
    start(
        scene, version, AutoRollback=back, MinHealthyPercentage=100, MaxHealthyPercentage=134
    )  # fmt: skip
    for _ in range(12):
        scene.rounds()
        complete(scene, "ABANDON")
        if newest(scene)["Status"] not in ("InProgress", "Pending"):
            break
    for _ in range(12):
        scene.rounds()
        complete(scene, "CONTINUE")
    ended = newest(scene)
    assert ended["Status"] == status
    assert "was abandoned" in ended["StatusReason"]
    assert sorted(scene.ids()) == sorted(old)
    assert versions(scene) == [left] * 3
    assert scene.group()["LaunchTemplate"]["Version"] == "1"
    if back:
        assert ended["RollbackDetails"]["InstancesToUpdateOnRollback"] == 3


def test_going_back_replaces_what_was_new_already(scene):
    _, version = ready(scene, 2)
    start(scene, version, AutoRollback=True, InstanceWarmup=30)
    scene.rounds(4)
    assert sorted(versions(scene)) == ["1", "2"]
    scene.api.rollback_instance_refresh(**WEB)
    ended = None
    for _ in range(8):
        scene.rounds(1, 31)
        ended = newest(scene)
    assert ended["Status"] == "RollbackSuccessful"
    assert versions(scene) == ["1", "1"]


def test_an_alarm_stops_a_refresh_and_takes_it_back(scene):
    _, version = ready(scene, 2)
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", Namespace="Site", MetricName="5xx", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    watched = {"AlarmSpecification": {"Alarms": ["errors"]}, "AutoRollback": True}
    start(scene, version, **watched, InstanceWarmup=30)
    scene.rounds(4)
    alarm = scene.cloud.backend("cloudwatch").alarms["errors"]
    alarm.state_value = "ALARM"
    scene.rounds(1)
    assert newest(scene)["Status"] == "RollbackInProgress"
    assert "errors" in newest(scene)["StatusReason"]
    for _ in range(6):
        alarm.state_value = "ALARM"
        scene.rounds(1, 31)
    assert newest(scene)["Status"] == "RollbackSuccessful"
    assert versions(scene) == ["1", "1"]
    start(scene, version, **watched)
    assert newest(scene)["Status"] == "Failed"
    with pytest.raises(ClientError, match="none do not exist"):
        start(scene, version, AlarmSpecification={"Alarms": ["none"]})


def test_a_refresh_is_cancelled_and_leaves_what_is_there(scene):
    _, version = ready(scene, 2)
    start(scene, version, InstanceWarmup=30)
    scene.rounds(4)
    scene.api.cancel_instance_refresh(**WEB)
    scene.rounds(3, 31)
    assert newest(scene)["Status"] == "Cancelled"
    assert sorted(versions(scene)) == ["1", "2"]
    assert scene.group()["LaunchTemplate"]["Version"] == "1"
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        scene.api.cancel_instance_refresh(**WEB)


def test_it_rests_at_its_checkpoints(scene):
    _, version = ready(scene, 4)
    start(
        scene, version, MinHealthyPercentage=50, CheckpointPercentages=[25, 100], CheckpointDelay=50
    )
    scene.rounds(10)
    assert sorted(versions(scene)) == ["1", "1", "1", "2"]
    assert "checkpoint" in newest(scene)["StatusReason"]
    scene.rounds(1, 50)
    assert until_ended(scene)[0]["Status"] == "Successful"


def test_it_bakes_before_it_is_called_successful(scene):
    _, version = ready(scene, 1)
    start(scene, version, BakeTime=40)
    scene.rounds(6)
    assert newest(scene)["Status"] == "Baking"
    assert scene.group()["LaunchTemplate"]["Version"] == "1"
    scene.rounds(1, 40)
    assert newest(scene)["Status"] == "Successful"


@pytest.mark.parametrize(
    ("choice", "status", "replaced"),
    [("Refresh", "Successful", True), ("Ignore", "Successful", False), ("Wait", "Failed", False)],
)
def test_protected_hosts_are_dealt_with_as_asked(scene, choice, status, replaced):
    old, version = ready(scene, 2)
    scene.api.set_instance_protection(**WEB, InstanceIds=old[:1], ProtectedFromScaleIn=True)
    start(scene, version, ScaleInProtectedInstances=choice)
    scene.rounds(8)
    scene.rounds(4, 1900)
    assert newest(scene)["Status"] == status
    assert (old[0] not in scene.ids()) == replaced
    assert old[1] not in scene.ids()


@pytest.mark.parametrize(("choice", "there"), [("Terminate", False), ("Ignore", True)])
def test_hosts_in_standby_are_dealt_with_as_asked(scene, choice, there):
    old, version = ready(scene, 2)
    scene.api.enter_standby(**WEB, InstanceIds=old[:1], ShouldDecrementDesiredCapacity=True)
    scene.rounds(2)
    start(scene, version, StandbyInstances=choice)
    assert until_ended(scene)[0]["Status"] == "Successful"
    assert (old[0] in scene.ids()) == there


def test_it_goes_on_after_a_crash(scene, make_cloud):
    _, version = ready(scene, 2)
    start(scene, version, InstanceWarmup=10)
    scene.rounds(4)
    cloud = make_cloud(scene.cloud.engine, scene.cloud.network, scene.cloud.storage)
    scene.take(cloud)
    assert any("the refresh" in line and "goes on" in line for line in cloud.adopted)
    scene.rounds(5, 10)
    assert newest(scene)["Status"] == "Successful"
    assert versions(scene) == ["2", "2"]


def test_hosts_that_cannot_be_started_end_it(scene):
    _, version = ready(scene, 2)
    scene.cloud.engine.refuse = "no memory"
    start(scene, version)
    scene.rounds(8, 60)
    assert newest(scene)["Status"] == "Failed"
    assert "no memory" in newest(scene)["StatusReason"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"AutoRollback": True}, "rollback needs a DesiredConfiguration"),
        ({"MinHealthyPercentage": 101}, "MinHealthyPercentage"),
        ({"MinHealthyPercentage": 50, "MaxHealthyPercentage": 200}, "greater than 100"),
        ({"CheckpointPercentages": [50, 20]}, "must rise"),
        ({"StandbyInstances": "Refresh"}, "StandbyInstances"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(scene, options, message):
    ready(scene, 0)
    with pytest.raises(ClientError, match=message):
        start(scene, **options)


def test_there_is_no_way_back_to_a_version_that_moves(scene):
    scene.create(1, LaunchTemplate={"LaunchTemplateId": scene.template, "Version": "$Latest"})
    scene.rounds(2)
    with pytest.raises(ClientError, match="numbered version"):
        start(scene, scene.version(), AutoRollback=True)
    start(scene)
    with pytest.raises(ClientError, match="IrreversibleInstanceRefresh"):
        scene.api.rollback_instance_refresh(**WEB)


@pytest.mark.parametrize("most", [100, 150, 200])
def test_after_a_refresh_as_many_are_on_demand_as_before(scene, most):
    scene.create(3, MixedInstancesPolicy=scene.mixed(
        OnDemandBaseCapacity=2, OnDemandPercentageAboveBaseCapacity=0))  # fmt: skip
    scene.rounds(2)
    old = scene.ids()
    start(scene, MinHealthyPercentage=100 if most > 100 else 50, MaxHealthyPercentage=most)
    ended, _ = until_ended(scene)
    members = scene.cloud.backend("autoscaling").autoscaling_groups["web"].members
    assert ended["Status"] == "Successful"
    assert not set(old) & set(scene.ids())
    assert sorted(each.origin.spot for each in members) == [False, False, True]


def test_a_refresh_may_bring_a_mixed_policy(scene):
    ready(scene, 2)
    policy = scene.mixed(("t3.small",), OnDemandBaseCapacity=1,
                         OnDemandPercentageAboveBaseCapacity=0)  # fmt: skip
    scene.api.start_instance_refresh(
        **WEB, DesiredConfiguration={"MixedInstancesPolicy": policy},
        Preferences={"SkipMatching": True},
    )  # fmt: skip
    assert until_ended(scene)[0]["Status"] == "Successful"
    assert {each["InstanceType"] for each in scene.instances()} == {"t3.small"}
    lifecycles = {scene.member(each).instance.lifecycle for each in scene.ids()}
    assert lifecycles == {None, "spot"}
    assert scene.group()["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"] == [
        {"InstanceType": "t3.small"}
    ]
