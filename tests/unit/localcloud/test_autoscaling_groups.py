"""Groups: as many real hosts as asked for, where they were asked for, and said as AWS says it."""

import pytest
from botocore.exceptions import ClientError

WEB = {"AutoScalingGroupName": "web"}


def test_a_group_starts_its_hosts_spread_over_its_zones(scene):
    scene.create(4)
    assert scene.instances() == []
    scene.rounds(2)
    assert set(scene.states().values()) == {"InService"}
    assert scene.zones() == ["us-east-1a"] * 2 + ["us-east-1b"] * 2
    assert scene.running() == set(scene.ids())


def test_an_instance_says_what_it_was_launched_from(scene):
    scene.version(InstanceType="t3.small")
    scene.create(1, LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"})
    scene.rounds(2)
    (found,) = scene.instances()
    assert found["LaunchTemplate"] == {
        "LaunchTemplateId": scene.template, "LaunchTemplateName": "web", "Version": "2",
    }  # fmt: skip
    assert found["InstanceType"] == "t3.small"
    assert scene.group()["LaunchTemplate"]["Version"] == "$Latest"


def test_tags_reach_the_hosts_that_are_to_have_them(scene):
    tags = [
        {"Key": "role", "Value": "web", "PropagateAtLaunch": True},
        {"Key": "owner", "Value": "us", "PropagateAtLaunch": False},
    ]
    scene.create(1, Tags=tags)
    scene.rounds()
    (found,) = scene.ec2.describe_instances()["Reservations"]
    tags = {each["Key"]: each["Value"] for each in found["Instances"][0]["Tags"]}
    assert tags["role"] == "web"
    assert tags["aws:autoscaling:groupName"] == "web"
    assert tags["aws:ec2launchtemplate:version"] == "1"
    assert "owner" not in tags


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"DesiredCapacity": 9}, "Desired capacity:9 must be between the specified min size:0"),
        ({"MinSize": 9}, "Max bound, 8, must be greater than or equal to min bound, 9"),
        ({"HealthCheckType": "EBS"}, "by EC2 and ELB"),
        ({"TerminationPolicies": ["AllocationStrategy"]}, "termination policies Default"),
        ({"TargetGroupARNs": ["arn:aws:none"]}, "Target Groups may not be valid"),
        ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "fully-formed launch template"),
        ({"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "7"}}, "fully-formed"),
        ({"LaunchTemplate": {}}, "Valid requests must contain either"),
    ],
)
def test_what_aws_would_refuse_is_refused(scene, options, message):
    with pytest.raises(ClientError, match=message):
        scene.create(**options)
    assert scene.group() is None


def test_a_name_is_taken_once(scene):
    scene.create()
    with pytest.raises(ClientError, match="AlreadyExists"):
        scene.create()


def test_capacity_follows_what_is_asked_and_says_why(scene):
    scene.create(1)
    scene.rounds(2)
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=3)
    scene.rounds(2)
    assert len(scene.running()) == 3
    assert scene.activities()[0]["Cause"] == (
        "At 2026-03-01T12:00:02Z a user request explicitly set group desired capacity changing "
        "the desired capacity from 1 to 3.  At 2026-03-01T12:00:03Z an instance was started in "
        "response to a difference between desired and actual capacity, increasing the capacity "
        "from 1 to 3."
    )
    scene.api.update_auto_scaling_group(**WEB, MaxSize=2)
    assert scene.group()["DesiredCapacity"] == 2
    scene.rounds(3)
    assert len(scene.running()) == 2
    ended = scene.activities()[0]
    assert ended["Description"].startswith("Terminating EC2 instance: i-")
    assert "constraints to min: 0, max: 2, desired: 2" in ended["Cause"]
    assert "was selected for termination" in ended["Cause"]
    assert ended["StatusCode"] == "Successful"


@pytest.mark.parametrize("desired", [9, -1])
def test_capacity_stays_within_its_bounds(scene, desired):
    scene.create()
    with pytest.raises(ClientError, match="for the AutoScalingGroup"):
        scene.api.set_desired_capacity(**WEB, DesiredCapacity=desired)


def test_a_cooldown_is_honoured_when_asked(scene):
    scene.create(DefaultCooldown=30)
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=3, HonorCooldown=True)
    with pytest.raises(ClientError, match="ScalingActivityInProgress"):
        scene.api.set_desired_capacity(**WEB, DesiredCapacity=4, HonorCooldown=True)
    scene.rounds(1, 31)
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=4, HonorCooldown=True)


def test_an_update_leaves_alone_what_it_does_not_name(scene):
    scene.create(MixedInstancesPolicy=scene.mixed(OnDemandBaseCapacity=1))
    scene.api.update_auto_scaling_group(**WEB, DefaultCooldown=5, DefaultInstanceWarmup=7)
    scene.api.update_auto_scaling_group(
        **WEB,
        MixedInstancesPolicy={"InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 20}},
    )
    found = scene.group()
    assert (found["DefaultCooldown"], found["DefaultInstanceWarmup"]) == (5, 7)
    policy = found["MixedInstancesPolicy"]
    assert policy["InstancesDistribution"]["OnDemandBaseCapacity"] == 1
    assert policy["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 20
    assert len(policy["LaunchTemplate"]["Overrides"]) == 2
    assert policy["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateName"] == "web"


def test_a_group_with_hosts_is_deleted_by_force_only(scene):
    scene.create(2)
    scene.rounds(2)
    with pytest.raises(ClientError, match="ResourceInUse"):
        scene.api.delete_auto_scaling_group(**WEB)
    scene.api.delete_auto_scaling_group(**WEB, ForceDelete=True)
    scene.rounds(2)
    assert scene.group() is None
    assert scene.running() == set()


def test_an_empty_group_is_deleted(scene):
    scene.create(0)
    scene.api.delete_auto_scaling_group(**WEB)
    assert scene.group() is None


def test_a_host_that_dies_is_replaced(scene):
    scene.create(2)
    scene.rounds(2)
    lost, kept = scene.ids()
    scene.cloud.engine.die(lost, 137)
    scene.rounds(3)
    assert lost not in scene.ids()
    assert kept in scene.ids()
    assert len(scene.running()) == 2
    causes = [each["Cause"] for each in scene.activities()]
    assert any(
        "an EC2 health check indicating it has been terminated or stopped" in each
        for each in causes
    )


def test_a_host_that_somebody_terminates_is_replaced(scene):
    scene.create(1)
    scene.rounds(2)
    (lost,) = scene.ids()
    scene.ec2.terminate_instances(InstanceIds=[lost])
    scene.rounds(4)
    assert scene.ids() != [lost]
    assert len(scene.running()) == 1


@pytest.mark.parametrize("process", ["HealthCheck", "ReplaceUnhealthy", "Terminate", "Launch"])
def test_a_suspended_process_does_nothing(scene, process):
    scene.create(2)
    scene.rounds(2)
    lost = scene.ids()[0]
    scene.api.suspend_processes(**WEB, ScalingProcesses=[process])
    scene.cloud.engine.die(lost, 137)
    scene.rounds(4)
    assert len(scene.running()) == 1
    assert (lost in scene.ids()) == (process != "Launch")
    scene.api.resume_processes(**WEB)
    scene.rounds(4)
    assert len(scene.running()) == 2
    assert lost not in scene.ids()


def test_an_unknown_process_is_refused(scene):
    scene.create()
    with pytest.raises(ClientError, match="Sleep"):
        scene.api.suspend_processes(**WEB, ScalingProcesses=["Sleep"])


def test_a_user_says_that_a_host_is_ill_after_its_grace(scene):
    scene.create(1, HealthCheckGracePeriod=30)
    scene.rounds(2)
    (ill,) = scene.ids()
    for seconds, kept in ((1, True), (31, False)):
        scene.rounds(1, seconds)
        scene.api.set_instance_health(InstanceId=ill, HealthStatus="Unhealthy")
        scene.rounds(3)
        assert (ill in scene.ids()) == kept


def test_hosts_join_their_target_groups_and_leave_them(scene):
    arn = scene.targets()
    scene.create(2, TargetGroupARNs=[arn])
    scene.rounds(2)
    assert scene.registered(arn) == set(scene.ids())
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=1)
    scene.rounds(4)
    assert scene.registered(arn) == set(scene.ids())
    assert len(scene.ids()) == 1
    scene.api.detach_load_balancer_target_groups(**WEB, TargetGroupARNs=[arn])
    assert scene.registered(arn) == set()
    scene.api.attach_load_balancer_target_groups(**WEB, TargetGroupARNs=[arn])
    assert scene.registered(arn) == set(scene.ids())


@pytest.mark.parametrize("kind", ["ELB", "EC2,ELB"])
def test_a_host_that_its_balancer_finds_ill_is_replaced_after_its_grace(scene, monkeypatch, kind):
    from localcloud.services.elbv2.health import HEALTHY, Health
    from localcloud.services.elbv2.targets import TargetGroups

    seen = {}
    monkeypatch.setattr(
        TargetGroups, "health", lambda self, group, name: seen.get(name, HEALTHY)
    )  # fmt: skip
    arn = scene.targets()
    scene.create(1, TargetGroupARNs=[arn], HealthCheckType=kind, HealthCheckGracePeriod=20)
    scene.rounds(2)
    (ill,) = scene.ids()
    seen[ill] = Health("unhealthy")
    scene.rounds(5)
    assert scene.ids() == [ill]
    scene.rounds(4, 10)
    assert scene.ids() != [ill]
    causes = " ".join(each["Cause"] for each in scene.activities())
    assert "in response to an ELB system health check failure" in causes


def test_a_target_that_still_has_requests_is_not_terminated(scene, monkeypatch):
    from localcloud.services.elbv2.health import DRAINING, HEALTHY
    from localcloud.services.elbv2.targets import TargetGroups

    busy = [True]
    monkeypatch.setattr(
        TargetGroups,
        "health",
        lambda self, group, name: (
            HEALTHY if name in group.targets else DRAINING if busy[0] else HEALTHY
        ),
    )
    scene.create(1, TargetGroupARNs=[scene.targets()])
    scene.rounds(2)
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=0)
    scene.rounds(5)
    assert list(scene.states().values()) == ["Terminating"]
    assert scene.activities()[0]["StatusCode"] == "WaitingForELBConnectionDraining"
    assert len(scene.running()) == 1
    busy[0] = False
    scene.rounds(2)
    assert scene.running() == set()


def test_standby_is_out_of_service_and_comes_back(scene):
    arn = scene.targets()
    scene.create(2, TargetGroupARNs=[arn])
    scene.rounds(2)
    one, other = scene.ids()
    scene.api.enter_standby(**WEB, InstanceIds=[one], ShouldDecrementDesiredCapacity=True)
    scene.rounds(2)
    assert scene.states() == {one: "Standby", other: "InService"}
    assert scene.registered(arn) == {other}
    assert scene.group()["DesiredCapacity"] == 1
    scene.api.exit_standby(**WEB, InstanceIds=[one])
    scene.rounds(2)
    assert set(scene.states().values()) == {"InService"}
    assert scene.registered(arn) == {one, other}


def test_a_detached_host_lives_on_without_the_group(scene):
    scene.create(2)
    scene.rounds(2)
    one, other = scene.ids()
    answer = scene.api.detach_instances(
        **WEB, InstanceIds=[one], ShouldDecrementDesiredCapacity=False
    )
    assert answer["Activities"][0]["Description"] == f"Detaching EC2 instance: {one}"
    scene.rounds(3)
    assert one not in scene.ids()
    assert len(scene.ids()) == 2
    assert one in scene.running()
    scene.api.detach_instances(**WEB, InstanceIds=[other], ShouldDecrementDesiredCapacity=True)
    scene.rounds(3)
    assert len(scene.ids()) == 1


def test_a_running_instance_is_attached(scene, launch):
    scene.create(0, MaxSize=1)
    fresh, late = (launch()["InstanceId"] for _ in range(2))
    scene.api.attach_instances(**WEB, InstanceIds=[fresh])
    scene.rounds(2)
    assert scene.states() == {fresh: "InService"}
    with pytest.raises(ClientError, match="max size"):
        scene.api.attach_instances(**WEB, InstanceIds=[late])


def test_one_instance_is_terminated_with_and_without_another_in_its_place(scene):
    scene.create(2, MinSize=1)
    scene.rounds(2)
    one, other = scene.ids()
    scene.api.terminate_instance_in_auto_scaling_group(
        InstanceId=one, ShouldDecrementDesiredCapacity=False
    )
    scene.rounds(4)
    assert len(scene.ids()) == 2
    scene.api.terminate_instance_in_auto_scaling_group(
        InstanceId=other, ShouldDecrementDesiredCapacity=True
    )
    scene.rounds(4)
    (last,) = scene.ids()
    with pytest.raises(ClientError, match="desiredSize equals minSize"):
        scene.api.terminate_instance_in_auto_scaling_group(
            InstanceId=last, ShouldDecrementDesiredCapacity=True
        )


def test_a_protected_host_stays_and_the_group_says_so(scene):
    scene.create(2, NewInstancesProtectedFromScaleIn=True)
    scene.rounds(2)
    one, other = scene.ids()
    scene.api.set_instance_protection(**WEB, InstanceIds=[one], ProtectedFromScaleIn=False)
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=0)
    scene.rounds(4)
    assert scene.ids() == [other]
    assert "protected from scale-in" in scene.activities()[0]["StatusMessage"]
    assert scene.activities()[0]["StatusCode"] == "Failed"


def test_a_group_out_of_balance_starts_one_before_it_ends_one(scene):
    scene.create(2, VPCZoneIdentifier=scene.subnets[0])
    scene.rounds(2)
    scene.api.update_auto_scaling_group(**WEB, VPCZoneIdentifier=",".join(scene.subnets))
    counts = []
    for _ in range(6):
        scene.rounds()
        counts.append(len(scene.running()))
    assert scene.zones() == ["us-east-1a", "us-east-1b"]
    assert max(counts) == 3
    assert min(counts) == 2


def test_describing_comes_in_pages(scene):
    for number in range(3):
        scene.create(0, name=f"group-{number}")
    pages = scene.api.get_paginator("describe_auto_scaling_groups").paginate(
        PaginationConfig={"PageSize": 2}
    )
    found = [[each["AutoScalingGroupName"] for each in page["AutoScalingGroups"]] for page in pages]
    assert found == [["group-0", "group-1"], ["group-2"]]


def test_a_template_whose_image_is_gone_fails_with_a_reason(scene):
    scene.create(1)
    scene.ec2.delete_launch_template(LaunchTemplateId=scene.template)
    scene.rounds(2)
    failed = scene.activities()[0]
    assert failed["StatusCode"] == "Failed"
    assert failed["StatusMessage"].endswith("Launching EC2 instance failed.")


def test_a_host_that_does_not_start_is_tried_again_later(scene):
    scene.cloud.engine.refuse = "no memory"
    scene.create(1)
    scene.rounds(2)
    assert "no memory" in scene.activities()[0]["StatusMessage"]
    assert len(scene.activities()) == 1
    scene.cloud.engine.refuse = ""
    scene.rounds(3, 5)
    assert list(scene.states().values()) == ["InService"]


def test_after_a_crash_the_group_goes_on_with_what_was_on_its_way(scene, make_cloud):
    scene.create(2)
    scene.rounds(1)
    fresh = scene.cloud.backend("autoscaling").autoscaling_groups["web"].members.pop()
    scene.cloud.settle()
    cloud = make_cloud(scene.cloud.engine, scene.cloud.network, scene.cloud.storage)
    scene.take(cloud)
    assert any(f"{fresh.id} joins the group web" in line for line in cloud.adopted)
    scene.rounds(2)
    assert set(scene.states().values()) == {"InService"}
    assert len(scene.running()) == 2


def test_status_tells_of_the_groups(scene):
    scene.create(2)
    scene.rounds(2)
    (row,) = [each for each in scene.cloud.rows() if each.kind == "Auto Scaling group"]
    assert (row.id, row.state, row.health) == ("web", "0 to 8", "2 of 2 in service")


def test_metrics_of_a_group_can_be_disabled(scene):
    scene.create(0)
    scene.api.enable_metrics_collection(AutoScalingGroupName="web", Granularity="1Minute")
    scene.api.disable_metrics_collection(AutoScalingGroupName="web")
    found = scene.api.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert not found.get("EnabledMetrics")


def test_metrics_are_enabled_and_disabled_by_name(scene):
    scene.create(0)

    def enabled():
        found = scene.api.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        return [each["Metric"] for each in found["EnabledMetrics"]]

    named = {"AutoScalingGroupName": "web"}
    scene.api.enable_metrics_collection(**named, Granularity="1Minute")
    scene.api.disable_metrics_collection(**named, Metrics=["GroupMinSize", "GroupMaxSize"])
    assert "GroupDesiredCapacity" in enabled()
    assert not {"GroupMinSize", "GroupMaxSize"} & set(enabled())
    with pytest.raises(ClientError, match="ValidationError"):
        scene.api.disable_metrics_collection(**named, Metrics=["GroupMood"])


def test_a_group_that_is_not_there_is_refused(scene):
    scene.create(0)
    for call in (
        lambda: scene.api.disable_metrics_collection(AutoScalingGroupName="none"),
        lambda: scene.api.update_auto_scaling_group(AutoScalingGroupName="none", MinSize=0),
        lambda: scene.api.delete_auto_scaling_group(AutoScalingGroupName="none"),
        lambda: scene.api.attach_instances(AutoScalingGroupName="none"),
        lambda: scene.api.set_desired_capacity(AutoScalingGroupName="none", DesiredCapacity=1),
    ):
        with pytest.raises(ClientError, match="AutoScalingGroup none not found"):
            call()


def test_hosts_have_the_profile_of_their_template(scene):
    iam = scene.cloud.backend("iam", "aws")
    iam.create_role("web", "{}", "/", None, None, [], 3600)
    iam.create_instance_profile("web", "/", []).roles = [iam.get_role("web")]
    version = scene.version(IamInstanceProfile={"Name": "web"})
    scene.create(2, LaunchTemplate={"LaunchTemplateId": scene.template, "Version": version})
    scene.rounds(2)
    profiles = scene.cloud.backend("ec2").iam_instance_profile_associations
    assert set(profiles) == set(scene.ids())


def test_a_group_changes_between_one_template_and_a_mixed_policy(scene):
    scene.create(1)
    scene.api.update_auto_scaling_group(**WEB, MixedInstancesPolicy=scene.mixed())
    assert "LaunchTemplate" not in scene.group()
    scene.rounds(2)
    assert scene.instances()[0]["InstanceType"] == "t3.micro"
    version = scene.version(InstanceType="t3.small")
    named = {"LaunchTemplateName": "web", "Version": version}
    scene.api.update_auto_scaling_group(**WEB, LaunchTemplate=named)
    assert "MixedInstancesPolicy" not in scene.group()
    assert scene.group()["LaunchTemplate"] == {**named, "LaunchTemplateId": scene.template}
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=2)
    scene.rounds(2)
    assert [each["InstanceType"] for each in scene.instances()] == ["t3.micro", "t3.small"]


@pytest.mark.parametrize(
    ("policy", "goes"),
    [
        ("OldestInstance", 0),
        ("NewestInstance", 2),
        ("ClosestToNextInstanceHour", 0),
        ("OldestLaunchTemplate", 1),
    ],
)
def test_who_goes_first_is_the_policys_to_say(scene, policy, goes):
    zone = scene.subnets[0]
    scene.version()
    scene.create(1, VPCZoneIdentifier=zone, TerminationPolicies=[policy],
                 LaunchTemplate={"LaunchTemplateId": scene.template, "Version": "2"})  # fmt: skip
    scene.rounds(2)
    for minutes, version in ((20, "1"), (50, "2")):
        scene.rounds(1, minutes * 60)
        launched = {"LaunchTemplateId": scene.template, "Version": version}
        scene.api.update_auto_scaling_group(
            **WEB, LaunchTemplate=launched, DesiredCapacity=scene.group()["DesiredCapacity"] + 1
        )
        scene.rounds(2)
    ids = scene.ids()
    # their ages are 104, 84 and 34 minutes: 16, 36 and 26 to the next hour
    scene.rounds(1, 34 * 60)
    scene.api.set_desired_capacity(**WEB, DesiredCapacity=2)
    scene.rounds(3)
    assert set(ids) - set(scene.ids()) == {ids[goes]}
