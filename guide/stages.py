"""What each stage is made of, from the data that the playbooks read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from guide import ROOT

# As AWS writes it. A provider that is not named here is shown by the name that the ladder gives it.
NAMES = {
    "address": "Elastic IP",
    "balancer": "Application Load Balancer",
    "cdn": "CloudFront",
    "hosts": "EC2",
    "group": "Auto Scaling group",
    "functions": "Lambda",
    "api": "API Gateway",
    "instance": "PostgreSQL",
    "rds": "RDS PostgreSQL",
    "s3": "S3",
    "dynamodb": "DynamoDB",
    "elasticache": "ElastiCache",
}
# The traffic that the price of a stage is for, a month.
PAGES = 10_000


@dataclass(frozen=True)
class Part:
    """One box of a diagram: whose it is, what it is called, and what is said of it."""

    axis: str
    provider: str
    lines: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return NAMES.get(self.provider, self.provider)


@dataclass(frozen=True)
class Stage:
    """A stage of the ladder, added up."""

    number: int
    about: dict
    values: dict
    month: float
    fronts: tuple[Part, ...]
    compute: Part
    stores: tuple[Part, ...]
    # The same of the stage before; empty for the first.
    before: frozenset[Part] = field(default=frozenset())

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.fronts, self.compute, *self.stores)

    def is_new(self, part: Part) -> bool:
        """Whether this stage brings or changes it. To the first stage everything is new."""
        return bool(self.before) and part not in self.before


@cache
def prices():
    """tools/prices, which knows the variables of the playbooks at every stage."""
    loader = SourceFileLoader("prices", str(ROOT / "tools/prices"))
    module = module_from_spec(spec_from_loader("prices", loader))
    loader.exec_module(module)
    return module


def fronts(front: str, entry: str) -> tuple[Part, ...]:
    """From the visitors on: behind the front may be who hands requests to the compute."""
    found = [front] if entry in {front, "host"} else [front, entry]
    return tuple(Part("front", name) for name in found)


def run(function: dict) -> str:
    """What is said of a function: who has a concurrency of its own has no more than that."""
    most = function.get("reserved_concurrency")
    return f"{function['name']}, {most} at once at most" if most else function["name"]


def compute(values: dict, functions: Sequence[dict] = ()) -> Part:
    lines = {
        "hosts": (f"{values['web_count']} x {values['web_instance_type']}",),
        "group": (
            f"{values['asg_min_size']} to {values['asg_max_size']} x "
            f"{values['asg_types'][0]} or alike",
            f"{values['asg_on_demand_base']} on demand, the rest on Spot",
        ),
        "functions": tuple(map(run, functions)),
    }
    return Part("compute", values["compute"], lines.get(values["compute"], ()))


def stores(values: dict) -> tuple[Part, ...]:
    """A box for each place, with the stores that it holds; `database` is where the rows are."""
    rows = values["stores"]["rows"]
    held: dict[str, list[str]] = {}
    for store, provider in values["stores"].items():
        held.setdefault(rows if provider == "database" else provider, []).append(store)
    sizes = {
        "instance": ("on the same host",),
        "rds": (
            values["db_instance_class"],
            "primary and standby in two zones" if values["db_multi_az"] else "in one zone",
        ),
        "elasticache": (
            values["cache_node_type"],
            f"a node in each of {values['network_zone_count']} zones",
        ),
    }
    return tuple(
        Part("store", provider, (", ".join(what), *sizes.get(provider, ())))
        for provider, what in held.items()
    )


@cache
def stages() -> tuple[Stage, ...]:
    """All stages of the ladder, in order."""
    ladder = prices().Ladder()
    found: list[Stage] = []
    for about in ladder.variables["ladder"]:
        number = about["stage"]
        values = ladder.value("stage_values", stage=number)
        found.append(
            Stage(
                number,
                about,
                values,
                ladder.offer(number, PAGES)["month"],
                fronts(*(ladder.value(name, stage=number) for name in ("front", "entry"))),
                compute(values, ladder.value("functions_list", stage=number)),
                stores(values),
                frozenset(found[-1].parts) if found else frozenset(),
            )
        )
    return tuple(found)
