"""Which rights calls about groups need: a host may complete hooks of its own group only."""

import json

import pytest
from botocore.exceptions import ClientError

from localcloud.identity.targets_autoscaling import _autoscaling


@pytest.fixture
def host(api, cloud, scene):
    """A client with the rights of a host of the group ``web``, which may complete its hooks."""
    iam = api.client("iam")
    iam.create_user(UserName="host")
    statement = {
        "Effect": "Allow",
        "Action": ["autoscaling:CompleteLifecycleAction", "autoscaling:Describe*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/role": "web"}},
    }
    describe = {"Effect": "Allow", "Action": "autoscaling:Describe*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement, describe]}
    iam.put_user_policy(UserName="host", PolicyName="hooks", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName="host")["AccessKey"]
    tags = [{"Key": "role", "Value": "web", "PropagateAtLaunch": False}]
    scene.create(0, Tags=tags)
    scene.create(0, name="other")
    return api.client("autoscaling", key["AccessKeyId"], key["SecretAccessKey"])


def complete(client, group):
    client.complete_lifecycle_action(
        AutoScalingGroupName=group, LifecycleHookName="ready", InstanceId="i-1",
        LifecycleActionResult="CONTINUE",
    )  # fmt: skip


def test_a_right_on_a_group_is_none_on_another(host):
    with pytest.raises(ClientError, match="No Lifecycle Hook found"):
        complete(host, "web")
    with pytest.raises(ClientError, match="AccessDenied"):
        complete(host, "other")
    with pytest.raises(ClientError, match="AccessDenied"):
        host.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
    assert len(host.describe_auto_scaling_groups()["AutoScalingGroups"]) == 2


def test_calls_by_instance_are_about_its_group(cloud, scene):
    from types import SimpleNamespace

    scene.create(1)
    scene.rounds(2)
    call = SimpleNamespace(operation="TerminateInstanceInAutoScalingGroup", service="autoscaling")
    (found,) = _autoscaling(cloud, call, {"InstanceId": scene.ids()[0]})
    assert found.resource.endswith(":autoScalingGroupName/web")
    assert found.action == "autoscaling:TerminateInstanceInAutoScalingGroup"


def test_the_local_cloud_refuses_what_it_would_ignore(api, scene):
    client = api.client("autoscaling")
    with pytest.raises(ClientError, match="refuses MaxInstanceLifetime"):
        client.create_auto_scaling_group(
            AutoScalingGroupName="web", MinSize=0, MaxSize=1, MaxInstanceLifetime=86400,
            LaunchTemplate={"LaunchTemplateId": scene.template},
            VPCZoneIdentifier=scene.subnets[0],
        )  # fmt: skip
    with pytest.raises(ClientError, match="refuses autoscaling:PutWarmPool"):
        client.put_warm_pool(AutoScalingGroupName="web")
