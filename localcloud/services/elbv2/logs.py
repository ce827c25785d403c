"""Access logs on their way from the nodes to the bucket that the customer named."""

import time
from collections import deque
from datetime import UTC, datetime

from localcloud.logsocket import LogSocket
from localcloud.services.elbv2 import accesslog
from localcloud.services.elbv2.node import Node
from localcloud.services.elbv2.traffic import Traffic

WAITING = 100_000
"""Lines of a node that may wait to be looked at."""


class AccessLogs:
    """What nodes have logged and nobody has shipped yet; ``traffic`` counts all of it."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.traffic = Traffic()
        self._sockets: dict[str, LogSocket] = {}
        self._entries: dict[str, deque[dict]] = {}
        self._lines: dict[str, list[str]] = {}
        self._flushed: dict[str, float] = {}

    def close(self, host) -> None:
        """The node goes."""
        receiver = self._sockets.pop(host.id, None)
        if receiver:
            receiver.close()
        self._entries.pop(host.id, None)

    def listen(self, node: Node) -> None:
        """Be there when the node logs."""
        host = node.host.id
        if host not in self._sockets:
            waiting = self._entries.setdefault(host, deque(maxlen=WAITING))

            def take(entry: dict) -> None:
                self.traffic.add(host, entry)
                waiting.append(entry)

            self._sockets[host] = LogSocket(node.haproxy.directory / "log.sock", take)

    def collect(self, balancer) -> None:
        """Take what the nodes have logged; ship it when its time has come."""
        if balancer.attrs.get("access_logs.s3.enabled") == "true":
            identity = balancer.arn.split("loadbalancer/", 1)[1]
            groups = {
                each.name: each.arn for each in self.cloud.backend("elbv2").target_groups.values()
            }
            certificates = {
                str(each.port): each.certificate or "-" for each in balancer.listeners.values()
            }
            for host, entry in self._records(balancer):
                self._lines.setdefault(host.id, []).append(
                    accesslog.line(entry, identity, groups, certificates.get(entry["port"], "-"))
                )
            since = self._flushed.setdefault(balancer.arn, time.monotonic())
            if time.monotonic() - since > accesslog.FLUSH_SECONDS:
                self.flush(balancer)
        else:
            for _ in self._records(balancer):
                """Nobody wants them."""

    def _records(self, balancer):
        for host in balancer.nodes:
            waiting = self._entries.get(host.id, ())
            while waiting:
                yield host, waiting.popleft()

    def flush(self, balancer) -> None:
        """Ship what there is."""
        self._flushed[balancer.arn] = time.monotonic()
        bucket = balancer.attrs.get("access_logs.s3.bucket", "")
        identity = balancer.arn.split("loadbalancer/", 1)[1]
        for host in balancer.nodes:
            lines = self._lines.pop(host.id, [])
            if lines and bucket in self._s3().buckets:
                prefix = balancer.attrs.get("access_logs.s3.prefix", "")
                address = host.public_address or host.address
                key = accesslog.key(prefix, identity, address, datetime.now(UTC))
                self._s3().put_object(bucket, key, accesslog.packed(lines))

    def _s3(self):
        return self.cloud.backend("s3", "aws")
