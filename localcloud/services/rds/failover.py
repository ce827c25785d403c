"""What to do about a Multi-AZ database's two hosts: decided from observations alone.

One process decides for both hosts, and it stops a primary before it promotes a standby, so there
are never two. What must hold for "no acknowledged commit is lost":

- only a standby that is ``IN_SYNC`` is ever promoted: the primary waited for it at every commit;
- before the primary is allowed to go on without its standby, the standby stops being promotable,
  on disk too;
- a process that takes over trusts no standby: the primary may have gone on without it meanwhile.
"""

from dataclasses import dataclass
from enum import StrEnum


class Replication(StrEnum):
    """How far the standby can be trusted."""

    NONE = "none"
    """Single-AZ: there is no standby."""
    SYNCING = "syncing"
    """A standby is there but may lack commits."""
    IN_SYNC = "in-sync"
    """Every acknowledged commit is on the standby."""


class Action(StrEnum):
    WAIT = "wait"
    RESTART = "restart the primary"
    PROMOTE = "promote the standby"
    DETACH = "go on without the standby"
    ATTACH = "make commits wait for the standby"
    BUILD = "make a new standby"


# Seconds without an answer until a host counts as lost. RDS takes 60-120 s for a whole failover.
PRIMARY_PATIENCE = 3.0
STANDBY_PATIENCE = 3.0
# Seconds between two attempts to make a standby, and until one that only lost its connection is
# made anew.
BUILD_PAUSE = 15.0
STREAM_PATIENCE = 30.0


@dataclass(frozen=True)
class Observation:
    """What is seen now. Times are seconds of a monotonic clock."""

    now: float
    multi_az: bool
    replication: Replication
    primary_runs: bool
    """Its container is there and not frozen, whether it answers or not."""
    primary_seen: float
    """When the primary last answered over the network."""
    standby_exists: bool
    standby_runs: bool
    standby_reachable: bool
    standby_seen: float
    """When the standby was last streaming from the primary."""
    built: float
    """When a standby was last made or attempted."""


def decide(seen: Observation) -> Action:
    """The next step towards a healthy database."""
    primary_lost = seen.now - seen.primary_seen >= PRIMARY_PATIENCE
    if not seen.multi_az or seen.replication is Replication.NONE:
        if primary_lost and not seen.primary_runs:
            return Action.RESTART
        if seen.multi_az and not primary_lost and seen.now - seen.built >= BUILD_PAUSE:
            return Action.BUILD
        return Action.WAIT
    if primary_lost or not seen.primary_runs:
        if seen.replication is Replication.IN_SYNC and seen.standby_runs and seen.standby_reachable:
            return Action.PROMOTE
        if not seen.primary_runs:
            return Action.RESTART
        return Action.WAIT
    standby_lost = seen.now - seen.standby_seen >= STANDBY_PATIENCE or not seen.standby_runs
    if seen.replication is Replication.IN_SYNC:
        return Action.DETACH if standby_lost else Action.WAIT
    return _resync(seen, standby_lost)


def _resync(seen: Observation, standby_lost: bool) -> Action:
    if not standby_lost:
        return Action.ATTACH
    quiet = seen.now - max(seen.standby_seen, seen.built)
    if not seen.standby_exists or not seen.standby_runs:
        return Action.BUILD if seen.now - seen.built >= BUILD_PAUSE else Action.WAIT
    if seen.standby_reachable and quiet >= STREAM_PATIENCE:
        return Action.BUILD
    return Action.WAIT
