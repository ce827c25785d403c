"""What of Spot RunInstances may ask for, and what a Spot instance does not do."""

from collections.abc import Iterable

from moto.ec2.exceptions import EC2ClientError

USUAL = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}


def check(market: dict) -> None:
    """Raise for options that would be ignored: there is no market here."""
    if market.get("MarketType", "spot") != "spot":
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({market['MarketType']}) for parameter MarketType is invalid.",
        )
    for name, value in (market.get("SpotOptions") or {}).items():
        if USUAL.get(name) != value:
            raise EC2ClientError(
                "UnsupportedOperation",
                f"The local cloud refuses SpotOptions.{name} = {value}: it would be ignored.",
            )


def check_stop(instances: Iterable) -> None:
    """Raise if one of them is a Spot instance: all are of one-time requests."""
    for each in instances:
        if each.lifecycle == "spot":
            raise EC2ClientError(
                "UnsupportedOperation",
                f"You can't stop the Spot Instance '{each.id}' because it is associated with a "
                "one-time Spot Instance request. You can only stop Spot Instances associated with "
                "persistent Spot Instance requests.",
            )
