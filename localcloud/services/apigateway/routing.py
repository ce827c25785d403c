"""Which route a request takes: pure.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from localcloud.services.apigateway.model import DEFAULT

METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
KEY = re.compile(rf"({'|'.join(METHODS)}) (/\S*)")
VARIABLE = re.compile(r"\{([\w.-]+)(\+?)\}")


@dataclass(frozen=True)
class Match:
    """A route by its key, and the values of its path's variables."""

    key: str
    parameters: dict[str, str]


def problem(key: str) -> str:
    """Why there can be no such route; nothing when there can."""
    if key == DEFAULT:
        return ""
    found = KEY.fullmatch(key)
    if not found:
        return (
            "The provided route key is not formatted properly for HTTP protocol. "
            "Format should be '<HTTP METHOD> /<RESOURCE PATH>' or '$default'."
        )
    parts = found[2].split("/")[1:]
    for place, part in enumerate(parts):
        variable = VARIABLE.fullmatch(part)
        if variable is None and re.search(r"[{}]", part):
            return f"Invalid route key: {part} is no variable."
        if variable and variable[2] and place < len(parts) - 1:
            return "Greedy path variables are only allowed at the end of a path."
    return ""


def choose(keys: Iterable[str], method: str, path: str) -> Match | None:
    """The most specific of those that fit: a full path, then a greedy one, then ``$default``; what
    names the method comes before ANY."""
    best: tuple[tuple, Match] | None = None
    for key in keys:
        fits = _fits(key, method, path)
        if fits and (best is None or fits[0] < best[0]):
            best = fits
    return best and best[1]


def _fits(key: str, method: str, path: str) -> tuple[tuple, Match] | None:
    """How specific a route is that fits (the less the better), and its match."""
    if key == DEFAULT:
        return (2,), Match(key, {})
    wanted, pattern = key.split(" ", 1)
    if wanted not in ("ANY", method):
        return None
    found = _parameters(pattern, path)
    if found is None:
        return None
    greedy = pattern.endswith("+}")
    # what is literal further to the left is more specific
    kinds = tuple(_kind(part) for part in pattern.split("/")[1:])
    return (int(greedy), kinds, wanted == "ANY"), Match(key, found)


def _kind(part: str) -> int:
    variable = VARIABLE.fullmatch(part)
    return 0 if variable is None else 2 if variable[2] else 1


def _parameters(pattern: str, path: str) -> dict[str, str] | None:
    wanted, there = pattern.split("/")[1:], path.split("/")[1:]
    found = {}
    for place, part in enumerate(wanted):
        variable = VARIABLE.fullmatch(part)
        if variable and variable[2]:
            rest = "/".join(there[place:])
            return {**found, variable[1]: rest} if rest else None
        if place >= len(there):
            return None
        if variable:
            if not there[place]:
                return None
            found[variable[1]] = there[place]
        elif part != there[place]:
            return None
    return found if len(wanted) == len(there) else None


def stage_of(stages: Iterable[str], path: str) -> tuple[str, str] | None:
    """The stage that a path of the API's own address begins with, and the path in it."""
    first, _, rest = path.lstrip("/").partition("/")
    stages = set(stages)
    if first in stages - {DEFAULT}:
        return first, f"/{rest}"
    return (DEFAULT, path) if DEFAULT in stages else None


def mapping_of(keys: Iterable[str], path: str) -> tuple[str, str] | None:
    """The longest of a custom domain's mapping keys that a path begins with, and the rest."""
    for key in sorted(keys, key=len, reverse=True):
        if not key:
            return key, path
        if path == f"/{key}" or path.startswith(f"/{key}/"):
            return key, path.removeprefix(f"/{key}") or "/"
    return None
