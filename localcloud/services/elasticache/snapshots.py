"""Snapshots: what a group had at one moment, as the file that Valkey itself writes."""

from pathlib import Path

from moto.elasticache.exceptions import SnapshotNotFound
from moto.elasticache.models import ElastiCacheBackend

from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.elasticache.catalogue import unsupported
from localcloud.services.elasticache.groups import ReplicationGroups, failure
from localcloud.services.managed import FAILURES


class Snapshots(Service):
    """Files beside the volumes, named as the snapshot."""

    @property
    def directory(self) -> Path:
        return self.cloud.settings.state / "cache-snapshots"

    def file(self, name: str) -> Path:
        """The snapshot's file; an API error if there is no such snapshot."""
        found = self.directory / f"{name}.rdb"
        if name not in self.cloud.backend("elasticache").snapshots or not found.exists():
            raise SnapshotNotFound(name)
        return found

    @hook(
        ElastiCacheBackend,
        "create_snapshot",
        "self, snapshot_name, replication_group_id, cache_cluster_id, kms_key_id, tags",
    )
    def create(self, original, backend, snapshot_name, replication_group_id, cache_cluster_id,
               kms_key_id, tags):  # fmt: skip
        if cache_cluster_id:
            raise unsupported("snapshots of single nodes: name the replication group")
        snapshot = original(backend, snapshot_name, replication_group_id, None, kms_key_id, tags)
        groups = self.cloud.service(ReplicationGroups)
        made = groups.find(replication_group_id)
        try:
            with groups.lock(made):
                group = groups.group(made)
                # as ElastiCache: a replica does the work, so that the primary need not
                chosen = next(iter(group.replicas()), made.deployment.primary)
                group.node(chosen).dump(self.directory / f"{snapshot_name}.rdb")
        except FAILURES as error:
            backend.snapshots.pop(snapshot_name, None)
            raise failure(error) from error
        return snapshot

    @hook(ElastiCacheBackend, "delete_snapshot", "self, snapshot_name")
    def delete(self, original, backend, snapshot_name):
        snapshot = original(backend, snapshot_name)
        (self.directory / f"{snapshot_name}.rdb").unlink(missing_ok=True)
        return snapshot

    def adopt(self) -> list[str]:
        """Delete files that no snapshot has: their API call was never answered."""
        known = self.cloud.backend("elasticache").snapshots
        for path in self.directory.glob("*"):
            if path.stem not in known or path.suffix == ".part":
                path.unlink()
        return []
