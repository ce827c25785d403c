"""Once a minute everything is measured, beside the reconciler."""

import threading
from datetime import UTC, datetime

import pytest

from localcloud.services.cloudwatch.measuring import Measuring
from localcloud.services.cloudwatch.metrics import Metrics
from localcloud.services.cloudwatch.sources.base import Source

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp()


class Requests(Source):
    """Three a minute."""

    namespace = "AWS/Test"

    def measure(self, at):
        yield self.point("Requests", {"Site": "shop"}, 3, "Count", at)


class Broken(Source):
    namespace = "AWS/Broken"

    def measure(self, at):
        raise OSError("no answer")


class Stuck(Source):
    """Answers when it is told to."""

    namespace = "AWS/Stuck"
    go = threading.Event()

    def measure(self, at):
        self.go.wait(10)
        return iter(())


@pytest.fixture
def measuring(cloud):
    return cloud.service(Measuring)


def use(measuring, *sources):
    measuring._sources = [source(measuring.cloud) for source in sources]


def finish(measuring):
    measuring._thread.join(10)


def published(cloud) -> list:
    found = cloud.service(Metrics).statistics(
        "AWS/Test", "Requests", {"Site": "shop"}, 60, "Sum",
        datetime.fromtimestamp(NOON - 600, UTC), datetime.fromtimestamp(NOON + 600, UTC),
    )  # fmt: skip
    return [(at.timestamp() - NOON, value) for at, value in found]


def test_a_minute_is_published_when_it_is_over(cloud, measuring):
    use(measuring, Broken, Requests)
    for seconds in (-5, -1, 0.5, 1.5, 30, 60.2):
        cloud.service(Metrics).clock = lambda seconds=seconds: NOON + seconds
        measuring.reconcile()
        finish(measuring)
    # at -5 counters were read, and nothing was published
    assert published(cloud) == [(-60, 3), (0, 3)]


def test_the_reconciler_does_not_wait(cloud, measuring):
    use(measuring, Stuck)
    cloud.service(Metrics).clock = lambda: NOON
    measuring.reconcile()
    first = measuring._thread
    cloud.service(Metrics).clock = lambda: NOON + 60
    measuring.reconcile()
    assert measuring._thread is first
    Stuck.go.set()
    finish(measuring)
    measuring.reconcile()
    assert measuring._thread is not first
    finish(measuring)
