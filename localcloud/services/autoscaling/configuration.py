"""What a group launches: a version of a launch template, and with a mixed policy which types."""

from dataclasses import dataclass

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.launch_templates import LaunchTemplate

from localcloud.services.autoscaling.model import Group, Member, Origin

DISTRIBUTION = {
    "OnDemandAllocationStrategy": "prioritized",
    "OnDemandBaseCapacity": 0,
    "OnDemandPercentageAboveBaseCapacity": 100,
    "SpotAllocationStrategy": "lowest-price",
}


@dataclass(frozen=True)
class Configuration:
    """``types`` are a mixed policy's overrides in their order, none for the template's own."""

    specification: dict
    types: tuple[str, ...] = ()
    distribution: dict | None = None

    def template(self, ec2) -> LaunchTemplate:
        return template(ec2, self.specification)

    def version(self, ec2):
        """The version that a launch would take at this moment."""
        return self.template(ec2).get_version(self.specification.get("Version") or "$Default")

    def origin(self, ec2, instance_type: str | None = None, spot: bool = False) -> Origin:
        found, version = self.template(ec2), self.version(ec2)
        kind = instance_type or version.data.get("InstanceType") or version.instance_type
        return Origin(found.id, found.name, str(version.number), kind, spot)

    def made(self, member: Member, ec2) -> bool:
        """Whether an instance is what a launch would make now."""
        wanted = self.origin(ec2)
        types = self.types or (wanted.instance_type,)
        return (
            (member.origin.template_id, member.origin.version)
            == (wanted.template_id, wanted.version)
            and member.origin.instance_type in types
        )  # fmt: skip


def template(ec2, specification: dict) -> LaunchTemplate:
    """The launch template that is named by id or by name."""
    if specification.get("LaunchTemplateId"):
        return ec2.get_launch_template(specification["LaunchTemplateId"])
    return ec2.get_launch_template_by_name(specification.get("LaunchTemplateName"))


def of(group: Group) -> Configuration:
    """What the group launches at this moment: while it is refreshed, what it is to become."""
    wanted = group.desired_configuration or current(group)
    return read(wanted)


def current(group: Group) -> dict:
    """The group's own, as a DesiredConfiguration."""
    if group.mixed_instances_policy:
        return {"MixedInstancesPolicy": group.mixed_instances_policy}
    return {"LaunchTemplate": group.template_specification}


def read(wanted: dict) -> Configuration:
    mixed = wanted.get("MixedInstancesPolicy")
    if not mixed:
        return Configuration(wanted["LaunchTemplate"])
    of_template = mixed["LaunchTemplate"]
    return Configuration(
        of_template["LaunchTemplateSpecification"],
        tuple(each["InstanceType"] for each in of_template.get("Overrides") or ()),
        {**DISTRIBUTION, **(mixed.get("InstancesDistribution") or {})},
    )


def complete(ec2, specification: dict) -> dict:
    """A specification with the template's id and name; an error if there is no such version."""
    try:
        found = template(ec2, specification)
        found.get_version(specification.get("Version") or "$Default")
    except EC2ClientError:
        raise
    filled = {"LaunchTemplateId": found.id, "LaunchTemplateName": found.name}
    if specification.get("Version"):
        filled["Version"] = specification["Version"]
    return filled
