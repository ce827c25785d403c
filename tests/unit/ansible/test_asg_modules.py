"""The modules for Auto Scaling groups, with answers as AWS gives them."""

import copy
import importlib

import pytest

from module_utils import scaling
from tests.unit.ansible.aws import Failed, stubbed

NAME = "shop-web"
INSTANCES = {
    "template": NAME,
    "version": 2,
    "types": ["t3.medium", "t3a.medium"],
    "on_demand_base": 2,
    "on_demand_percent": 0,
    "spot_strategy": "price-capacity-optimized",
}
HOOKS = {"ready": {"transition": "launch", "seconds": 300, "default": "ABANDON"}}
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop/0123456789abcdef"
OURS = {
    "name": NAME,
    "instances": INSTANCES,
    "min_size": 2,
    "max_size": 8,
    "subnets": ["subnet-1", "subnet-2"],
    "target_groups": [ARN],
    "hooks": HOOKS,
    "tags": {"Project": "shop"},
    "wait_timeout": 0,
}
NAMED = {"AutoScalingGroupName": NAME}


def instance(number, version=2, kind="t3.medium", state="InService"):
    return {
        "InstanceId": f"i-{number}",
        "InstanceType": kind,
        "AvailabilityZone": "us-east-1a",
        "LifecycleState": state,
        "HealthStatus": "Healthy",
        "LaunchTemplate": {"LaunchTemplateName": NAME, "Version": str(version)},
        "ProtectedFromScaleIn": False,
    }


def group(*instances, desired=2, version=2, **more):
    return {
        "AutoScalingGroupName": NAME,
        "MinSize": 2,
        "MaxSize": 8,
        "DesiredCapacity": desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-1a"],
        "HealthCheckType": "ELB",
        "HealthCheckGracePeriod": 60,
        "DefaultInstanceWarmup": 60,
        "CapacityRebalance": True,
        "TerminationPolicies": ["Default"],
        "VPCZoneIdentifier": "subnet-2,subnet-1",
        "TargetGroupARNs": [ARN],
        "EnabledMetrics": [{"Metric": "GroupInServiceInstances", "Granularity": "1Minute"}],
        "CreatedTime": "2026-11-29T00:00:00Z",
        "MixedInstancesPolicy": scaling.mixed_policy(INSTANCES | {"version": version}),
        "Instances": list(instances),
        "Tags": [{"Key": "Project", "Value": "shop", "PropagateAtLaunch": True}],
        **more,
    }


TWO = (instance(1), instance(2))


class Cloud:
    """AWS with a group, or without, and what is asked of it in order."""

    def __init__(self):
        self.client, self.stubber = stubbed("autoscaling")

    def tells(self, found=None, hooks=HOOKS):
        answer = {"AutoScalingGroups": [found] if found else []}
        self.stubber.add_response(
            "describe_auto_scaling_groups", answer, {"AutoScalingGroupNames": [NAME]}
        )
        if found and hooks is not None:
            told = [scaling.hook(name, each) for name, each in hooks.items()]
            self.stubber.add_response("describe_lifecycle_hooks", {"LifecycleHooks": told}, NAMED)

    def takes(self, operation, answer=None, **expected):
        self.stubber.add_response(operation, answer or {}, NAMED | expected)

    def refreshes(self, *found, **which):
        self.takes("describe_instance_refreshes", {"InstanceRefreshes": list(found)}, **which)


@pytest.fixture
def cloud():
    cloud = Cloud()
    yield cloud
    cloud.stubber.assert_no_pending_responses()


def keep(run, cloud, check_mode=False, **more):
    return run("asg_group", cloud.client, check_mode, **OURS | more)


def test_a_new_group_has_its_hooks_from_the_first_instance_on_and_is_waited_for(run, cloud):
    cloud.tells()
    cloud.takes(
        "create_auto_scaling_group",
        MixedInstancesPolicy=scaling.mixed_policy(INSTANCES),
        DesiredCapacity=2,
        MinSize=2,
        MaxSize=8,
        HealthCheckType="ELB",
        HealthCheckGracePeriod=60,
        DefaultInstanceWarmup=60,
        CapacityRebalance=True,
        TerminationPolicies=["Default"],
        VPCZoneIdentifier="subnet-1,subnet-2",
        TargetGroupARNs=[ARN],
        LifecycleHookSpecificationList=[
            {
                "LifecycleHookName": "ready",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                "HeartbeatTimeout": 300,
                "DefaultResult": "ABANDON",
            }
        ],
        Tags=[
            {
                "ResourceId": NAME,
                "ResourceType": "auto-scaling-group",
                "Key": "Project",
                "Value": "shop",
                "PropagateAtLaunch": True,
            }
        ],
    )
    cloud.takes("enable_metrics_collection", Granularity="1Minute")
    cloud.tells(group(*TWO))

    made = keep(run, cloud, wait_timeout=600)

    assert (made["changed"], made["made"]) == (True, True)
    assert [each["id"] for each in made["instances"]] == ["i-1", "i-2"]


def test_instances_that_do_not_come_are_a_failure_with_the_reason_of_aws(run, cloud):
    cloud.tells(group(instance(1, state="Pending:Wait")))
    cloud.tells(group(instance(1, state="Pending:Wait")))
    refusal = {
        "ActivityId": "1",
        "AutoScalingGroupName": NAME,
        "Cause": "x",
        "StartTime": "2026-11-29T00:00:00Z",
        "StatusCode": "Failed",
        "StatusMessage": "There is no Spot capacity available that matches your request.",
    }
    cloud.takes("describe_scaling_activities", {"Activities": [refusal]}, MaxRecords=20)

    with pytest.raises(Failed, match="have 2 in service, for 0 s: There is no Spot capacity"):
        keep(run, cloud)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_group_that_has_scaled_out_is_left_as_large_as_it_is(run, cloud, check_mode):
    cloud.tells(group(*TWO, instance(3), instance(4), desired=4))

    kept = keep(run, cloud, check_mode)

    assert not kept["changed"]
    assert len(kept["instances"]) == 4
    assert kept["diff"]["before"] == kept["diff"]["after"]


def test_another_version_is_not_brought_here(run, cloud):
    cloud.tells(group(*TWO, version=1))

    assert not keep(run, cloud)["changed"]


def test_only_what_differs_is_written(run, cloud):
    cloud.tells(group(*TWO, MaxSize=4, TargetGroupARNs=[]), hooks={})
    cloud.takes("update_auto_scaling_group", MaxSize=8)
    cloud.takes("attach_load_balancer_target_groups", TargetGroupARNs=[ARN])
    cloud.takes("put_lifecycle_hook", **scaling.hook("ready", HOOKS["ready"]))

    kept = keep(run, cloud)

    assert kept["changed"]
    assert kept["diff"]["before"]["max_size"] == 4
    assert kept["diff"]["after"]["max_size"] == 8


def test_what_is_not_wanted_any_more_goes(run, cloud):
    old = {"old": {"transition": "termination", "seconds": 60, "default": "CONTINUE"}}
    cloud.tells(group(*TWO), hooks=HOOKS | old)
    cloud.takes("detach_load_balancer_target_groups", TargetGroupARNs=[ARN])
    cloud.takes("delete_lifecycle_hook", LifecycleHookName="old")
    cloud.takes("disable_metrics_collection")

    assert keep(run, cloud, target_groups=[], metrics=False)["changed"]


def test_a_check_says_what_would_be_and_asks_for_nothing(run, cloud):
    cloud.tells(group(*TWO, MinSize=1))
    kept = keep(run, cloud, check_mode=True)

    assert (kept["changed"], kept["diff"]["before"]["min_size"]) == (True, 1)
    cloud.tells()
    assert keep(run, cloud, check_mode=True)["made"]


def test_a_group_goes_when_its_instances_have_finished(run, cloud):
    cloud.tells(group(*TWO))
    cloud.stubber.add_client_error("cancel_instance_refresh", "ActiveInstanceRefreshNotFound")
    cloud.takes("update_auto_scaling_group", MinSize=0, MaxSize=0, DesiredCapacity=0)
    cloud.tells(group(instance(1, state="Terminating:Wait")))
    cloud.tells(group())
    cloud.takes("delete_auto_scaling_group")
    cloud.tells(group(Status="Delete in progress"))
    cloud.tells()

    gone = run("asg_group", cloud.client, name=NAME, state="absent", wait_timeout=600)

    assert gone["changed"]


def test_without_a_group_nothing_goes(run, cloud):
    cloud.tells()

    assert not run("asg_group", cloud.client, name=NAME, state="absent")["changed"]


# --- asg_refresh ------------------------------------------------------------------------------


def refresh(status, version=2, **more):
    policy = scaling.mixed_policy(INSTANCES | {"version": version})
    return {
        "InstanceRefreshId": f"r-{version}",
        "AutoScalingGroupName": NAME,
        "Status": status,
        "DesiredConfiguration": {"MixedInstancesPolicy": policy},
        **more,
    }


def bring(run, cloud, check_mode=False, **more):
    options = {"name": NAME, "instances": INSTANCES, "alarms": ["errors"], "wait_timeout": 60}
    return run("asg_refresh", cloud.client, check_mode, **options | more)


def starts(cloud):
    cloud.takes(
        "start_instance_refresh",
        {"InstanceRefreshId": "r-new"},
        Strategy="Rolling",
        DesiredConfiguration={"MixedInstancesPolicy": scaling.mixed_policy(INSTANCES)},
        Preferences={
            "MinHealthyPercentage": 100,
            "MaxHealthyPercentage": 150,
            "SkipMatching": True,
            "AutoRollback": True,
            "ScaleInProtectedInstances": "Refresh",
            "StandbyInstances": "Terminate",
            "AlarmSpecification": {"Alarms": ["errors"]},
        },
    )


def test_instances_that_are_all_of_it_are_left_alone(run, cloud):
    cloud.tells(group(*TWO, instance(3, version=1, state="Terminating:Wait")), hooks=None)
    cloud.refreshes(refresh("Successful"))

    left = bring(run, cloud)

    assert (left["changed"], left["running"], left["stale"]) == (False, False, [])


@pytest.mark.parametrize(
    "found",
    [
        group(instance(1), instance(2, version=1)),
        group(instance(1), instance(2, kind="m5.large")),
        group(*TWO, version=1),
    ],
    ids=["version", "type", "what is launched next"],
)
def test_what_differs_starts_one(run, cloud, found):
    cloud.tells(found, hooks=None)
    cloud.refreshes()
    assert bring(run, cloud, check_mode=True)["changed"]

    cloud.tells(found, hooks=None)
    cloud.refreshes(refresh("RollbackSuccessful"))
    starts(cloud)

    started = bring(run, cloud)

    assert (started["changed"], started["running"]) == (True, True)
    assert started["refresh"]["id"] == "r-new"


def test_one_that_goes_there_already_is_gone_on_with(run, cloud):
    cloud.tells(group(instance(1), instance(2, version=1), version=1), hooks=None)
    cloud.refreshes(refresh("InProgress", PercentageComplete=50, InstancesToUpdate=1))

    found = bring(run, cloud)

    assert found["running"]
    assert found["refresh"] == {
        "id": "r-2", "status": "InProgress", "percent": 50, "left": 1, "reason": "",
    }  # fmt: skip


@pytest.mark.parametrize("other", [refresh("InProgress", 1), refresh("RollbackInProgress", 2)])
def test_one_that_goes_elsewhere_is_ended_first(run, cloud, other):
    cloud.tells(group(*TWO, version=1), hooks=None)
    cloud.refreshes(other)
    cloud.takes("cancel_instance_refresh")
    which = {"InstanceRefreshIds": [other["InstanceRefreshId"]]}
    cloud.refreshes(other | {"Status": "Cancelling"}, **which)
    cloud.refreshes(other | {"Status": "Cancelled"}, **which)
    starts(cloud)

    assert bring(run, cloud)["refresh"]["id"] == "r-new"


def test_one_is_followed_by_its_id(run, cloud):
    cloud.refreshes(refresh("Successful", PercentageComplete=100), InstanceRefreshIds=["r-2"])

    found = bring(run, cloud, follow="r-2")

    assert (found["running"], found["refresh"]["percent"]) == (False, 100)


def test_a_group_that_there_is_not_cannot_be_brought_anywhere(run, cloud):
    cloud.tells()

    with pytest.raises(Failed, match="There is no group shop-web"):
        bring(run, cloud)


@pytest.fixture
def action():
    return importlib.import_module("action_plugins.asg_refresh")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("Successful", ""),
        ("RollbackSuccessful", "It was led back"),
        ("RollbackFailed", "has instances of both"),
        ("Failed", "What was replaced stays so"),
        ("Cancelled", "What was replaced stays so"),
    ],
)
def test_it_is_a_failure_unless_it_succeeds(action, status, said):
    found = action.ended(NAME, scaling_shown(status))

    assert said in found
    assert bool(found) == bool(said)
    if said:
        assert "an alarm went off" in found


def scaling_shown(status):
    return {"id": "r", "status": status, "percent": 50, "left": 2, "reason": "an alarm went off"}


def test_who_waits_is_told_how_far_it_is(action):
    line = action.progress(NAME, scaling_shown("InProgress"))

    assert line == "shop-web: InProgress, 50 %, 2 instances to go; an alarm went off"


def through(action, monkeypatch, *results):
    """What the plugin makes of these answers of the module, and the arguments that it was given."""
    monkeypatch.setattr(action.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(action.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    plugin = object.__new__(action.ActionModule)
    plugin._task = type("Task", (), {"args": {"name": NAME}})()
    asked, answers = [], iter(results)

    def call(arguments, task_vars):
        asked.append(arguments)
        return copy.deepcopy(next(answers))

    plugin._call = call
    return plugin.run(task_vars={}), asked


def test_it_is_seen_through(action, monkeypatch):
    going = {"changed": True, "running": True, "refresh": scaling_shown("InProgress"), "stale": []}
    done = going | {"running": False, "refresh": scaling_shown("Successful")}

    result, asked = through(action, monkeypatch, going, going, done)

    assert asked == [{"name": NAME}, *[{"name": NAME, "follow": "r"}] * 2]
    assert (result.get("failed"), result["changed"]) == (None, True)
    failed, _ = through(
        action, monkeypatch, going, done | {"refresh": scaling_shown("RollbackSuccessful")}
    )
    assert failed["failed"]
    assert "an alarm went off" in failed["msg"]


def test_nothing_to_do_is_not_waited_for(action, monkeypatch):
    nothing = {"changed": False, "running": False, "refresh": {}, "stale": []}

    assert through(action, monkeypatch, nothing) == (nothing, [{"name": NAME}])


# --- asg_policies -----------------------------------------------------------------------------

CPU = {"name": "cpu", "metric": "cpu", "target": 50.0, "scale_in": True}
REQUESTS = {
    "name": "requests", "metric": "requests", "of": "app/a/1/targetgroup/b/2", "target": 300.0,
    "scale_in": True,
}  # fmt: skip


def told(policy, **more):
    return {
        "PolicyName": policy["name"],
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": scaling.tracking(policy),
        "Alarms": [{"AlarmName": f"TargetTracking-{policy['name']}", "AlarmARN": "arn"}],
        **more,
    }


def test_policies_are_kept_and_others_go(run, cloud):
    other = told(CPU) | {"PolicyName": "other"}
    there = {"ScalingPolicies": [told(CPU | {"target": 70.0}), other]}
    cloud.takes("describe_policies", there)
    for each in (CPU, REQUESTS):
        cloud.takes(
            "put_scaling_policy",
            PolicyName=each["name"],
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=scaling.tracking(each),
        )
    cloud.takes("delete_policy", PolicyName="other")

    kept = run("asg_policies", cloud.client, name=NAME, policies=[CPU, REQUESTS])

    assert kept["changed"]
    assert kept["diff"]["before"]["cpu"]["TargetValue"] == 70
    assert list(kept["diff"]["after"]) == ["cpu", "requests"]


def test_policies_that_are_right_stay_and_a_check_writes_none(run, cloud):
    cloud.takes("describe_policies", {"ScalingPolicies": [told(CPU), told(REQUESTS)]})
    kept = run("asg_policies", cloud.client, name=NAME, policies=[CPU, REQUESTS])
    assert not kept["changed"]
    assert kept["alarms"] == ["TargetTracking-cpu", "TargetTracking-requests"]

    cloud.takes("describe_policies", {"ScalingPolicies": []})
    assert run("asg_policies", cloud.client, True, name=NAME, policies=[CPU])["changed"]
