"""AWS/RDS: what databases do.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
"""

import logging
from collections.abc import Iterator

from localcloud.services.cloudwatch import counters
from localcloud.services.cloudwatch.counters import Growth
from localcloud.services.cloudwatch.sources.base import Source
from localcloud.services.cloudwatch.store import Point
from localcloud.services.instances import limits
from localcloud.services.managed import FAILURES
from localcloud.services.rds.cluster import instance_type
from localcloud.services.rds.databases import Databases
from localcloud.services.rds.postgres import OWNER

log = logging.getLogger("localcloud.cloudwatch")

CONNECTIONS = (
    "select count(*) from pg_stat_activity where backend_type = 'client backend' and usename <> %s"
)
MIB = 1 << 20


class DatabaseMetrics(Source):
    """Of the primary's host: a standby has no metrics of its own on RDS either."""

    namespace = "AWS/RDS"

    def __init__(self, cloud):
        super().__init__(cloud)
        self._growth = Growth()

    def measure(self, at: int) -> Iterator[Point]:
        databases = self.cloud.service(Databases)
        containers = self.cloud.engine.containers()
        seen = set()
        for database in databases.all():
            container = containers.get(database.deployment.primary.id)
            if database.status == "stopped" or not (container and container.running):
                continue
            key = (container.name, container.pid)
            seen.add(key)
            name = {"DBInstanceIdentifier": database.db_instance_identifier}
            for metric, (value, unit) in self._seen(databases, database, key).items():
                yield self.point(metric, name, value, unit, at)
        self._growth.keep(seen)

    def _seen(self, databases, database, key) -> dict[str, tuple[float, str]]:
        found: dict[str, tuple[float, str]] = {}
        primary = databases.cluster(database).primary
        counted = counters.read(key[1])
        if counted:
            cores, memory = limits(instance_type(database.db_instance_class))
            found["FreeableMemory"] = max(0, memory * MIB - counted.memory), "Bytes"
            grown = self._growth.take(key, {"cpu": counted.cpu}, counters.age(key[1]))
            if grown:
                seconds, added = grown
                used = min(100.0, 100 * added["cpu"] / (seconds * cores))
                found["CPUUtilization"] = used, "Percent"
        try:
            found["FreeStorageSpace"] = primary.free(), "Bytes"
            found["DatabaseConnections"] = primary.value(CONNECTIONS, OWNER), "Count"
        except FAILURES as error:  # what does not answer has no data points
            log.info("metrics of %s: %s", database.db_instance_identifier, error)
        return found
