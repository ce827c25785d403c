"""DB parameter groups: what may be set, what RDS sets by itself, and what PostgreSQL then gets.

``parameters.tsv`` lists name, apply type, data type, unit and allowed values of PostgreSQL 17's
settings that RDS leaves to its users (from ``pg_settings``), and RDS's own ``rds.*``.
"""

import ast
import math
import operator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FAMILY = "postgres17"


class ParameterError(ValueError):
    """A parameter or its value is not one that RDS takes; the message is RDS's."""


@dataclass(frozen=True)
class Parameter:
    """One row of the table. ``apply_type`` is "static" (needs a reboot) or "dynamic"."""

    name: str
    apply_type: str
    data_type: str
    unit: str
    allowed: str

    @property
    def static(self) -> bool:
        return self.apply_type == "static"


# What the default group of the family sets, as RDS documents it for PostgreSQL 17.
DEFAULTS = {
    "autovacuum_naptime": "15",
    "effective_cache_size": "{DBInstanceClassMemory/16384}",
    "idle_in_transaction_session_timeout": "86400000",
    "maintenance_work_mem": "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
    "max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)",
    "max_replication_slots": "20",
    "max_wal_senders": "35",
    "max_wal_size": "2048",
    "min_wal_size": "192",
    "password_encryption": "scram-sha-256",
    "rds.force_ssl": "1",
    "rds.logical_replication": "0",
    "shared_buffers": "{DBInstanceClassMemory/32768}",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "wal_compression": "1",
}


@cache
def table() -> dict[str, Parameter]:
    """Every parameter by name."""
    lines = Path(__file__).with_name("parameters.tsv").read_text().splitlines()
    return {row.name: row for row in (Parameter(*line.split("\t")) for line in lines)}


def check(name: str, value: str, apply_method: str) -> None:
    """Raise ParameterError for what ModifyDBParameterGroup refuses."""
    parameter = table().get(name)
    if parameter is None:
        raise ParameterError(f"Could not find parameter with name: {name}")
    if parameter.static and apply_method == "immediate":
        raise ParameterError(
            "cannot use immediate apply method for static parameter: "
            f"ParameterName={name}, ParameterValue={value}"
        )
    if not _allowed(parameter, value):
        raise ParameterError(
            f"Invalid parameter value: {value} for: {name} allowed values are: {parameter.allowed}"
        )


def _allowed(parameter: Parameter, value: str) -> bool:
    if not parameter.allowed or "{" in value:
        return True
    if parameter.data_type in ("integer", "float"):
        low, high = _bounds(parameter.allowed)
        try:
            number = float(value)
        except ValueError:
            return False
        return low <= number <= high
    choices = parameter.allowed.split(",")
    if parameter.data_type == "boolean":
        choices = ["0", "1", "on", "off", "true", "false"]
    return value.lower() in choices or value in ("0", "1")


def _bounds(allowed: str) -> tuple[float, float]:
    # "-1-2147483647": the dash that separates is the first one after a digit
    position = next(
        i for i, letter in enumerate(allowed) if letter == "-" and i and allowed[i - 1] != "e"
        and (allowed[i - 1].isdigit() or allowed[i - 1] == ".")
    )  # fmt: skip
    return float(allowed[:position]), float(allowed[position + 1 :])


def describe(user: dict[str, dict]) -> list[dict]:
    """DescribeDBParameters of a group in which ``user`` was set (moto's dictionaries by name)."""
    rows = []
    for name, parameter in table().items():
        own = user.get(name, {})
        row = {
            "ParameterName": name,
            "Description": "",
            "Source": "engine-default",
            "ApplyType": parameter.apply_type,
            "DataType": parameter.data_type,
            "IsModifiable": True,
            "ApplyMethod": own.get("ApplyMethod", "pending-reboot"),
        }
        if parameter.allowed:
            row["AllowedValues"] = parameter.allowed
        if "ParameterValue" in own:
            row |= {"Source": "user", "ParameterValue": own["ParameterValue"]}
        elif name in DEFAULTS:
            row |= {"Source": "system", "ParameterValue": DEFAULTS[name]}
        rows.append(row)
    return rows


def settled(running: dict[str, str], group: dict[str, dict]) -> dict[str, str]:
    """What a running database has after its group changed without a reboot: dynamic parameters
    with ``ApplyMethod=immediate`` at once, everything else as before."""
    result = {}
    for name in {*running, *group}:
        own = group.get(name, {})
        now = table()[name].apply_type == "dynamic" and own.get("ApplyMethod") == "immediate"
        # a parameter that was reset is gone from the group: dynamic ones go back at once
        gone = name not in group and not table()[name].static
        if now:
            result[name] = own["ParameterValue"]
        elif name in running and not gone:
            result[name] = running[name]
    return result


def wanted(group: dict[str, dict]) -> dict[str, str]:
    """What the database has after its next reboot."""
    return {name: own["ParameterValue"] for name, own in group.items() if "ParameterValue" in own}


@dataclass(frozen=True)
class Size:
    """What formulas refer to: bytes of memory, GiB of storage, vCPUs, TCP port."""

    memory: int
    storage: int
    vcpus: int
    port: int

    def names(self) -> dict[str, int]:
        return {
            "DBInstanceClassMemory": self.memory,
            "AllocatedStorage": self.storage << 30,
            "DBInstanceVCPU": self.vcpus,
            "EndPointPort": self.port,
        }


def evaluate(text: str, size: Size) -> str:
    """A parameter's value with RDS's formulas worked out; other text is returned as it is."""
    if "{" not in text:
        return text
    expression = text.replace("{", "(").replace("}", ")")
    try:
        return str(int(_value(ast.parse(expression, mode="eval").body, size.names())))
    except (SyntaxError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ParameterError(f"Invalid formula: {text}") from error


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
}
_FUNCTIONS = {
    "GREATEST": max,
    "LEAST": min,
    "SUM": lambda *values: sum(values),
    "log": lambda value: math.log2(value),
}


def _value(node: ast.AST, names: dict[str, int]):
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](*(_value(each, names) for each in node.args))
    raise TypeError(ast.dump(node))


def settings(values: dict[str, str], size: Size) -> dict[str, str]:
    """Parameters of RDS as PostgreSQL's own, formulas worked out; ``rds.*`` become what they
    stand for."""
    merged = {**DEFAULTS, **values}
    result = {
        name: evaluate(value, size) for name, value in merged.items() if not name.startswith("rds.")
    }
    logical = is_on(merged["rds.logical_replication"])
    result["wal_level"] = "logical" if logical else "replica"
    return result


def forces_tls(values: dict[str, str]) -> bool:
    return is_on({**DEFAULTS, **values}["rds.force_ssl"])


def is_on(value: str) -> bool:
    return value.lower() in ("1", "on", "true")
