"""What is on disk before a database's hosts are changed: a process may die at any point."""

from types import SimpleNamespace

import pytest

from localcloud.services.rds.cluster import Cluster, Deployment
from localcloud.services.rds.failover import Replication


class Hosts(Cluster):
    """A cluster whose hosts note what is done to them, with what is on disk by then."""

    def __init__(self, replication=Replication.IN_SYNC, recovers=()):
        self.log = []
        self.disk = None
        self.alive = {"one", "two"}
        self.recovers = set(recovers)
        self.replicates = {"state": "streaming", "sync_state": "sync"}
        appliances = SimpleNamespace(
            cloud=SimpleNamespace(save=self.save),
            kill=lambda host: self.note("kill", host.id),
            remove=lambda host: self.note("remove", host.id),
            running=lambda host: host.id in self.alive,
        )
        hosts = [SimpleNamespace(id=name, zone=name) for name in ("one", "two")]
        deployment = Deployment(hosts[0], hosts[1], replication)
        super().__init__(appliances, None, SimpleNamespace(deployment=deployment))
        self.save()
        self.log.clear()

    def save(self):
        self.disk = (self.deployment.primary.id, self.deployment.replication)

    def note(self, *words):
        self.log.append((*words, *self.disk))

    def _configure(self, server, wait_for=None):
        self.note("configure", server.host.id)

    def _replication(self, column):
        return self.replicates[column]

    def _server(self, host):
        return SimpleNamespace(
            host=host,
            stop=lambda: self.note("stop", host.id),
            execute=lambda *_: None,
            value=lambda _: host.id in self.recovers,
            promote=lambda: self.promoted(host.id),
        )

    def promoted(self, name):
        self.note("promote", name)
        self.recovers.discard(name)


def test_a_standby_is_no_longer_trusted_on_disk_before_the_primary_goes_on_without_it():
    hosts = Hosts()
    hosts.detach()
    assert hosts.log == [("configure", "one", "one", Replication.SYNCING)]


def test_the_new_primary_is_known_on_disk_before_it_takes_commits():
    hosts = Hosts(recovers={"two"})
    hosts.promote(in_order=False)
    assert ("promote", "two", "two", Replication.NONE) in hosts.log
    assert hosts.log[0] == ("kill", "one", "one", Replication.IN_SYNC)


def test_a_promotion_that_fails_can_be_tried_again():
    hosts = Hosts(recovers={"two"})
    hosts.promoted = lambda name: 1 / 0
    with pytest.raises(ZeroDivisionError):
        hosts.promote(in_order=False)
    assert hosts.deployment.primary.id == "one"
    assert hosts.deployment.replication is Replication.IN_SYNC


def test_after_a_crash_no_standby_is_trusted_and_the_primary_waits_for_none():
    hosts = Hosts()
    hosts.take_over()
    assert hosts.log == [("configure", "one", "one", Replication.SYNCING)]


def test_a_promotion_that_a_crash_cut_off_is_finished():
    hosts = Hosts(Replication.NONE, recovers={"one"})
    hosts.deployment.standby = None
    hosts.take_over()
    assert hosts.log[-1] == ("promote", "one", "one", Replication.NONE)


def test_after_a_crash_a_dead_primary_is_left_to_the_reconciler():
    hosts = Hosts()
    hosts.alive.discard("one")
    hosts.take_over()
    assert hosts.log == []
    assert hosts.disk == ("one", Replication.SYNCING)


def test_a_trusted_standby_must_be_waited_for_not_only_stream():
    hosts = Hosts()
    assert hosts.standby_follows()
    hosts.replicates["sync_state"] = "async"
    assert not hosts.standby_follows()
    hosts.deployment.replication = Replication.SYNCING
    assert hosts.standby_follows()
