"""Lists as AWS gives them: every documented filter works, and long ones come in pages.

moto knows some of EC2's filters and fails or says nothing about the others; most of its lists are
whole whatever their length. Both are made good from botocore's descriptions of the calls.
"""

import base64
import copy
import fnmatch
import functools
import re
from collections.abc import Iterator
from datetime import datetime

from botocore.exceptions import UnknownServiceError
from botocore.parsers import create_parser
from botocore.session import get_session
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.ec2 import utils as ec2_utils
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses._base_response import EC2BaseResponse

from localcloud.hooks import hook
from localcloud.services.base import Service

# Entries of a page when the caller does not say; where the API's own most is less, that counts.
PAGE = {
    "acm": 1000,
    "autoscaling": 50,
    "ec2": 1000,
    "elasticache": 100,
    "elbv2": 400,
    "iam": 100,
    "kms": 100,
    "rds": 100,
    "secretsmanager": 100,
    "ssm": 50,
}
OURS = "lc."  # how the tokens begin that we give out

# moto takes these calls' filters and does not look at them.
UNFILTERED = {
    "DescribeEgressOnlyInternetGateways",
    "DescribeInstanceStatus",
    "DescribeLaunchTemplateVersions",
    "DescribeManagedPrefixLists",
    "DescribeNatGateways",
}

# Filters whose names are not those of the answer's fields.
FIELDS = {
    "cidr": "cidr-block",
    "default": "is-default",
    "dns-name": "public-dns-name",
    "entry.cidr": "entry.cidr-block",
    "host-id": "placement.host-id",
    "instance-state-code": "state.code",
    "instance-state-name": "state.name",
    "instance.group-id": "security-group.group-id",
    "instance.group-name": "security-group.group-name",
    "ip-address": "public-ip-address",
    "is-public": "public",
    "launch-index": "ami-launch-index",
    "placement-group-name": "placement.group-name",
    "reason": "state-transition-reason",
}
# What EC2 takes without documenting it: modules of amazon.aws ask so in every account.
UNDOCUMENTED = {"DescribeAddresses": ("domain",), "DescribeVpcs": ("cidr-block", "cidrBlock")}
PARTS = {"network-interface.addresses.": "network-interface.private-ip-addresses."}


class Lists(Service):
    """Filters of EC2 and pages of every service."""

    @hook(EC2BaseResponse, "call_action", "self")
    def describe(self, original, response):
        """Let moto do the filters that it knows; keep the others for the answer."""
        action = response._get_action()
        names = [each.get("Name") for each in _filters(response)]
        known = documented(action)
        for name in names if known else ():
            if not (name in known or str(name).startswith("tag:")):
                error = EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
                return refused(response, error)
        response.withheld = set(names) if action in UNFILTERED else set()
        while True:
            left = [each for each in names if each not in response.withheld]
            try:
                answer = original(response)
                said = str(answer[2]) if answer[0] == 400 else ""
                stumbled = [each for each in left if f"filter '{each}' is invalid" in said]
            except Exception as error:
                if not left or not action.startswith("Describe"):
                    raise
                stumbled = [each for each in left if f"'{each}'" in str(error)] or left
            if not stumbled:
                return answer
            response.withheld.update(stumbled)

    @hook(EC2BaseResponse, "_filters_from_querystring", "self")
    def filters(self, original, response):
        withheld = getattr(response, "withheld", ())
        return {name: each for name, each in original(response).items() if name not in withheld}

    @hook(ec2_utils, "is_filter_matching", "obj, _filter, filter_value")
    def matching(self, original, obj, _filter, filter_value):
        """Any value of the resource may match any of the filter's; moto wants all of several."""
        value = obj.get_filter_value(_filter)
        several = list | set | tuple | type({}.keys()) | type({}.values())
        values = list(value) if isinstance(value, several) else [value]
        wanted = [filter_value] if isinstance(filter_value, str) else filter_value or ()
        return any(_matches(_text(each), wanted) for each in values if each is not None)

    @hook(ec2_utils, "instance_value_in_filter_values", "instance_value, filter_values")
    def matching_instance(self, original, instance_value, filter_values):
        """moto has no wildcards here."""
        several = isinstance(instance_value, list | set | tuple)
        values = instance_value if several else [instance_value]
        return any(_matches(_text(each), filter_values) for each in values if each is not None)

    @hook(BaseResponse, "serialized", "self, action_result")
    def answer(self, original, response, action_result):
        result = action_result.result
        if isinstance(result, dict):
            action = response._get_action()
            try:
                if getattr(response, "withheld", None):
                    result = _filtered(response, action, result, original(response, action_result))
                page = self._page(response, action, result)
                # what is a page already is not for moto to page again
                kind = type(action_result) if page is result else ActionResult
                action_result = kind(page)
            except ServiceException as error:
                action_result = ActionResult(error)
        return original(response, action_result)

    def _page(self, response, action: str, result: dict) -> dict:
        """The page that is asked for, if moto gave more."""
        paging = pagination(response.boto3_service_name, action)
        if paging is None:
            return result
        key, token_key = paging["result_key"], paging["output_token"]
        items = result.get(key)
        if items is None or isinstance(items, dict) or result.get(token_key):
            return result
        items = list(items)
        result = {**result, key: items}
        token = response._get_param(paging["input_token"])
        asked = response._get_param(paging["limit_key"])
        _check_limit(response.boto3_service_name, paging, asked)
        ours = str(token or "").startswith(OURS)
        start = _offset(token) if ours else 0
        end = start + int(asked or paging["default"])
        if len(items) <= end and not ours:
            return result
        page = {**result, key: items[start:end]}
        if end < len(items):
            page[token_key] = OURS + base64.urlsafe_b64encode(str(end).encode()).decode()
        if paging.get("more_results"):
            page[paging["more_results"]] = end < len(items)
        return page


def refused(response, error: ServiceException):
    """A response's answer that says no."""
    status, headers, body = response.serialized(ActionResult(error))
    return status, {**headers, "status": status}, body


@functools.cache
def pagination(service: str | None, action: str) -> dict | None:
    """How a call's list is paged, or None where that is not ours to do."""
    if service not in PAGE:
        return None
    loader = get_session().get_component("data_loader")
    try:
        paging = loader.load_service_model(service, "paginators-1")["pagination"].get(action)
    except UnknownServiceError:
        return None
    if not paging or not paging.get("limit_key") or not isinstance(paging["result_key"], str):
        return None
    shape = get_service_model(service).operation_model(action).input_shape
    bounds = shape.members[paging["limit_key"]].metadata
    return {**paging, **bounds, "default": min(PAGE[service], bounds.get("max", PAGE[service]))}


def _check_limit(service: str, paging: dict, asked) -> None:
    if asked is None:
        return
    least, most = paging.get("min", 1), paging.get("max")
    if int(asked) < least or (most and int(asked) > most):
        query = service in ("ec2", "rds", "iam", "autoscaling", "elbv2", "elasticache")
        raise EC2ClientError(
            "InvalidParameterValue" if query else "ValidationException",
            f"Value ( {asked} ) for parameter {paging['limit_key']} is invalid. Expecting a value "
            f"from {least} to {most}.",
        )


def _offset(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token.removeprefix(OURS)))
    except ValueError as error:
        raise EC2ClientError("InvalidNextToken", "The token is not valid.") from error


@functools.cache
def documented(action: str) -> frozenset[str]:
    """The filters that EC2 documents for a call; empty where it documents none."""
    shape = get_service_model("ec2").operation_model(action).input_shape
    members = shape.members if shape else {}
    member = members.get("Filters") or members.get("Filter")
    text = member.documentation if member is not None and action.startswith("Describe") else ""
    names = re.findall(r"<code>([\w.-]+)(?::&lt;[^<]*)?</code>\s*(?:&lt;key&gt;)?\s*-", text)
    also = re.findall(r"also use <code>(\w+)</code>", text)
    return frozenset([*names, *also, *UNDOCUMENTED.get(action, ())])


def _filters(response) -> list[dict]:
    return response._get_param("Filters") or response._get_param("Filter") or []


def _filtered(response, action: str, result: dict, answer) -> dict:
    """``result`` without the entries that the withheld filters do not match."""
    model = get_service_model("ec2").operation_model(action)
    body = answer[2].encode() if isinstance(answer[2], str) else answer[2]
    parsed = create_parser("ec2").parse(
        {"status_code": 200, "headers": {}, "body": body}, model.output_shape
    )
    wanted = [each for each in _filters(response) if each["Name"] in response.withheld]

    def keep(entry: dict) -> bool:
        return all(
            any(_matches(value, each.get("Values", [])) for value in values(entry, each["Name"]))
            for each in wanted
        )

    paging = pagination("ec2", action) or {}
    key = paging.get("result_key") or next(k for k, v in parsed.items() if isinstance(v, list))
    if action != "DescribeInstances":
        kept = [item for item, seen in zip(result[key], parsed[key], strict=True) if keep(seen)]
        return {**result, key: kept}
    reservations = []
    for reservation, seen in zip(result[key], parsed[key], strict=True):
        own = {name: value for name, value in seen.items() if isinstance(value, str)}
        pairs = zip(reservation.instances, seen["Instances"], strict=True)
        shown = copy.copy(reservation)
        shown.instances = [instance for instance, entry in pairs if keep({**own, **entry})]
        if shown.instances:
            reservations.append(shown)
    return {**result, key: reservations}


def values(entry: dict, name: str) -> list[str]:
    """What an entry of an answer has for a filter."""
    tags = entry.get("Tags") or entry.get("TagSet") or []
    if name.startswith("tag:"):
        return [each["Value"] for each in tags if each["Key"] == name.removeprefix("tag:")]
    if name in ("tag-key", "tag-value"):
        return [each[name.removeprefix("tag-").capitalize()] for each in tags]
    name = FIELDS.get(name, name)
    for part, field in PARTS.items():
        name = name.replace(part, field)
    parts = tuple(_plain(part) for part in name.split("."))
    leaves = list(_leaves(entry))
    for fits in (_is, _contains, _ends):
        found = [path for path, _ in leaves if fits(path, parts)]
        if found:
            shortest = min(len(path) for path in found)
            return [value for path, value in leaves if fits(path, parts) and len(path) == shortest]
    return []


def _is(path: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """monitoring-state is Monitoring.State."""
    return "".join(path) == "".join(parts)


def _contains(path: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """block-device-mapping.volume-id is BlockDeviceMappings.Ebs.VolumeId."""
    left = iter(path)
    return path[-1] == parts[-1] and all(part in left for part in parts)


def _ends(path: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """ipv6-cidr-block-association.state is Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State."""
    return "".join(path).endswith("".join(parts))


def _plain(name: str) -> str:
    """A name whatever its spelling and number."""
    name = name.replace("-", "").replace("_", "").lower().removesuffix("set")
    return name.removesuffix("ies") + "y" if name.endswith("ies") else name.removesuffix("s")


def _leaves(value, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every simple value below, with the names that lead to it."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, (*path, _plain(name)))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, path)
    elif path:
        yield path, _text(value)


def _text(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.000Z}"
    return str(value)


def _matches(value: str, patterns) -> bool:
    return any(_pattern(str(each)).fullmatch(value) for each in patterns)


@functools.lru_cache(maxsize=1000)
def _pattern(text: str) -> re.Pattern:
    """EC2's wildcards: * and ?, unless a backslash stands before them."""
    escaped = text.replace("[", "[[]").replace("\\*", "[*]").replace("\\?", "[?]")
    return re.compile(fnmatch.translate(escaped))
