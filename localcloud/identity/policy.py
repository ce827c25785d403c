"""Evaluate IAM's policies as AWS does: statements, wildcards, variables, conditions, boundaries."""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from localcloud.identity.conditions import holds

VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Request:
    """One action on one resource. ``context`` has condition keys in small letters."""

    action: str
    resource: str
    context: Mapping[str, list[str]] = field(default_factory=dict)
    principals: tuple[str, ...] = ()  # what a resource's policy may call the caller
    account: tuple[str, ...] = ()  # the caller's account: it is named to delegate to its own IAM


@dataclass(frozen=True)
class Policies:
    """What says something of a request: the caller's own policies and what bounds them."""

    own: tuple[str, ...] = ()
    bounds: tuple[tuple[str, ...], ...] = ()  # each must allow: boundary, session policy
    resource: tuple[str, ...] = ()
    everything: bool = False  # the account's root


def decide(policies: Policies, request: Request) -> str | None:
    """Nothing when the request is allowed, else why not, as AWS's sentence ends."""
    for kind, documents in (
        ("identity-based policy", policies.own),
        ("resource-based policy", policies.resource),
        *(("permissions boundary", each) for each in policies.bounds),
    ):
        if says(documents, request, "Deny"):
            return f"with an explicit deny in a {kind}"
    if policies.everything:
        return None
    if policies.resource and says(policies.resource, request, "Allow", delegated=False):
        return None
    if not says(policies.own, request, "Allow"):
        return f"because no identity-based policy allows the {request.action} action"
    for each in policies.bounds:
        if not says(each, request, "Allow"):
            return f"because no permissions boundary allows the {request.action} action"
    return None


def says(documents: Iterable[str], request: Request, effect: str, delegated: bool = True) -> bool:
    """Whether a statement of this effect is about the request."""
    return any(
        statement.get("Effect") == effect and _concerns(statement, request, delegated)
        for document in documents
        for statement in statements(document)
    )


@functools.lru_cache(4096)
def statements(document: str) -> tuple[dict, ...]:
    """A policy's statements; a policy that is no JSON has none."""
    try:
        found = json.loads(document).get("Statement", [])
    except (ValueError, AttributeError):
        return ()
    return tuple([found] if isinstance(found, dict) else found)


def _concerns(statement: dict, request: Request, delegated: bool) -> bool:
    if "NotAction" in statement:
        if _any(statement["NotAction"], request.action, fold=True):
            return False
    elif not _any(statement.get("Action", ()), request.action, fold=True):
        return False
    if "NotResource" in statement:
        if _any(_filled(statement["NotResource"], request), request.resource):
            return False
    elif "Resource" in statement and not _any(
        _filled(statement["Resource"], request), request.resource
    ):
        return False
    if "NotPrincipal" in statement:
        if _principal(statement["NotPrincipal"], request, True):
            return False
    elif "Principal" in statement and not _principal(statement["Principal"], request, delegated):
        return False
    return all(
        holds(operator, key, [_fill(str(_plain(each)), request) for each in _list(values)],
              request.context.get(key.lower()))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )  # fmt: skip


def _principal(wanted, request: Request, delegated: bool) -> bool:
    if wanted == "*":
        return True
    known = set(request.principals) | (set(request.account) if delegated else set())
    return any(
        each == "*" or each in known
        for kind, names in wanted.items()
        for each in _list(names)
        if kind in ("AWS", "Service", "CanonicalUser", "Federated")
        and (each != "*" or kind == "AWS")
    )


def _filled(patterns, request: Request) -> list[str]:
    return [_fill(each, request) for each in _list(patterns)]


def _fill(text: str, request: Request) -> str:
    """Put values in the place of variables such as ``${aws:username}``."""

    def value(found: re.Match) -> str:
        name, _, default = found[1].partition(",")
        if name in ("*", "?", "$"):
            return name
        values = request.context.get(name.strip().lower())
        return values[0] if values else default.strip().strip("'") or found[0]

    return VARIABLE.sub(value, text) if "$" in text else text


def _any(patterns, text: str, fold: bool = False) -> bool:
    return any(matches(each, text, fold) for each in _list(patterns))


def matches(pattern: str, text: str, fold: bool = False) -> bool:
    """Whether ``text`` is like ``pattern`` with its ``*`` and ``?``."""
    return bool(_compiled(pattern, fold).fullmatch(text))


@functools.lru_cache(8192)
def _compiled(pattern: str, fold: bool) -> re.Pattern:
    words = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.compile("".join(words), re.DOTALL | (re.IGNORECASE if fold else 0))


def _plain(value):
    return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value


def _list(value) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
