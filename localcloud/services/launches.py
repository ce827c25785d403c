"""What RunInstances is asked for: the request, completed by its launch template and its image."""

import hashlib
import json

from moto.ec2.exceptions import EC2ClientError, InvalidInstanceTypeError, MissingParameterError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import convert_tag_spec

# Arguments of moto's run_instances, and where a launch template has them.
FROM_TEMPLATE = {
    "key_name": ("KeyName",),
    "placement": ("Placement", "AvailabilityZone"),
    "placement_hostid": ("Placement", "HostId"),
    "ebs_optimized": ("EbsOptimized",),
    "disable_api_stop": ("DisableApiStop",),
    "disable_api_termination": ("DisableApiTermination",),
    "instance_market_options": ("InstanceMarketOptions", "MarketType"),
    "instance_initiated_shutdown_behavior": ("InstanceInitiatedShutdownBehavior",),
    "hibernation_options": ("HibernationOptions",),
}


def complete(kwargs: dict, data: dict, asked: dict) -> dict:
    """moto's arguments with a launch template's data where the request, ``asked``, has none."""
    kwargs = dict(kwargs)
    for name, path in FROM_TEMPLATE.items():
        if path[0] in asked or kwargs.get(name):
            continue
        value = data
        for key in path:
            value = (value or {}).get(key)
        if value is not None:
            kwargs[name] = value
    profile = asked.get("IamInstanceProfile") or data.get("IamInstanceProfile") or {}
    kwargs["iam_instance_profile_name"] = profile.get("Name")
    kwargs["iam_instance_profile_arn"] = profile.get("Arn")
    if "DisableApiTermination" in asked:  # moto drops it
        kwargs["disable_api_termination"] = asked["DisableApiTermination"]
    if (data.get("Monitoring") or {}).get("Enabled") and "Monitoring" not in asked:
        kwargs["monitoring_state"] = "enabled"
    kwargs["metadata_options"] = {
        **(data.get("MetadataOptions") or {}),
        **(kwargs.get("metadata_options") or {}),
    }
    kwargs["tags"] = _tags(data, kwargs.get("tags") or {})
    if data.get("NetworkInterfaces") and not kwargs.get("nics"):
        kwargs["nics"] = _interfaces(data["NetworkInterfaces"], kwargs, asked)
    return kwargs


def in_default_subnet(kwargs: dict, backend) -> dict:
    """moto's arguments with the subnet that AWS takes where none is named: the default one of the
    zone that is asked for, or of one that AWS chooses."""
    interfaces = kwargs.get("nics") or []
    named = any("SubnetId" in each or "NetworkInterfaceId" in each for each in interfaces)
    subnets = backend.get_default_subnets()
    zone = kwargs.get("placement") or min(subnets, default=None)
    if named or kwargs.get("subnet_id") or zone not in subnets:
        return kwargs  # moto says what is missing
    if interfaces:
        subnet = {"SubnetId": subnets[zone].id}
        return kwargs | {"nics": [each | subnet for each in interfaces]}
    return kwargs | {"subnet_id": subnets[zone].id}


def _tags(data: dict, given: dict) -> dict:
    """Tags by type of resource: the request's go before the template's."""
    of_template = convert_tag_spec(data.get("TagSpecifications") or [])
    return {
        kind: {**of_template.get(kind, {}), **given.get(kind, {})}
        for kind in {*of_template, *given}
    }


def _interfaces(specifications, kwargs: dict, asked: dict) -> list[dict]:
    """A template's interfaces; a group of hosts gives the first one its subnet."""
    if asked.get("SubnetId"):
        raise EC2ClientError(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID may not be specified on the same "
            "request",
        )
    subnet = kwargs.get("subnet_id")
    return [
        {**each, "DeviceIndex": int(each.get("DeviceIndex") or 0)}
        | ({"SubnetId": subnet} if subnet and not each.get("NetworkInterfaceId") else {})
        for each in specifications
    ]


def check_type(instance_type: str, image) -> None:
    if instance_type not in INSTANCE_TYPES:
        raise InvalidInstanceTypeError(instance_type)
    known = INSTANCE_TYPES[instance_type]["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture not in known:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{known[-1]}' of the specified instance type does not match the "
            f"architecture '{image.architecture}' of the specified AMI. Specify an instance type "
            "and an AMI that have matching architectures, and try again.",
        )


def block_devices(mappings: list[dict], image, backend) -> list[dict]:
    """The volumes of a new instance: the image's, changed and added to by the request's."""
    names = [each.get("DeviceName") for each in mappings]
    if len(set(names)) < len(names):
        raise _bad_mapping("a device is named twice")
    root = {"VolumeSize": image.root_size, "VolumeType": "gp3", "DeleteOnTermination": True}
    volumes = {image.root_device_name: root}
    for each in getattr(image, "volumes", ()):
        volumes[each["DeviceName"]] = each["Ebs"]
    for each in mappings:
        name = each.get("DeviceName")
        if not name:
            raise MissingParameterError("deviceName")
        if each.get("NoDevice") is not None:
            volumes.pop(name, None)
        elif each.get("VirtualName") is None:  # the types here have no disks of the machine's own
            given = {k: v for k, v in (each.get("Ebs") or {}).items() if v not in (None, "")}
            volumes[name] = {**volumes.get(name, {}), **given}
            _check_size(volumes[name], backend)
    if image.root_device_name not in volumes:
        raise _bad_mapping(f"the root device {image.root_device_name} is missing")
    size = int(volumes[image.root_device_name]["VolumeSize"])
    if size < image.root_size:
        raise _bad_mapping(
            f"Volume of size {size}GB is smaller than snapshot of the image, expect size >= "
            f"{image.root_size}GB"
        )
    return [{"DeviceName": name, "Ebs": ebs} for name, ebs in volumes.items()]


def _check_size(ebs: dict, backend) -> None:
    """A volume's size: its own, or its snapshot's."""
    snapshot = backend.get_snapshot(ebs["SnapshotId"]) if ebs.get("SnapshotId") else None
    if snapshot:
        ebs.setdefault("VolumeSize", snapshot.volume_size)
        if int(ebs["VolumeSize"]) < int(snapshot.volume_size):
            raise _bad_mapping(
                f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{snapshot.id}', "
                f"expect size >= {snapshot.volume_size}GB"
            )
    elif not ebs.get("VolumeSize"):
        raise MissingParameterError("size or snapshotId")


def _bad_mapping(message: str) -> EC2ClientError:
    return EC2ClientError("InvalidBlockDeviceMapping", f"Invalid block device mapping: {message}")


def digest(params: dict) -> str:
    """What tells two requests with one ClientToken apart."""
    rest = {key: value for key, value in params.items() if key != "ClientToken"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, default=str).encode()).hexdigest()


def mismatch() -> EC2ClientError:
    return EC2ClientError(
        "IdempotentParameterMismatch",
        "Arguments on this idempotent request are inconsistent with arguments used in previous "
        "request(s).",
    )
