"""What the API answers: which calls have a real thing behind them, and which are kept in mind.

`operations/SERVICE.toml` lists a service's calls, by AWS's names and with wildcards:

- ``real``: something stands behind the answer;
- ``kept``: the API remembers it and nothing depends on it, or it only tells;
- ``[refused]``: parameters of calls that would be ignored, and with them what they protect.

Everything else is refused: other calls, other services, other regions.
"""

import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

from moto.core.utils import get_service_model

from localcloud.calls import Call
from localcloud.errors import Refusal
from localcloud.settings import REGION

README = Path(__file__).with_name("README.md")
MARKS = ("<!-- operations: python -m localcloud operations --readme -->", "<!-- /operations -->")


@dataclass(frozen=True)
class Service:
    """A service's calls as its file lists them."""

    name: str
    real: tuple[str, ...]
    kept: tuple[str, ...]
    refused: dict[str, list[str]]

    def kind(self, operation: str) -> str:
        """``real``, ``kept`` or ``refused``; a call that is named wins over a wildcard."""
        for names, kind in ((self.real, "real"), (self.kept, "kept")):
            if operation in names:
                return kind
        for names, kind in ((self.real, "real"), (self.kept, "kept")):
            if any(fnmatchcase(operation, name) for name in names):
                return kind
        return "refused"


@functools.cache
def services() -> dict[str, Service]:
    """By boto3's name."""
    found = {}
    for file in sorted(resources.files("localcloud").joinpath("operations").iterdir()):
        name = file.name.removesuffix(".toml")
        lists = tomllib.loads(file.read_text())
        found[name] = Service(
            name, tuple(lists["real"]), tuple(lists["kept"]), lists.get("refused", {})
        )
    return found


def check(call: Call) -> None:
    """Raise `Refusal` for what stands nowhere in the ledger."""
    service = services().get(call.service)
    name = f"{call.service}:{call.operation or '(no call of this service)'}"
    if service is None:
        raise Refusal("not supported", f"The local cloud has no {call.service}: {name} is refused.")
    if call.region != REGION:
        raise Refusal(
            "not supported", f"The local cloud has the region {REGION} only, not {call.region}."
        )
    if service.kind(call.operation) == "refused":
        raise Refusal(
            "not supported",
            f"The local cloud refuses {name}: nothing real would stand behind it. "
            "`python -m localcloud operations` lists what it answers.",
        )
    for parameter in service.refused.get(call.operation, ()):
        if parameter in call.parameters:
            raise Refusal(
                "not supported",
                f"The local cloud refuses {parameter} of {name}: it would be ignored.",
            )


def rows() -> Iterator[tuple[str, str, str]]:
    """Service, call and kind of every call of every service that is there."""
    for service in services().values():
        for operation in get_service_model(service.name).operation_names:
            yield service.name, operation, service.kind(operation)


def table() -> str:
    """The ledger as the README shows it."""
    lines = ["| service | real | kept |", "|---|---|---|"]
    lines += [
        f"| {each.name} | {_words(each.real)} | {_words(each.kept)} |"
        for each in services().values()
    ]
    return "\n".join(lines)


def write_readme() -> None:
    text = README.read_text()
    before, _, rest = text.partition(MARKS[0])
    README.write_text(f"{before}{MARKS[0]}\n{table()}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")


def _words(names: tuple[str, ...]) -> str:
    return ", ".join(names).replace("*", r"\*") or "-"
