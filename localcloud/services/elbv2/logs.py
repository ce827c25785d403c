"""Access logs on their way from the nodes to the bucket that the customer named."""

import time
from datetime import UTC, datetime

from localcloud.services.elbv2 import accesslog
from localcloud.services.elbv2.node import Node


class AccessLogs:
    """What nodes have logged and nobody has shipped yet."""

    def __init__(self, cloud):
        self.cloud = cloud
        self._sockets: dict[str, object] = {}
        self._lines: dict[str, list[str]] = {}
        self._flushed: dict[str, float] = {}

    def close(self, host) -> None:
        """The node goes."""
        receiver = self._sockets.pop(host.id, None)
        if receiver:
            receiver.close()

    def listen(self, node: Node) -> None:
        """Be there when the node logs."""
        if node.host.id not in self._sockets:
            self._sockets[node.host.id] = accesslog.receive(node.haproxy.directory / "log.sock")

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
            receiver = self._sockets.get(host.id)
            while receiver:
                try:
                    entry = accesslog.record(receiver.recv(65536))
                except BlockingIOError:
                    break
                if entry:
                    yield host, entry

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
