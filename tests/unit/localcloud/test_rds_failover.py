from dataclasses import replace

import pytest

from localcloud.services.rds.failover import (
    BUILD_PAUSE,
    PRIMARY_PATIENCE,
    STANDBY_PATIENCE,
    STREAM_PATIENCE,
    Action,
    Observation,
    Replication,
    decide,
)

HEALTHY = Observation(
    now=1000.0,
    multi_az=True,
    replication=Replication.IN_SYNC,
    primary_runs=True,
    primary_seen=1000.0,
    standby_exists=True,
    standby_runs=True,
    standby_reachable=True,
    standby_seen=1000.0,
    built=0.0,
)
LOST = 1000.0 - max(PRIMARY_PATIENCE, STANDBY_PATIENCE)


def test_a_healthy_pair_is_left_alone():
    assert decide(HEALTHY) is Action.WAIT


def test_a_short_silence_is_no_failure():
    assert decide(replace(HEALTHY, primary_seen=1000.0 - PRIMARY_PATIENCE / 2)) is Action.WAIT
    assert decide(replace(HEALTHY, standby_seen=1000.0 - STANDBY_PATIENCE / 2)) is Action.WAIT


@pytest.mark.parametrize("changes", [{"primary_runs": False}, {"primary_seen": LOST}])
def test_a_lost_primary_is_followed_by_its_standby(changes):
    assert decide(replace(HEALTHY, **changes)) is Action.PROMOTE


@pytest.mark.parametrize("standby", [{"standby_runs": False}, {"standby_reachable": False}])
def test_a_standby_that_cannot_serve_is_not_promoted(standby):
    seen = replace(HEALTHY, primary_seen=LOST, **standby)
    assert decide(seen) is Action.WAIT
    assert decide(replace(seen, primary_runs=False)) is Action.RESTART


@pytest.mark.parametrize("primary_runs", [True, False])
def test_a_standby_that_may_lack_commits_is_never_promoted(primary_runs):
    seen = replace(
        HEALTHY, replication=Replication.SYNCING, primary_seen=LOST, primary_runs=primary_runs
    )
    assert decide(seen) is (Action.WAIT if primary_runs else Action.RESTART)


@pytest.mark.parametrize("changes", [{"standby_runs": False}, {"standby_seen": LOST}])
def test_the_primary_goes_on_alone_when_its_standby_is_lost(changes):
    assert decide(replace(HEALTHY, **changes)) is Action.DETACH


def test_a_standby_that_streams_is_waited_for():
    assert decide(replace(HEALTHY, replication=Replication.SYNCING)) is Action.ATTACH


def test_a_dead_standby_is_made_anew_but_not_in_a_hurry():
    dead = replace(HEALTHY, replication=Replication.SYNCING, standby_runs=False, standby_seen=LOST)
    assert decide(replace(dead, built=1000.0 - BUILD_PAUSE / 2)) is Action.WAIT
    assert decide(replace(dead, built=1000.0 - BUILD_PAUSE)) is Action.BUILD


def test_a_standby_cut_off_keeps_its_data_until_it_is_back():
    cut = replace(
        HEALTHY,
        replication=Replication.SYNCING,
        standby_reachable=False,
        standby_seen=1000.0 - 10 * STREAM_PATIENCE,
    )
    assert decide(cut) is Action.WAIT
    assert decide(replace(cut, standby_reachable=True)) is Action.BUILD


def test_a_single_az_database_is_started_again():
    single = replace(
        HEALTHY,
        multi_az=False,
        replication=Replication.NONE,
        standby_exists=False,
        standby_runs=False,
        standby_reachable=False,
    )
    assert decide(single) is Action.WAIT
    assert decide(replace(single, primary_runs=False, primary_seen=LOST)) is Action.RESTART
    # busy, but there: users see errors, and restarting would not help them
    assert decide(replace(single, primary_seen=LOST)) is Action.WAIT


def test_after_a_failover_a_new_standby_is_made():
    promoted = replace(HEALTHY, replication=Replication.NONE, standby_exists=False)
    assert decide(promoted) is Action.BUILD
