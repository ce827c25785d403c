"""A group of small hosts behind a load balancer: born, lost, renewed, taken back, and its end."""

import base64
import json
import time
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError
from cloud.conftest import allow, wait_until
from cloud.test_alb import SERVER, Visitors

pytestmark = pytest.mark.cloud

WEB = {"AutoScalingGroupName": "web"}
LAUNCHING, ENDING = (
    f"autoscaling:EC2_INSTANCE_{each}" for each in ("LAUNCHING", "TERMINATING")
)  # fmt: skip


class Group:
    """The group ``web`` as the API shows it."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.api = cloud.client("autoscaling")

    def states(self) -> dict[str, str]:
        found = self.api.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])
        return {
            each["InstanceId"]: each["LifecycleState"]
            for group in found["AutoScalingGroups"]
            for each in group["Instances"]
        }

    def there(self) -> set[str]:
        return {name for name, state in self.states().items() if state == "InService"}

    def admit(self, result: str = "CONTINUE") -> None:
        """What the hosts would say by themselves once they are ready, and before their end."""
        actions = {"Pending:Wait": ("ready", result), "Terminating:Wait": ("goodbye", "CONTINUE")}
        for name, state in self.states().items():
            if state in actions:
                hook, said = actions[state]
                with suppress(ClientError):  # it went on meanwhile
                    self.api.complete_lifecycle_action(
                        **WEB, LifecycleHookName=hook, InstanceId=name, LifecycleActionResult=said
                    )

    def refresh(self, template: str, version: int, **preferences) -> None:
        """Begin a refresh that launches before it terminates."""
        wanted = {"LaunchTemplateId": template, "Version": str(version)}
        self.api.start_instance_refresh(
            **WEB,
            DesiredConfiguration={"LaunchTemplate": wanted},
            Preferences={
                "MinHealthyPercentage": 100,
                "MaxHealthyPercentage": 200,
                "InstanceWarmup": 0,
                **preferences,
            },
        )

    def refreshed(self, result: str = "CONTINUE") -> dict:
        """Complete the hooks of new hosts until the refresh has ended; what it says then."""

        def ended():
            self.admit(result)
            (found, *_) = self.api.describe_instance_refreshes(**WEB)["InstanceRefreshes"]
            return found["Status"] not in ("Pending", "InProgress", "RollbackInProgress") and found

        return wait_until(ended, 120)

    def settles(self, count: int, without=(), seconds: float = 60) -> set[str]:
        """Wait for so many hosts in service and nothing else, none of them of ``without``."""

        def settled():
            self.admit()
            states = self.states()
            return (
                set(states.values()) == {"InService"}
                and len(states) == count
                and not set(states) & set(without)
            )

        wait_until(settled, seconds)
        return self.there()


@pytest.fixture(scope="module")
def balancer(cloud, site):
    """A load balancer in two zones, its target group, and the template of hosts behind it."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    prefix = site.cidr.rsplit(".", 2)[0]
    second = ec2.create_subnet(
        VpcId=site.vpc, CidrBlock=f"{prefix}.7.0/24", AvailabilityZone="us-east-1b"
    )["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=second, MapPublicIpOnLaunch={"Value": True})
    tables = ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": [site.public]}]
    )["RouteTables"]
    ec2.associate_route_table(RouteTableId=tables[0]["RouteTableId"], SubnetId=second)
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=site.vpc)["GroupId"]
        for name in ("group-front", "group-hosts")
    }
    allow(ec2, groups["group-front"], 80)
    allow(ec2, groups["group-hosts"], 8000, groups["group-front"])
    subnets = [site.public, second]
    made = elb.create_load_balancer(
        Name="group-front", Subnets=subnets, SecurityGroups=[groups["group-front"]]
    )["LoadBalancers"][0]
    targets = elb.create_target_group(
        Name="group-hosts", Protocol="HTTP", Port=8000, VpcId=site.vpc, HealthCheckPath="/readyz",
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elb.modify_target_group_attributes(
        TargetGroupArn=targets,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}],
    )
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}],
    )
    template = ec2.create_launch_template(
        LaunchTemplateName="web",
        LaunchTemplateData={
            "ImageId": site.image,
            "InstanceType": "t3.micro",
            "KeyName": "test",
            "SecurityGroupIds": [site.group, groups["group-hosts"]],
            "UserData": encoded(SERVER),
            "MetadataOptions": {"HttpTokens": "required"},
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    yield {
        "targets": targets,
        "subnets": subnets,
        "template": template,
    }
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


@pytest.fixture(scope="module")
def group(cloud, balancer):
    """Two hosts, which wait for their launch hook, and for another before their end."""
    api = cloud.client("autoscaling")
    hooks = [
        {"LifecycleHookName": "ready", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 120},
        {
            "LifecycleHookName": "goodbye",
            "LifecycleTransition": ENDING,
            "HeartbeatTimeout": 30,
            "DefaultResult": "CONTINUE",
        },
    ]
    api.create_auto_scaling_group(
        **WEB, MinSize=0, MaxSize=4, DesiredCapacity=2,
        LaunchTemplate={"LaunchTemplateId": balancer["template"], "Version": "1"},
        VPCZoneIdentifier=",".join(balancer["subnets"]), TargetGroupARNs=[balancer["targets"]],
        HealthCheckType="ELB", HealthCheckGracePeriod=20, LifecycleHookSpecificationList=hooks,
    )  # fmt: skip
    yield Group(cloud)
    api.delete_auto_scaling_group(**WEB, ForceDelete=True)
    wait_until(
        lambda: (
            not api.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
        )
    )


def encoded(script: str) -> str:
    return base64.b64encode(script.encode()).decode()


def target_state(cloud, instance: dict) -> str:
    return metadata(cloud, instance, "autoscaling/target-lifecycle-state")


def metadata(cloud, instance: dict, path: str) -> str:
    """What the host reads of its own metadata."""
    return cloud.ssh(
        instance["PublicIpAddress"],
        "token=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
        'http://169.254.169.254/latest/api/token); curl -s -H "X-aws-ec2-metadata-token: $token" '
        "http://169.254.169.254/latest/meta-data/" + path,
    )


def instances(cloud, ids) -> dict[str, dict]:
    found = cloud.client("ec2").describe_instances(InstanceIds=list(ids))["Reservations"]
    return {
        each["InstanceId"]: each for reservation in found for each in reservation["Instances"]
    }  # fmt: skip


def healthy(cloud, arn: str) -> set[str]:
    found = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)
    return {
        each["Target"]["Id"]
        for each in found["TargetHealthDescriptions"]
        if each["TargetHealth"]["State"] == "healthy"
    }


def test_hosts_wait_for_their_hook_and_are_spread_over_the_zones(cloud, group, balancer):
    wait_until(lambda: list(group.states().values()) == ["Pending:Wait"] * 2)
    found = instances(cloud, group.states())
    zones = {each["Placement"]["AvailabilityZone"] for each in found.values()}
    assert zones == {"us-east-1a", "us-east-1b"}
    assert healthy(cloud, balancer["targets"]) == set()
    assert target_state(cloud, next(iter(found.values()))) == "InService"
    there = group.settles(2)
    wait_until(lambda: healthy(cloud, balancer["targets"]) == there)


def test_a_host_that_dies_is_replaced(cloud, group, balancer):
    lost, kept = sorted(group.there())
    cloud.run("fault", "kill", lost)
    there = group.settles(2, [lost])
    assert kept in there
    wait_until(lambda: healthy(cloud, balancer["targets"]) == there)


def test_after_a_crash_the_group_goes_on(cloud, group, balancer):
    before = group.there()
    group.api.set_desired_capacity(**WEB, DesiredCapacity=3)
    time.sleep(1)
    cloud.kill()
    cloud.run("up")
    assert group.settles(3) > before
    group.api.set_desired_capacity(**WEB, DesiredCapacity=2)
    group.settles(2, seconds=90)


def test_the_end_waits_for_its_hook(cloud, group, balancer):
    """The host has no requests any more by then, and knows that it is to go."""
    (leaving, *_) = sorted(group.there())
    group.api.terminate_instance_in_auto_scaling_group(
        InstanceId=leaving, ShouldDecrementDesiredCapacity=False
    )
    wait_until(lambda: group.states().get(leaving) == "Terminating:Wait")
    assert leaving not in healthy(cloud, balancer["targets"])
    assert target_state(cloud, instances(cloud, [leaving])[leaving]) == "Terminated"
    group.api.complete_lifecycle_action(
        **WEB, LifecycleHookName="goodbye", InstanceId=leaving, LifecycleActionResult="CONTINUE"
    )
    there = group.settles(2, [leaving])
    wait_until(lambda: healthy(cloud, balancer["targets"]) == there)
    assert instances(cloud, [leaving])[leaving]["State"]["Name"] == "terminated"


IDENTITY = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"


@pytest.fixture
def baked(cloud, launch):
    """An image of a host that has been configured, and that host's own identity."""
    ec2 = cloud.client("ec2")
    builder = launch()
    said = cloud.ssh(builder["PublicIpAddress"], "echo baked | sudo tee /srv/release; " + IDENTITY)
    image = ec2.create_image(InstanceId=builder["InstanceId"], Name="release")["ImageId"]
    yield image, set(said.splitlines()[1:])
    ec2.deregister_image(ImageId=image)


def test_a_refresh_brings_a_baked_release_and_no_request_fails(cloud, group, balancer, baked):
    image, identity = baked
    version = cloud.client("ec2").create_launch_template_version(
        LaunchTemplateId=balancer["template"],
        SourceVersion="1",
        LaunchTemplateData={"ImageId": image},
    )["LaunchTemplateVersion"]["VersionNumber"]
    old = group.there()
    wait_until(lambda: healthy(cloud, balancer["targets"]) == old)
    visitors = Visitors(cloud.status()["group-front"]["address"].split()[1:])
    try:
        group.refresh(balancer["template"], version)
        found = group.refreshed()
    finally:
        visitors.end()
    assert (found["Status"], found["PercentageComplete"]) == ("Successful", 100), found
    assert not old & group.there()
    assert visitors.failed == []
    assert sum(visitors.answered.values()) > 50
    described = group.api.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])
    assert described["AutoScalingGroups"][0]["LaunchTemplate"]["Version"] == str(version)
    for each in instances(cloud, group.there()).values():
        said = cloud.ssh(each["PublicIpAddress"], "cat /srv/release; " + IDENTITY).splitlines()
        assert said[0] == "baked"
        assert not identity & set(said)  # each has keys and a machine id of its own
        identity |= set(said[1:])


def test_a_release_that_does_not_get_ready_is_taken_back(cloud, group, balancer):
    before = group.there()
    group.refresh(balancer["template"], 1, AutoRollback=True)
    found = group.refreshed("ABANDON")
    assert found["Status"] == "RollbackSuccessful", found
    assert "was abandoned" in found["StatusReason"]
    assert group.settles(2) == before


def test_an_interrupted_spot_host_is_replaced_before_it_goes(cloud, group, balancer):
    group.api.update_auto_scaling_group(
        **WEB,
        CapacityRebalance=True,
        MixedInstancesPolicy={
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {
                    "LaunchTemplateId": balancer["template"], "Version": "1",
                },
                "Overrides": [{"InstanceType": "t3.micro"}, {"InstanceType": "t3.small"}],
            },
            "InstancesDistribution": {
                "OnDemandBaseCapacity": 2,
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "price-capacity-optimized",
            },
        },
    )  # fmt: skip
    before = group.there()
    group.api.set_desired_capacity(**WEB, DesiredCapacity=3)
    (spot,) = group.settles(3) - before
    assert instances(cloud, [spot])[spot]["InstanceLifecycle"] == "spot"
    cloud.run("fault", "spot-interrupt", "web")
    told = metadata(cloud, instances(cloud, [spot])[spot], "spot/instance-action")
    assert json.loads(told)["action"] == "terminate"
    there = group.settles(3, [spot], seconds=115)
    assert before < there
