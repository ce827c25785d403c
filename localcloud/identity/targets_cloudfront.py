"""Rights that CloudFront's calls need: on a distribution, a policy or an origin access control."""

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target, action, arn, resource_tags, tag_keys

# What an operation's name ends in, and the kind in an ARN.
KINDS = {
    "CachePolicy": "cache-policy",
    "OriginAccessControl": "origin-access-control",
    "OriginRequestPolicy": "origin-request-policy",
    "ResponseHeadersPolicy": "response-headers-policy",
    "Distribution": "distribution",
}


def _cloudfront(cloud, call: Call, parameters: dict) -> list[Target]:
    if call.operation.startswith("List") and not call.operation.endswith(("Resource", "ations")):
        return [Target(action(call))]
    if call.operation.startswith("CreateDistribution"):
        tags = (parameters.get("DistributionConfigWithTags") or {}).get("Tags")
        return [Target(action(call), _arn("distribution", "*"), tag_keys(_items(tags)))]
    resource = parameters.get("Resource") or _resource(call.operation, parameters)
    if not resource:
        return [Target(action(call))]
    tags = cloud.backend("cloudfront", "aws").tagger.get_tag_dict_for_resource(resource)
    context = resource_tags(tags) | tag_keys(_items(parameters.get("Tags")))
    return [Target(action(call), resource, context)]


def _resource(operation: str, parameters: dict) -> str:
    identity = parameters.get("DistributionId")
    if identity:
        return _arn("distribution", identity)
    name = operation.removesuffix("Config")
    kind = next((kind for suffix, kind in KINDS.items() if name.endswith(suffix)), "")
    identity = "*" if operation.startswith("Create") else parameters.get("Id")
    return _arn(kind, identity) if kind and identity else ""


def _arn(kind: str, identity: str) -> str:
    return arn("cloudfront", f"{kind}/{identity}", region="")


def _items(tags: dict | list | None) -> list[dict]:
    """CloudFront's lists are {Quantity, Items}."""
    return tags if isinstance(tags, list) else (tags or {}).get("Items") or []


SERVICES["cloudfront"] = _cloudfront
