"""Access logs: HAProxy's log lines become ALB's, in the bucket that the customer named.

Format: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

import gzip
import json
import secrets
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from localcloud.settings import ACCOUNT, REGION

# AWS publishes a file per node every five minutes.
FLUSH_SECONDS = 60
# Who writes them.
SERVICE = "logdelivery.elasticloadbalancing.amazonaws.com"


def may_deliver(policy: bytes | None, bucket: str, prefix: str) -> bool:
    """Whether the bucket's policy lets load balancers write their logs."""
    statements = json.loads(policy)["Statement"] if policy else []
    folder = f"arn:aws:s3:::{bucket}/{_folder(prefix)}AWSLogs/{ACCOUNT}/"
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and SERVICE in _list(statement["Principal"].get("Service", []))
        and any(fnmatchcase("s3:PutObject", each) for each in _list(statement["Action"]))
        and any(fnmatchcase(f"{folder}log", each) for each in _list(statement["Resource"]))
        for statement in _list(statements)
    )


def line(entry: dict, balancer: str, groups: dict[str, str], certificate: str = "-") -> str:
    """One line of ALB's log.

    ``balancer`` is the last part of its ARN ("app/shop/0123"), ``groups`` are ARNs by name.
    """
    tls = entry["tls"] not in ("", "-")
    scheme = "https" if tls else "http"
    group = entry["backend"].removeprefix("group_")
    served = entry["backend"].startswith("group_") and group in groups
    target = entry["server"].removeprefix("any:") if served else "-"
    if target in ("<NOSRV>", ""):
        target = "-"
    status = entry["target_status"] or "-"
    request = _milliseconds(entry["queue_ms"], entry["connect_ms"], entry["request_ms"])
    response = _milliseconds(entry["response_ms"])
    taken = int(entry["accepted"]) / 1000
    ended = taken + max(0, int(entry["total_ms"])) / 1000
    action = "forward" if served else "redirect" if entry["location"] else "fixed-response"
    url = f"{scheme}://{entry['host'] or '-'}:{entry['port']}{entry['uri'] or '-'}"
    rule = {"default": "0", "": "-1"}.get(entry["rule"], entry["rule"])
    fields = [
        "h2" if tls and entry["version"] == "HTTP/2.0" else scheme,
        _time(ended),
        balancer,
        entry["client"],
        target,
        f"{request:.3f}" if target != "-" else "-1",
        f"{response:.3f}" if status != "-" else "-1",
        "0.000" if status != "-" else "-1",
        entry["status"],
        status,
        entry["received"],
        entry["sent"],
        _quoted(f"{entry['method']} {url} {entry['version']}"),
        _quoted(entry["agent"] or "-"),
        entry["cipher"] if tls else "-",
        entry["tls"] if tls else "-",
        groups[group] if served else "-",
        _quoted(entry["trace"] or "-"),
        _quoted(entry["sni"] or "-"),
        _quoted(certificate if tls else "-"),
        rule,
        _time(taken),
        _quoted(action),
        _quoted(entry["location"] or "-"),
        _quoted("-"),
        _quoted(target),
        _quoted(status),
        _quoted("-"),
        _quoted("-"),
        "-",
    ]
    return " ".join(fields)


def key(prefix: str, balancer: str, address: str, now: datetime) -> str:
    """The object that a batch of lines is stored as."""
    return (
        f"{_folder(prefix)}AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/{now:%Y/%m/%d}/"
        f"{ACCOUNT}_elasticloadbalancing_{REGION}_{balancer.replace('/', '.')}_"
        f"{now:%Y%m%dT%H%MZ}_{address}_{secrets.token_hex(4)}.log.gz"
    )


def packed(lines: list[str]) -> bytes:
    return gzip.compress("".join(f"{each}\n" for each in lines).encode())


def _folder(prefix: str) -> str:
    return f"{prefix.strip('/')}/" if prefix else ""


def _list(value) -> list:
    """An IAM policy may give one thing instead of a list."""
    return value if isinstance(value, list) else [value]


def _milliseconds(*values: str) -> float:
    return sum(max(0, int(value)) for value in values if value.lstrip("-").isdigit()) / 1000


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
