"""Groups of a local cloud without podman, on a clock that the test moves."""

from datetime import datetime, timedelta

from unit.localcloud.conftest import client

from localcloud.services.autoscaling.groups import AutoScaling

START = datetime(2026, 3, 1, 12)


class Scene:
    """A VPC with two zones, a launch template ``web`` and what happens to a group of it."""

    def __init__(self, cloud, ec2, site):
        self.cloud, self.ec2, self.site = cloud, ec2, site
        self.api = client("autoscaling")
        self.now = START
        self.take(cloud)
        second = ec2.create_subnet(
            VpcId=site["vpc"], CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b"
        )["Subnet"]["SubnetId"]  # fmt: skip
        self.subnets = [site["subnet"], second]
        self.template = ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData=self.data()
        )["LaunchTemplate"]["LaunchTemplateId"]

    def take(self, cloud) -> None:
        """Hosts start and end before the call returns, and time is ours."""
        self.cloud = cloud
        self.engine = cloud.service(AutoScaling).engine
        self.engine.clock = lambda: self.now
        self.engine.hosts.run = lambda job: job()

    def data(self, **options) -> dict:
        return {
            "ImageId": self.site["image"],
            "InstanceType": "t3.micro",
            "SecurityGroupIds": [self.site["group"]],
            **options,
        }

    def version(self, **options) -> str:
        made = self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template, LaunchTemplateData=self.data(**options)
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def create(self, desired: int = 2, name: str = "web", **options) -> None:
        options = {
            "MinSize": 0,
            "MaxSize": 8,
            "DesiredCapacity": desired,
            "VPCZoneIdentifier": ",".join(self.subnets),
            **options,
        }
        if "MixedInstancesPolicy" not in options:
            options.setdefault(
                "LaunchTemplate", {"LaunchTemplateId": self.template, "Version": "1"}
            )
        self.api.create_auto_scaling_group(AutoScalingGroupName=name, **options)

    def mixed(self, types=("t3.micro", "t3.small"), **distribution) -> dict:
        return {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": self.template, "Version": "1"},
                "Overrides": [{"InstanceType": each} for each in types],
            },
            "InstancesDistribution": {
                "SpotAllocationStrategy": "price-capacity-optimized",
                **distribution,
            },
        }

    def rounds(self, count: int = 1, seconds: float = 1) -> None:
        for _ in range(count):
            self.now += timedelta(seconds=seconds)
            self.cloud.reconcile()

    def group(self, name: str = "web") -> dict | None:
        found = self.api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return next(iter(found["AutoScalingGroups"]), None)

    def instances(self, name: str = "web") -> list[dict]:
        return self.group(name)["Instances"]

    def ids(self, name: str = "web") -> list[str]:
        return [each["InstanceId"] for each in self.instances(name)]

    def states(self, name: str = "web") -> dict[str, str]:
        return {each["InstanceId"]: each["LifecycleState"] for each in self.instances(name)}

    def zones(self) -> list[str]:
        return sorted(each["AvailabilityZone"] for each in self.instances())

    def activities(self, name: str = "web") -> list[dict]:
        """The newest first."""
        found = self.api.describe_scaling_activities(AutoScalingGroupName=name)
        return found["Activities"]

    def member(self, instance_id: str):
        found = self.cloud.backend("autoscaling").autoscaling_groups
        return next(
            each for group in found.values() for each in group.members if each.id == instance_id
        )

    def running(self) -> set[str]:
        return set(self.cloud.engine.containers())

    def targets(self) -> str:
        """A target group of the VPC, by its ARN."""
        return client("elbv2").create_target_group(
            Name="web", Protocol="HTTP", Port=8000, VpcId=self.site["vpc"], TargetType="instance"
        )["TargetGroups"][0]["TargetGroupArn"]

    def registered(self, arn: str) -> set[str]:
        return set(self.cloud.backend("elbv2").target_groups[arn].targets)
