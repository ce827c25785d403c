"""Environments that are kept."""

import time

import pytest
from unit.localcloud.lambdas import create, error, invoke

from localcloud.services.functions import fleet
from localcloud.services.functions.environment import StillbornError
from localcloud.services.functions.functions import Functions
from localcloud.services.functions.provisioned import ProvisionedConcurrency

LIVE = {"FunctionName": "hello", "Qualifier": "live"}


@pytest.fixture
def live(functions, role):
    """`hello` with an alias `live`, which leads to its version 1."""
    create(functions, role)
    functions.publish_version(FunctionName="hello")
    functions.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    return functions


def status(functions, wanted="READY"):
    give_up = time.monotonic() + 10
    while True:
        shown = functions.get_provisioned_concurrency_config(**LIVE)
        if shown["Status"] == wanted:
            return shown
        assert time.monotonic() < give_up, shown
        time.sleep(0.01)


def provide(functions, count=2):
    return functions.put_provisioned_concurrency_config(
        **LIVE, ProvisionedConcurrentExecutions=count
    )


def test_they_start_before_anybody_asks_and_stay(live, environments, cloud, monkeypatch):
    said = provide(live)
    assert (said["ResponseMetadata"]["HTTPStatusCode"], said["Status"]) == (202, "IN_PROGRESS")
    shown = status(live)
    assert shown["AvailableProvisionedConcurrentExecutions"] == 2
    assert [(each.kept, each.prepared, each.plan.version) for each in environments] == [
        (True, True, "1")
    ] * 2
    invoke(live, "live")
    assert len(environments) == 2
    invoke(live)  # the newest code has none of them
    assert len(environments) == 3
    monkeypatch.setattr(fleet, "IDLE_SECONDS", -1)
    cloud.service(Functions).fleet.trim()
    assert [each.removed for each in environments] == [False, False, True]
    (listed,) = live.list_provisioned_concurrency_configs(FunctionName="hello")[
        "ProvisionedConcurrencyConfigs"
    ]
    assert listed["FunctionArn"].endswith(":function:hello:live")
    environments[0].alive = False  # it died: another takes its place
    cloud.service(Functions).fleet.trim()
    cloud.service(ProvisionedConcurrency).reconcile()
    status(live)
    assert len(environments) == 4
    live.delete_provisioned_concurrency_config(**LIVE)
    cloud.service(Functions).fleet.trim()
    assert all(each.removed for each in environments)
    gone = error(live.get_provisioned_concurrency_config, **LIVE)
    assert gone[:2] == (404, "ProvisionedConcurrencyConfigNotFoundException")


def test_they_follow_an_alias(live, environments, cloud):
    provide(live, 1)
    status(live)
    live.update_function_configuration(FunctionName="hello", Description="new")
    live.publish_version(FunctionName="hello")
    live.update_alias(FunctionName="hello", Name="live", FunctionVersion="2")
    cloud.service(ProvisionedConcurrency).reconcile()
    status(live)
    assert [each.plan.version for each in environments] == ["1", "2"]
    assert [each.provisioned for each in environments] == [False, True]


def test_what_cannot_initialise_is_told(live, environments, cloud, monkeypatch):
    def fail(environment):
        raise StillbornError("no module named shop")

    monkeypatch.setattr("unit.localcloud.lambdas.FakeEnvironment.prepare", fail)
    provide(live)
    assert status(live, "FAILED")["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert all(each.removed for each in environments)
    assert cloud.service(Functions).fleet.slots() == set()


def test_they_outlive_the_process(make_cloud, live, environments, monkeypatch):
    provide(live, 1)
    status(live)
    cloud = make_cloud()
    environments.cloud = cloud
    service = cloud.service(ProvisionedConcurrency)
    service.reconcile()
    service._thread.join(5)
    assert len(environments) == 2


@pytest.mark.parametrize(
    ("count", "qualifier", "reserved", "words"),
    [
        (1, "$LATEST", None, "unpublished function versions"),
        (1, "newest", None, "unpublished function versions"),
        (3, "live", 2, "should not be greater than the reservedConcurrentExecution"),
        (901, "live", None, "below its minimum value of [100]"),
        (29, "live", None, "29 at once"),
        (1, "1", None, "leads to a version"),
    ],
)
def test_what_cannot_be_is_refused(live, count, qualifier, reserved, words):
    live.create_alias(FunctionName="hello", Name="newest", FunctionVersion="$LATEST")
    if reserved:
        live.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=reserved)
    if qualifier == "1":
        provide(live, 1)
    said = error(
        live.put_provisioned_concurrency_config,
        FunctionName="hello", Qualifier=qualifier, ProvisionedConcurrentExecutions=count,
    )  # fmt: skip
    assert words in said[2]


def test_they_count_against_what_can_be_reserved(live):
    provide(live, 2)
    said = error(
        live.put_function_concurrency, FunctionName="hello", ReservedConcurrentExecutions=1
    )
    assert "lower than its provisioned concurrency of [2]" in said[2]
