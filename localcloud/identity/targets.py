"""What a call asks leave for: IAM's actions, the resources they touch, and their condition keys."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from localcloud.calls import Call
from localcloud.settings import ACCOUNT

# IAM's names of services where boto3 has others.
PREFIXES = {
    "accessanalyzer": "access-analyzer",
    "elbv2": "elasticloadbalancing",
    "elb": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
    "stepfunctions": "states",
}


@dataclass
class Target:
    """One right that the caller must have. ``context`` has condition keys in small letters."""

    action: str
    resource: str = "*"
    context: dict[str, list[str]] = field(default_factory=dict)


def targets(cloud, call: Call) -> list[Target]:
    """Every right that ``call`` needs."""
    make = SERVICES.get(call.service, _unknown)
    found = list(make(cloud, call, call.parameters))
    shared = _request_tags(call.parameters)
    for target in found:
        target.context = shared | target.context
    return found


def arn(service: str, resource: str, region: str = "us-east-1", account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def action(call: Call, name: str = "") -> str:
    return f"{PREFIXES.get(call.service, call.service)}:{name or call.operation}"


def tag_keys(tags: Iterable) -> dict[str, list[str]]:
    """``aws:RequestTag`` and ``aws:TagKeys`` of a list of pairs."""
    pairs = [(each["Key"], each.get("Value", "")) for each in tags if "Key" in each]
    found = {f"aws:requesttag/{key.lower()}": [value] for key, value in pairs}
    return found | ({"aws:tagkeys": [key for key, _ in pairs]} if pairs else {})


def resource_tags(tags: dict[str, str]) -> dict[str, list[str]]:
    return {f"aws:resourcetag/{key.lower()}": [value or ""] for key, value in tags.items()}


def _request_tags(parameters: dict) -> dict[str, list[str]]:
    tags = parameters.get("Tags") or parameters.get("AddTags") or ()
    return (
        tag_keys(tags) if isinstance(tags, list) and all(isinstance(t, dict) for t in tags) else {}
    )


def _unknown(cloud, call: Call, parameters: dict) -> list[Target]:
    return [Target(action(call))]


def _named(service: str, kinds: dict[str, str], joint: str = ":") -> Callable:
    """Resources named by parameters: ``{"DBInstanceIdentifier": "db"}``."""

    def make(cloud, call: Call, parameters: dict) -> list[Target]:
        found = []
        for name, kind in kinds.items():
            values = parameters.get(name)
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, str):
                    named = value if value.startswith("arn:") else arn(
                        service, f"{kind}{joint}{value}"
                    )  # fmt: skip
                    found.append(Target(action(call), named))
        return found or [Target(action(call))]

    return make


def _rds(cloud, call: Call, parameters: dict) -> list[Target]:
    if call.operation.startswith("Describe"):
        return [Target(action(call))]
    kinds = {
        "DBInstanceIdentifier": "db",
        "SourceDBInstanceIdentifier": "db",
        "TargetDBInstanceIdentifier": "db",
        "DBClusterIdentifier": "cluster",
        "DBParameterGroupName": "pg",
        "DBSubnetGroupName": "subgrp",
        "OptionGroupName": "og",
        "DBSnapshotIdentifier": "snapshot",
        "FinalDBSnapshotIdentifier": "snapshot",
        "DbiResourceId": "auto-backup",
        "ResourceName": "",
    }
    found = _named("rds", kinds)(cloud, call, parameters)
    if parameters.get("Tags") and call.operation.startswith(("Create", "Restore")):
        found.append(Target("rds:AddTagsToResource", found[0].resource))
    return found


def _elb(cloud, call: Call, parameters: dict) -> list[Target]:
    if call.operation.startswith("Describe"):
        return [Target(action(call))]
    name = parameters.get("Name", "")
    made = {
        "CreateLoadBalancer": f"loadbalancer/app/{name}/*",
        "CreateTargetGroup": f"targetgroup/{name}/*",
    }.get(call.operation)
    if made:
        found = [Target(action(call), arn("elasticloadbalancing", made))]
    else:
        found = _named(
            "elasticloadbalancing",
            dict.fromkeys(
                ("RuleArn", "ListenerArn", "LoadBalancerArn", "TargetGroupArn", "ResourceArns"), ""
            ),
        )(cloud, call, parameters)
    if parameters.get("Tags") and call.operation.startswith("Create"):
        found.append(Target("elasticloadbalancing:AddTags", found[0].resource))
    return found


def _ssm(cloud, call: Call, parameters: dict) -> list[Target]:
    if call.operation == "GetParametersByPath":
        names = [parameters.get("Path", "")]
    elif parameters.get("ResourceType") == "Parameter":
        names = [parameters.get("ResourceId", "")]
    else:
        names = parameters.get("Names") or [parameters.get("Name")]
    names = [name for name in names if isinstance(name, str)]
    if not names or call.operation == "DescribeParameters":
        return [Target(action(call))]
    found = [
        Target(action(call), arn("ssm", f"parameter/{name.partition(':')[0].lstrip('/')}"))
        for name in names
    ]
    if parameters.get("Tags") and call.operation == "PutParameter":
        found.append(Target("ssm:AddTagsToResource", found[0].resource))
    return found


def _route53(cloud, call: Call, parameters: dict) -> list[Target]:
    zone = parameters.get("HostedZoneId") or parameters.get("ResourceId")
    if call.operation == "GetChange":
        change = parameters.get("Id", "").rpartition("/")[2]
        return [Target(action(call), arn("route53", f"change/{change}", "", ""))]
    if call.operation in ("GetHostedZone", "DeleteHostedZone", "UpdateHostedZoneComment"):
        zone = parameters.get("Id")
    if not zone:
        return [Target(action(call))]
    name = zone.rpartition("/")[2]
    return [Target(action(call), arn("route53", f"hostedzone/{name}", "", ""))]


def _acm(cloud, call: Call, parameters: dict) -> list[Target]:
    wanted = parameters.get("CertificateArn")
    if not wanted:
        found = [Target(action(call))]
        if parameters.get("Tags") and call.operation == "RequestCertificate":
            found.append(Target("acm:AddTagsToCertificate"))
        return found
    certificate = cloud.backend("acm")._certificates.get(wanted)
    return [Target(action(call), wanted, resource_tags(getattr(certificate, "tags", {})))]


def _sts(cloud, call: Call, parameters: dict) -> list[Target]:
    names = {"sts:externalid": "ExternalId", "sts:rolesessionname": "RoleSessionName"}
    context = {key: [parameters[name]] for key, name in names.items() if name in parameters}
    return [Target(action(call), parameters.get("RoleArn") or "*", context)]


def _logs(cloud, call: Call, parameters: dict) -> list[Target]:
    name = parameters.get("logGroupName")
    named = parameters.get("resourceArn") or (
        arn("logs", f"log-group:{name}") if name else "*"
    )  # fmt: skip
    tags = parameters.get("tags")
    return [
        Target(action(call), named.removesuffix(":*") if named != "*" else named,
               tag_keys({"Key": key, "Value": value} for key, value in tags.items())
               if isinstance(tags, dict) else {})
    ]  # fmt: skip


def _cloudwatch(cloud, call: Call, parameters: dict) -> list[Target]:
    if call.operation.startswith(("Describe", "List")) and "ResourceARN" not in parameters:
        return [Target(action(call))]
    found = _named("cloudwatch", {"AlarmName": "alarm", "AlarmNames": "alarm", "ResourceARN": ""})(
        cloud, call, parameters
    )
    if call.operation == "PutMetricData":
        found[0].context["cloudwatch:namespace"] = [parameters.get("Namespace", "")]
    return found


def _sns(cloud, call: Call, parameters: dict) -> list[Target]:
    if call.operation == "CreateTopic":
        return [Target(action(call), arn("sns", parameters.get("Name", "")))]
    return _named("sns", {"TopicArn": "", "ResourceArn": "", "SubscriptionArn": ""})(
        cloud, call, parameters
    )


def _events(cloud, call: Call, parameters: dict) -> list[Target]:
    found = _named("events", {"Name": "rule", "Rule": "rule", "ResourceARN": ""}, "/")(
        cloud, call, parameters
    )
    targets_named = [each.get("Arn", "") for each in parameters.get("Targets") or ()]
    if targets_named:
        found[0].context["events:targetarn"] = targets_named
    if call.operation == "PutRule" and parameters.get("Tags"):
        found.append(Target("events:TagResource", found[0].resource))
    return found


SERVICES: dict[str, Callable[..., Iterable[Target]]] = {
    "acm": _acm,
    "cloudwatch": _cloudwatch,
    "elasticache": _named(
        "elasticache",
        {
            "ReplicationGroupId": "replicationgroup",
            "CacheSubnetGroupName": "subnetgroup",
            "CacheParameterGroupName": "parametergroup",
            "ResourceName": "",
        },
    ),
    "elbv2": _elb,
    "events": _events,
    "kms": _named("kms", {"KeyId": "key"}, "/"),
    "logs": _logs,
    "rds": _rds,
    "route53": _route53,
    "sns": _sns,
    "ssm": _ssm,
    "sts": _sts,
}
