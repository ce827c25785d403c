"""Capacity of EC2 that is not there, as faults say: it has run out, or the zone is dark."""

from moto.ec2.exceptions import EC2ClientError

SPOT = "spot"
ANY = "no preference"


def check(cloud, instance_type: str, zone: str, spot: bool) -> None:
    """Raise for an instance that is not to be had."""
    missing = cloud.faults.targets("no-capacity")
    dark = cloud.faults.targets("zone-down")
    if spot and SPOT in missing:
        raise EC2ClientError(
            "InsufficientInstanceCapacity",
            "There is no Spot capacity available that matches your request.",
        )
    if zone in dark or missing & {instance_type, zone}:
        raise EC2ClientError(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {instance_type} capacity in the Availability "
            f"Zone you requested ({zone}). Our system will be working on provisioning additional "
            "capacity.",
        )


def zone_of(ec2, request: dict) -> str:
    """The zone that RunInstances would take by moto's arguments."""
    for each in request.get("nics") or []:
        if each.get("NetworkInterfaceId") in ec2.enis:
            return ec2.enis[each["NetworkInterfaceId"]].subnet.availability_zone
        if each.get("SubnetId"):
            return ec2.get_subnet(each["SubnetId"]).availability_zone
    if request.get("subnet_id"):
        return ec2.get_subnet(request["subnet_id"]).availability_zone
    return request.get("placement") or ANY
