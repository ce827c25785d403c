"""What happens to a database's hosts behind the API's back, and what is done about it."""

import logging
import time

from localcloud.services.rds import postgres
from localcloud.services.rds.cluster import Cluster
from localcloud.services.rds.failover import Action, Observation, decide

log = logging.getLogger("localcloud.rds")

WATCHED = ("available", "storage-full", "incompatible-network")
"""Statuses in which a database's hosts are looked at."""
FULL = 64 << 20
"""Bytes left when a volume counts as full."""


class Watch:
    """Looks at databases once a second; remembers when each host was last seen well."""

    def __init__(self, databases):
        self.databases = databases
        self._seen: dict[str, dict[str, float]] = {}

    def look(self, database) -> None:
        """One look at a database, and one step if something is wrong. Holds its lock."""
        cluster = self.databases.cluster(database)
        seen = self._observe(cluster)
        action = decide(seen)
        if action is Action.WAIT:
            self._show(cluster, seen)
            return
        log.warning("%s: %s", database.db_instance_identifier, action)
        if action is Action.DETACH:
            cluster.detach()
            database.add_event("STANDBY_LOST")
            return
        # what takes longer does not hold up the reconciler
        name = database.db_instance_identifier
        self.databases.work(f"{name}: {action}", lambda: self._act(cluster, action))

    def forget(self, database) -> None:
        """It was changed: what was seen before says nothing any more."""
        self._seen.pop(database.dbi_resource_id, None)

    def _act(self, cluster: Cluster, action: Action) -> None:
        database = cluster.database
        with self.databases.lock(database):
            if database.status not in WATCHED:
                return
            try:
                self._step(cluster, action)
            finally:
                self.forget(database)

    def _step(self, cluster: Cluster, action: Action) -> None:
        database = cluster.database
        if decide(self._observe(cluster)) is not action:
            return  # another thread was faster
        if action is Action.PROMOTE:
            with self.databases.busy(database, "rebooting"):
                database.add_event("FAILOVER_START")
                cluster.promote(in_order=False)
                database.add_event("FAILOVER_FINISH")
        elif action is Action.RESTART:
            with self.databases.busy(database, "rebooting"):
                cluster.restart_primary()
                database.add_event("RECOVERED")
        elif action is Action.BUILD:
            cluster.build_standby()
        elif action is Action.ATTACH and cluster.attach():
            database.add_event("STANDBY_READY")

    def _observe(self, cluster: Cluster) -> Observation:
        database, deployment = cluster.database, cluster.deployment
        now = time.monotonic()
        seen = self._seen.setdefault(database.dbi_resource_id, {"primary": now, "standby": now})
        containers = self.databases.cloud.engine.containers()
        standby = deployment.standby
        if cluster.primary.answers():
            seen["primary"] = now
            self._keep_replicators(cluster)
            if standby and cluster.standby_follows():
                seen["standby"] = now
        return Observation(
            now=now,
            multi_az=database.multi_az,
            replication=deployment.replication,
            primary_runs=_runs(containers, deployment.primary),
            primary_seen=seen["primary"],
            standby_exists=standby is not None,
            standby_runs=_runs(containers, standby),
            standby_reachable=standby is not None and self.databases.appliances.reachable(standby),
            standby_seen=seen["standby"],
            built=now - (time.time() - deployment.attempted),
        )

    def _show(self, cluster: Cluster, seen: Observation) -> None:
        """Let the status say whether the database can be used."""
        database = cluster.database
        if seen.now == seen.primary_seen:
            status = "storage-full" if cluster.primary.free() < FULL else "available"
        elif seen.now - seen.primary_seen > 3:
            status = "incompatible-network"
        else:
            return
        if status != database.status:
            database.status = status
            if status == "storage-full":
                database.add_event("STORAGE_FULL")

    def _keep_replicators(self, cluster: Cluster) -> None:
        with cluster.primary.connect() as connection:
            for (role,) in connection.execute(postgres.REPLICATORS).fetchall():
                connection.execute(postgres.allow_replication(role))


def _runs(containers, host) -> bool:
    return bool(host and host.id in containers and containers[host.id].running)
