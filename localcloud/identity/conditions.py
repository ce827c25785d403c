"""The operators of a policy's Condition."""

import fnmatch
import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime

ARN_PARTS = 6


def holds(operator: str, key: str, wanted: list[str], found: list[str] | None) -> bool:
    """Whether ``found``, the request's values of ``key``, are what the condition wants."""
    name, quantifier = operator, ""
    if ":" in operator:
        quantifier, _, name = operator.partition(":")
    if name == "Null":
        return any((found is None) == (each.lower() == "true") for each in wanted)
    if optional := name.endswith("IfExists"):
        name = name.removesuffix("IfExists")
    if found is None and optional:
        return True
    positive, negated = _operator(name)
    if not found:
        # a key that is not there is like nothing, and all of nothing is like anything
        return {"ForAllValues": True, "ForAnyValue": False}.get(quantifier, negated)

    def one(value: str) -> bool:
        return any(positive(value, each) for each in wanted) != negated

    if quantifier == "ForAnyValue":
        return any(one(each) for each in found)
    return all(one(each) for each in found)


def _operator(name: str) -> tuple[Callable[[str, str], bool], bool]:
    """How one value is compared, and whether the operator is the opposite of that."""
    if name in OPERATORS:
        return OPERATORS[name], False
    for positive, opposite in OPPOSITES.items():
        if name == opposite:
            return OPERATORS[positive], True
    # AWS takes no policy with another one; a condition that is not understood never holds
    return (lambda value, wanted: False), False


def like(value: str, pattern: str) -> bool:
    return bool(re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), value))


def _arn_like(value: str, pattern: str) -> bool:
    """Part by part: a wildcard goes no further than the colon."""
    parts, wanted = value.split(":", ARN_PARTS - 1), pattern.split(":", ARN_PARTS - 1)
    return len(parts) == len(wanted) and all(map(like, parts, wanted))


def _in_network(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _numbers(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def compared(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return compared


def _dates(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, str], bool]:
    def compared(value: str, wanted: str) -> bool:
        try:
            return compare(_moment(value), _moment(wanted))
        except ValueError:
            return False

    return compared


def _moment(text: str) -> datetime:
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "BinaryEquals": lambda value, wanted: value == wanted,
    "IpAddress": _in_network,
    "NumericEquals": _numbers(lambda value, wanted: value == wanted),
    "NumericLessThan": _numbers(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _numbers(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _numbers(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _numbers(lambda value, wanted: value >= wanted),
    "DateEquals": _dates(lambda value, wanted: value == wanted),
    "DateLessThan": _dates(lambda value, wanted: value < wanted),
    "DateLessThanEquals": _dates(lambda value, wanted: value <= wanted),
    "DateGreaterThan": _dates(lambda value, wanted: value > wanted),
    "DateGreaterThanEquals": _dates(lambda value, wanted: value >= wanted),
}
OPPOSITES = {
    "StringEquals": "StringNotEquals",
    "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
    "StringLike": "StringNotLike",
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
    "IpAddress": "NotIpAddress",
    "NumericEquals": "NumericNotEquals",
    "DateEquals": "DateNotEquals",
}
