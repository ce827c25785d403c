"""What a group may be: AWS's limits, and what this local cloud has not."""

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from localcloud.services.autoscaling import choice, configuration
from localcloud.services.autoscaling.errors import invalid

SPOT_STRATEGIES = (
    "lowest-price", "capacity-optimized", "capacity-optimized-prioritized",
    "price-capacity-optimized",
)  # fmt: skip
ON_DEMAND_STRATEGIES = ("prioritized", "lowest-price")
PROCESSES = (
    "AZRebalance", "AddToLoadBalancer", "AlarmNotification", "HealthCheck", "InstanceRefresh",
    "Launch", "ReplaceUnhealthy", "ScheduledActions", "Terminate",
)  # fmt: skip


def sizes(least: int, most: int, desired: int) -> None:
    if least < 0 or most < 0:
        raise invalid("Min and max size must not be negative.")
    if most < least:
        raise invalid(
            f"Max bound, {most}, must be greater than or equal to min bound, {least}"
        )  # fmt: skip
    if not least <= desired <= most:
        raise invalid(
            f"Desired capacity:{desired} must be between the specified min size:{least} and max "
            f"size:{most}"
        )


def health_check(kind: str | None) -> None:
    words = {each.strip() for each in (kind or "EC2").split(",")}
    if not words <= {"EC2", "ELB"}:
        raise invalid(f"The local cloud checks health by EC2 and ELB, not {kind}.")


def termination_policies(names: list[str] | None) -> None:
    unknown = [each for each in names or () if each not in choice.POLICIES]
    if unknown:
        raise invalid(
            f"The local cloud has the termination policies {', '.join(choice.POLICIES)}, not "
            f"{', '.join(unknown)}."
        )


def processes(names: list[str]) -> None:
    for name in names:
        if name not in PROCESSES:
            raise invalid(f"'{name}' is not a valid process type.")


def target_groups(elbv2, arns: list[str]) -> None:
    for arn in arns:
        found = elbv2.target_groups.get(arn)
        if found is None:
            raise invalid(
                "Provided Target Groups may not be valid. Please ensure they exist and try again."
            )
        if found.target_type != "instance":
            raise invalid(
                "Provided Target Groups may not be valid. The target type must be instance."
            )


def launch_template(ec2, specification: dict) -> dict:
    """The specification with the template's id and name, after AWS's checks."""
    named = [each for each in ("LaunchTemplateId", "LaunchTemplateName") if specification.get(each)]
    if len(named) != 1:
        named_twice = len(named) == 2 and _agree(ec2, specification)
        if not named_twice:
            raise invalid(
                "Valid requests must contain either launchTemplateId or LaunchTemplateName"
            )
    try:
        filled = configuration.complete(ec2, specification)
        version = configuration.Configuration(filled).version(ec2)
    except EC2ClientError as error:
        raise invalid(
            f"You must use a valid fully-formed launch template. {error.message}"
        ) from error
    if not version.data.get("ImageId"):
        raise invalid(
            "You must use a valid fully-formed launch template. The request must contain the "
            "parameter ImageId"
        )
    return filled


def _agree(ec2, specification: dict) -> bool:
    found = ec2.launch_templates.get(specification["LaunchTemplateId"])
    return found is not None and found.name == specification["LaunchTemplateName"]


def mixed_policy(ec2, policy: dict) -> dict:
    """A mixed policy with AWS's defaults."""
    of_template = policy.get("LaunchTemplate") or {}
    if not of_template.get("LaunchTemplateSpecification"):
        raise invalid("A launch template must be specified in MixedInstancesPolicy.")
    filled = launch_template(ec2, of_template["LaunchTemplateSpecification"])
    data = configuration.Configuration(filled).version(ec2).data
    if data.get("InstanceMarketOptions"):
        raise invalid(
            "Incompatible launch template: Launch Templates with Spot Instance options cannot be "
            "used in MixedInstancesPolicy."
        )
    overrides = of_template.get("Overrides") or []
    for each in overrides:
        if set(each) != {"InstanceType"}:
            raise invalid("The local cloud knows InstanceType of an override, and nothing else.")
        if each["InstanceType"] not in INSTANCE_TYPES:
            raise invalid(f"The instance type {each['InstanceType']} does not exist.")
    if len({each["InstanceType"] for each in overrides}) < len(overrides):
        raise invalid("Each instance type can be named once in the overrides.")
    if not overrides and not data.get("InstanceType"):
        raise invalid("Neither the launch template nor an override has an instance type.")
    return {
        "LaunchTemplate": {"LaunchTemplateSpecification": filled, "Overrides": overrides},
        "InstancesDistribution": _distribution(policy.get("InstancesDistribution") or {}),
    }


def _distribution(given: dict) -> dict:
    found = {**configuration.DISTRIBUTION, **given}
    if found["SpotAllocationStrategy"] not in SPOT_STRATEGIES:
        raise invalid(f"'{found['SpotAllocationStrategy']}' is no allocation strategy for Spot.")
    if found["OnDemandAllocationStrategy"] not in ON_DEMAND_STRATEGIES:
        raise invalid(f"'{found['OnDemandAllocationStrategy']}' is no on-demand strategy.")
    if not 0 <= found["OnDemandPercentageAboveBaseCapacity"] <= 100:
        raise invalid("OnDemandPercentageAboveBaseCapacity must be from 0 to 100.")
    if found["OnDemandBaseCapacity"] < 0:
        raise invalid("OnDemandBaseCapacity must not be negative.")
    if found.get("SpotMaxPrice"):
        raise invalid("The local cloud has no market: SpotMaxPrice would be ignored.")
    if found["SpotAllocationStrategy"] == "lowest-price":
        found.setdefault("SpotInstancePools", 2)
    elif "SpotInstancePools" in given:
        raise invalid(
            "SpotInstancePools option is only available with the lowest-price allocation strategy."
        )
    return found
