"""Rights that EC2's calls need, resource by resource, with their tags."""

from collections.abc import Iterator

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target, action, arn, resource_tags, tag_keys

# The types of resources by the beginning of their ids, as ARNs name them.
TYPES = {
    "acl": "network-acl",
    "ami": "image",
    "dopt": "dhcp-options",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "i": "instance",
    "igw": "internet-gateway",
    "lt": "launch-template",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "rtb": "route-table",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
# What a call makes; its ARN is not known yet.
MAKES = {
    "AllocateAddress": ("elastic-ip",),
    "CopySnapshot": ("snapshot",),
    "CreateImage": ("image", "snapshot"),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateKeyPair": ("key-pair",),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateNatGateway": ("natgateway",),
    "CreateNetworkInterface": ("network-interface",),
    "CreateRouteTable": ("route-table",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSnapshot": ("snapshot",),
    "CreateSubnet": ("subnet",),
    "CreateVolume": ("volume",),
    "CreateVpc": ("vpc",),
    "ImportKeyPair": ("key-pair",),
    "RegisterImage": ("image",),
    "RunInstances": ("instance", "volume", "network-interface"),
}
# Parameters that name what a call touches. Others, such as a route's gateway, need no right.
TOUCHES = (
    "AllocationId", "GroupId", "GroupIds", "ImageId", "InstanceId", "InstanceIds",
    "InternetGatewayId", "LaunchTemplateId", "NatGatewayId", "NetworkInterfaceId", "Resources",
    "RouteTableId", "SecurityGroupIds", "SnapshotId", "SubnetId", "VolumeId", "VpcId",
)  # fmt: skip
# Those of them that a call names without touching it.
UNTOUCHED = {
    "CreateRoute": ("NatGatewayId", "NetworkInterfaceId", "InstanceId"),
    "ReplaceRoute": ("NatGatewayId", "NetworkInterfaceId", "InstanceId"),
}


def _ec2(cloud, call: Call, parameters: dict) -> Iterator[Target]:
    if call.operation.startswith(("Describe", "Search")):
        yield Target(action(call))
        return
    backend = cloud.backend("ec2")
    specified = {
        each.get("ResourceType"): tag_keys(each.get("Tags", ()))
        for each in parameters.get("TagSpecifications", ())
    }
    found = [
        Target(action(call), _arn(kind, "*"), specified.get(kind, {}))
        for kind in MAKES.get(call.operation, ())
    ]
    for identity in _ids(backend, call, parameters):
        kind = TYPES.get(identity.partition("-")[0], "*")
        tags = resource_tags(dict(backend.tags.get(identity, {})))
        found.append(Target(action(call), _arn(kind, identity), tags))
    if (key := parameters.get("KeyName")) and call.operation not in MAKES.keys() - {"RunInstances"}:
        pair = backend.key_pairs.get(key)
        tags = backend.tags.get(pair.id, {}) if pair else {}
        found.append(Target(action(call), _arn("key-pair", key), resource_tags(dict(tags))))
    yield from found or [Target(action(call))]
    for kind, tags in specified.items():
        yield Target("ec2:CreateTags", _arn(kind or "*", "*"),
                     tags | {"ec2:createaction": [call.operation]})  # fmt: skip
    if profile := parameters.get("IamInstanceProfile"):
        yield from _passes(cloud, profile)


def _ids(backend, call: Call, parameters: dict) -> Iterator[str]:
    skipped = UNTOUCHED.get(call.operation, ())
    for name in TOUCHES:
        values = parameters.get(name) if name not in skipped else None
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str):
                yield value
    for interface in parameters.get("NetworkInterfaces", ()):
        yield from filter(None, [interface.get("SubnetId"), *interface.get("Groups", ())])
    association = parameters.get("AssociationId", "")
    if association.startswith("rtbassoc-"):
        for table in backend.route_tables.values():
            if association in table._associations:
                yield from (table.id, table._associations[association])
    elif association.startswith("eipassoc-"):
        yield from (each.allocation_id for each in backend.addresses
                    if each.association_id == association)  # fmt: skip
    elif association.startswith("iip-assoc-"):
        yield from (each.instance.id for each in
                    backend.iam_instance_profile_associations.values()
                    if each.id == association)  # fmt: skip


def _passes(cloud, profile: dict) -> Iterator[Target]:
    """The role of an instance profile is handed to EC2."""
    name = profile.get("Name") or profile.get("Arn", "").rpartition("/")[2]
    for each in list(cloud.backend("iam", "aws").instance_profiles.values()):
        if each.name == name:
            for role in each.roles:
                yield Target("iam:PassRole", role.arn,
                             {"iam:passedtoservice": ["ec2.amazonaws.com"]})  # fmt: skip


def _arn(kind: str, identity: str) -> str:
    account = {"account": ""} if kind in ("image", "snapshot") else {}
    return arn("ec2", f"{kind}/{identity}", **account)


SERVICES["ec2"] = _ec2
