"""Rights that IAM's calls need."""

from collections.abc import Iterator

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target, action, arn, resource_tags

HANDED_OVER = {"iam:passedtoservice": ["ec2.amazonaws.com"]}


def _iam(cloud, call: Call, parameters: dict) -> Iterator[Target]:
    backend = cloud.backend("iam", "aws")
    role = parameters.get("RoleName", "")
    if call.operation == "CreateServiceLinkedRole":
        service = parameters.get("AWSServiceName", "")
        yield Target(action(call), _arn(f"role/aws-service-role/{service}/*"),
                     {"iam:awsservicename": [service]})  # fmt: skip
        return
    context = {}
    known = next((each for each in list(backend.roles.values()) if each.name == role), None)
    boundary = parameters.get("PermissionsBoundary") or getattr(
        known, "permissions_boundary_arn", None
    )
    if boundary:
        context["iam:permissionsboundary"] = [boundary]
    if parameters.get("PolicyArn"):
        context["iam:policyarn"] = [parameters["PolicyArn"]]
    if known is not None:
        tags = known.tags.values() if isinstance(known.tags, dict) else known.tags or ()
        context |= resource_tags({each["Key"]: each["Value"] for each in tags})
    path = parameters.get("Path", "/") if call.operation.startswith("Create") else "/"
    profile = parameters.get("InstanceProfileName")
    if profile:
        yield Target(action(call), _arn(f"instance-profile{path}{profile}"), context)
        if role and call.operation == "AddRoleToInstanceProfile":
            yield Target("iam:PassRole", known.arn if known else _arn(f"role/{role}"), HANDED_OVER)
    elif role:
        yield Target(action(call), known.arn if known else _arn(f"role{path}{role}"), context)
        if parameters.get("Tags") and call.operation == "CreateRole":
            yield Target("iam:TagRole", _arn(f"role{path}{role}"), context)
    elif parameters.get("UserName"):
        yield Target(action(call), _arn(f"user{path}{parameters['UserName']}"), context)
    elif parameters.get("GroupName"):
        yield Target(action(call), _arn(f"group{path}{parameters['GroupName']}"), context)
    elif parameters.get("PolicyArn"):
        yield Target(action(call), parameters["PolicyArn"])
    elif parameters.get("PolicyName"):
        yield Target(action(call), _arn(f"policy{path}{parameters['PolicyName']}"))
    else:
        yield Target(action(call))


def _arn(resource: str) -> str:
    return arn("iam", resource, "")


SERVICES["iam"] = _iam
