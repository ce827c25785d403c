"""The minute: everything is measured, then alarms are evaluated. In a thread of its own."""

import logging
import threading
from typing import ClassVar

from localcloud.services.base import Service
from localcloud.services.cloudwatch.alarms import SHORTEST, Alarms
from localcloud.services.cloudwatch.metrics import MINUTE, Metrics
from localcloud.services.cloudwatch.sources.balancers import BalancerMetrics
from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.sources.caches import CacheMetrics
from localcloud.services.cloudwatch.sources.databases import DatabaseMetrics
from localcloud.services.cloudwatch.sources.distributions import DistributionMetrics
from localcloud.services.cloudwatch.sources.functions import FunctionMetrics
from localcloud.services.cloudwatch.sources.gateways import GatewayMetrics
from localcloud.services.cloudwatch.sources.groups import GroupMetrics
from localcloud.services.cloudwatch.sources.instances import InstanceMetrics
from localcloud.services.cloudwatch.sources.tables import TableMetrics

log = logging.getLogger("localcloud.cloudwatch")


class Measuring(Service):
    """Publishes AWS's own metrics, as far as what they tell of is here."""

    sources: ClassVar[tuple[type[Source], ...]] = (
        InstanceMetrics, BalancerMetrics, DatabaseMetrics, CacheMetrics, DistributionMetrics,
        GroupMetrics, FunctionMetrics, GatewayMetrics, TableMetrics,
    )  # fmt: skip

    def __init__(self, cloud):
        super().__init__(cloud)
        self._sources = [source(cloud) for source in self.sources]
        self._slot = self._minute = -1
        self._thread: threading.Thread | None = None

    def reconcile(self) -> None:
        """The reconciler does not wait for what is measured: a server may be slow to answer."""
        now = int(self.cloud.service(Metrics).clock())
        slot, minute = now // SHORTEST, now // MINUTE
        if slot == self._slot or (self._thread and self._thread.is_alive()):
            return
        whole, known = minute != self._minute, self._slot >= 0
        self._slot, self._minute = slot, minute
        # at first counters are read only: what is told of has happened since
        self._thread = threading.Thread(
            target=self.round, args=(minute, whole, known), name="cloudwatch", daemon=True
        )
        self._thread.start()

    def round(self, minute: int, whole: bool = True, publish: bool = True) -> None:
        """What is due at the beginning of ``minute``, or within it."""
        if whole:
            self.measure((minute - 1) * MINUTE, publish)
        if publish:
            self.cloud.service(Alarms).evaluate(short=not whole)

    def measure(self, at: int, publish: bool = True) -> None:
        """Publish what was seen since the last time, as seen in the minute that began ``at``."""
        for source in self._sources:
            try:
                points = list(source.measure(at))
                if publish:
                    self.cloud.service(Metrics).add(points)
            except Exception:  # what cannot be measured has no data points, as on AWS
                log.exception("measuring %s", source.namespace)

    def close(self) -> None:
        if self._thread:
            self._thread.join(timeout=30)
