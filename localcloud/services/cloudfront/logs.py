"""Access logs: the edge's log lines become CloudFront's, in the bucket that a distribution names.

Format: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
"""

import gzip
import secrets
import time
from datetime import UTC, datetime
from urllib.parse import quote

from localcloud.services.elbv2 import accesslog

# CloudFront delivers within an hour, and most of it within minutes.
FLUSH_SECONDS = 60
FIELDS = (
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem",
    "sc-status", "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol",
    "time-taken",
)  # fmt: skip
HEAD = f"#Version: 1.0\n#Fields: {' '.join(FIELDS)}\n"


def line(entry: dict, domain: str, now: datetime) -> str:
    """One line, for a distribution whose own name is ``domain``."""
    result = entry["result"].removesuffix(" from cloudfront") or "Error"
    return "\t".join(
        (
            now.strftime("%Y-%m-%d"),
            now.strftime("%H:%M:%S"),
            "LOC50-P1",
            str(entry["bytes"]),
            entry["client"],
            entry["method"],
            domain,
            quote(entry["path"], safe="/%"),
            str(entry["status"]),
            result,
            entry["id"],
            entry["host"],
            "https" if str(entry["tls"]) == "1" else "http",
            f"{entry['ms'] / 1000:.3f}",
        )
    )


class AccessLogs:
    """What the edge has logged and nobody has shipped yet."""

    def __init__(self, cloud):
        self.cloud = cloud
        self._sockets: dict[str, object] = {}
        self._lines: dict[str, list[str]] = {}
        self._flushed = time.monotonic()

    def collect(self, edge, distributions: dict) -> None:
        """Take what the edge has logged; ship it when its time has come."""
        host = edge.host.id
        if host not in self._sockets:
            self._sockets[host] = accesslog.receive(edge.haproxy.directory / "log.sock")
        now = datetime.now(UTC)
        while True:
            try:
                entry = accesslog.record(self._sockets[host].recv(65536))
            except BlockingIOError:
                break
            found = distributions.get((entry or {}).get("distribution"))
            if found and found.config["Logging"].get("Enabled"):
                self._lines.setdefault(found.id, []).append(line(entry, found.domain_name, now))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush(distributions)

    def flush(self, distributions: dict) -> None:
        """Ship what there is."""
        self._flushed = time.monotonic()
        s3 = self.cloud.backend("s3", "aws")
        for identity, lines in list(self._lines.items()):
            found = distributions.get(identity)
            del self._lines[identity]
            if found is None:
                continue
            bucket = found.config["Logging"]["Bucket"].removesuffix(".s3.amazonaws.com")
            if bucket not in s3.buckets:
                continue
            hour = datetime.now(UTC).strftime("%Y-%m-%d-%H")
            prefix = found.config["Logging"]["Prefix"]
            key = f"{prefix}{identity}.{hour}.{secrets.token_hex(4)}.gz"
            s3.put_object(bucket, key, gzip.compress((HEAD + "\n".join(lines) + "\n").encode()))
