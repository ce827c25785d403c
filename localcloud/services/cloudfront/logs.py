"""Access logs: the edge's log lines become CloudFront's, in the bucket that a distribution names.

Format: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
"""

import gzip
import secrets
import time
from collections import deque
from datetime import UTC, datetime
from urllib.parse import quote

from localcloud.logsocket import LogSocket
from localcloud.services.cloudfront.traffic import Traffic

# CloudFront delivers within an hour, and most of it within minutes.
FLUSH_SECONDS = 60
WAITING = 100_000
"""Lines that may wait to be looked at."""
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
    """What the edge has logged and nobody has shipped yet; ``traffic`` counts all of it."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.traffic = Traffic()
        self._sockets: dict[str, LogSocket] = {}
        self._entries: deque[tuple[dict, datetime]] = deque(maxlen=WAITING)
        self._lines: dict[str, list[str]] = {}
        self._flushed = time.monotonic()

    def collect(self, edge, distributions: dict) -> None:
        """Take what the edge has logged; ship it when its time has come."""
        host = edge.host.id
        if host not in self._sockets:
            path = edge.haproxy.directory / "log.sock"
            self._sockets[host] = LogSocket(path, self._take)
        while self._entries:
            entry, at = self._entries.popleft()
            found = distributions.get(entry.get("distribution"))
            if found and found.config["Logging"].get("Enabled"):
                self._lines.setdefault(found.id, []).append(line(entry, found.domain_name, at))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush(distributions)

    def _take(self, entry: dict) -> None:
        """A line has come; the edge's own clock tells seconds only, in its zone."""
        now = datetime.now(UTC)
        self.traffic.add(entry, now.timestamp())
        self._entries.append((entry, now))

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
