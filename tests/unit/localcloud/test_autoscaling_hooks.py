"""Lifecycle hooks: who waits for them, how long, and what then."""

import pytest
from botocore.exceptions import ClientError

from localcloud.services.instance_metadata import InstanceMetadata

WEB = {"AutoScalingGroupName": "web"}


def put(scene, name="ready", **options):
    scene.api.put_lifecycle_hook(
        **WEB,
        LifecycleHookName=name,
        **{"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", **options},
    )


def complete(scene, instance_id, result="CONTINUE", name="ready"):
    scene.api.complete_lifecycle_action(
        **WEB, LifecycleHookName=name, InstanceId=instance_id, LifecycleActionResult=result
    )


def target_state(scene, instance_id):
    address = scene.member(instance_id).instance.private_ip
    tree = scene.cloud.service(InstanceMetadata).tree(address)
    return tree["latest"]["meta-data"]["autoscaling"]["target-lifecycle-state"]


def test_a_launch_waits_for_its_hook_and_then_gets_requests(scene):
    arn = scene.targets()
    scene.create(1, TargetGroupARNs=[arn])
    put(scene)
    scene.rounds(3)
    (fresh,) = scene.ids()
    assert scene.states() == {fresh: "Pending:Wait"}
    assert scene.registered(arn) == set()
    assert scene.activities()[0]["StatusCode"] == "MidLifecycleAction"
    assert target_state(scene, fresh) == "InService"
    complete(scene, fresh)
    scene.rounds(2)
    assert scene.states() == {fresh: "InService"}
    assert scene.registered(arn) == {fresh}
    assert scene.activities()[0]["StatusCode"] == "Successful"


def test_a_launch_that_is_abandoned_is_replaced(scene):
    scene.create(1)
    put(scene)
    scene.rounds(2)
    (bad,) = scene.ids()
    complete(scene, bad, "ABANDON")
    scene.rounds(4)
    assert bad not in scene.ids()
    assert list(scene.states().values()) == ["Pending:Wait"]
    message = next(
        each["StatusMessage"]
        for each in scene.activities()
        if each["Description"] == f"Launching a new EC2 instance: {bad}"
    )
    assert message.endswith("was abandoned: Lifecycle Action Completed with ABANDON Result")


@pytest.mark.parametrize(("default", "state"), [("CONTINUE", "InService"), ("ABANDON", None)])
def test_a_hook_that_nobody_completes_has_its_default_result(scene, default, state):
    scene.create(1)
    put(scene, HeartbeatTimeout=60, DefaultResult=default)
    scene.rounds(2)
    (fresh,) = scene.ids()
    scene.rounds(2, 29)
    assert scene.states()[fresh] == "Pending:Wait"
    scene.rounds(1, 5)
    scene.rounds(2)
    assert scene.states().get(fresh) == state


def test_a_heartbeat_starts_the_time_again(scene):
    scene.create(1)
    put(scene, HeartbeatTimeout=60)
    scene.rounds(2)
    (fresh,) = scene.ids()
    for _ in range(3):
        scene.rounds(1, 40)
        scene.api.record_lifecycle_action_heartbeat(
            **WEB, LifecycleHookName="ready", InstanceId=fresh
        )
    assert scene.states() == {fresh: "Pending:Wait"}


def test_the_end_waits_for_its_hook_after_the_last_request(scene):
    arn = scene.targets()
    scene.create(1, TargetGroupARNs=[arn])
    put(scene, "goodbye", LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING")
    scene.rounds(2)
    (old,) = scene.ids()
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=0)
    scene.rounds(3)
    assert scene.states() == {old: "Terminating:Wait"}
    assert scene.registered(arn) == set()
    assert target_state(scene, old) == "Terminated"
    assert old in scene.running()
    complete(scene, old, name="goodbye")
    scene.rounds(2)
    assert scene.running() == set()


def test_several_hooks_must_all_agree(scene):
    scene.create(1)
    put(scene)
    put(scene, "warm")
    scene.rounds(2)
    (fresh,) = scene.ids()
    complete(scene, fresh)
    scene.rounds(2)
    assert scene.states() == {fresh: "Pending:Wait"}
    with pytest.raises(ClientError, match="No active Lifecycle Action found"):
        complete(scene, fresh)
    complete(scene, fresh, name="warm")
    scene.rounds(2)
    assert scene.states() == {fresh: "InService"}


def test_an_action_is_completed_by_its_token(scene):
    scene.create(1)
    put(scene)
    scene.rounds(2)
    (fresh,) = scene.ids()
    token = scene.member(fresh).waits[0].token
    scene.api.complete_lifecycle_action(
        **WEB,
        LifecycleHookName="ready",
        LifecycleActionToken=token,
        LifecycleActionResult="CONTINUE",
    )
    scene.rounds(2)
    assert scene.states() == {fresh: "InService"}


def test_who_waits_for_a_hook_that_is_deleted_goes_on(scene):
    scene.create(1)
    put(scene)
    scene.rounds(2)
    scene.api.delete_lifecycle_hook(**WEB, LifecycleHookName="ready")
    scene.rounds(2)
    assert list(scene.states().values()) == ["InService"]
    with pytest.raises(ClientError, match="No Lifecycle Hook found with name: ready"):
        scene.api.delete_lifecycle_hook(**WEB, LifecycleHookName="ready")


def test_hooks_are_described_and_changed(scene):
    scene.create(
        0,
        LifecycleHookSpecificationList=[
            {
                "LifecycleHookName": "ready",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                "HeartbeatTimeout": 90,
            }
        ],
    )
    scene.api.put_lifecycle_hook(**WEB, LifecycleHookName="ready", DefaultResult="CONTINUE")
    (found,) = scene.api.describe_lifecycle_hooks(**WEB)["LifecycleHooks"]
    assert found == {
        **WEB,
        "LifecycleHookName": "ready",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "HeartbeatTimeout": 90,
        "GlobalTimeout": 9000,
        "DefaultResult": "CONTINUE",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"LifecycleTransition": "sometimes"}, "Invalid lifecycle transition"),
        ({"HeartbeatTimeout": 5}, "HeartbeatTimeout"),
        ({"DefaultResult": "MAYBE"}, "DefaultResult"),
    ],
)
def test_a_hook_that_cannot_be_is_refused(scene, options, message):
    scene.create(0)
    with pytest.raises(ClientError, match=message):
        put(scene, **options)


def test_waiting_survives_a_restart(scene, make_cloud):
    scene.create(1)
    put(scene)
    scene.rounds(2)
    (fresh,) = scene.ids()
    scene.take(make_cloud(scene.cloud.engine, scene.cloud.network, scene.cloud.storage))
    assert scene.states() == {fresh: "Pending:Wait"}
    complete(scene, fresh)
    scene.rounds(2)
    assert scene.states() == {fresh: "InService"}
