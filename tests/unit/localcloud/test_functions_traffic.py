"""What CloudWatch hears of functions."""

import threading

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.lambdas import create, invoke
from unit.localcloud.test_cloudwatch_sources import told

from localcloud.services.cloudwatch.sources.functions import FunctionMetrics
from localcloud.services.functions.environment import Outcome
from localcloud.services.functions.invocations import Invocations
from localcloud.services.functions.runtime_api import Answer
from localcloud.services.functions.traffic import Traffic, subjects

NOON = 1_764_417_600


def test_a_run_is_counted_under_all_its_names():
    assert subjects("shop", None, "$LATEST") == [
        (), (("FunctionName", "shop"),), (("FunctionName", "shop"), ("Resource", "shop")),
    ]  # fmt: skip
    assert subjects("shop", "3", "3")[-1][1] == ("Resource", "shop:3")
    assert subjects("shop", "live", "3")[-1] == (
        ("FunctionName", "shop"), ("Resource", "shop:live"), ("ExecutedVersion", "3"),
    )  # fmt: skip


def test_what_goes_on_is_told_of_every_minute():
    now = [NOON]
    traffic = Traffic(lambda: now[0])
    with traffic.running([()]), traffic.running([()]):
        now[0] += 61
        (first,) = traffic.take(NOON + 60).values()
        now[0] += 60
        (second,) = traffic.take(NOON + 120).values()
    assert (first.most, second.most) == (2, 2)
    traffic.take(NOON + 180)
    now[0] += 60
    assert traffic.take(NOON + 240) == {}


def test_metrics_of_functions(cloud, functions, role, environments):
    traffic = cloud.service(Invocations).traffic
    traffic._clock = lambda: NOON
    create(functions, role)
    functions.publish_version(FunctionName="hello")
    functions.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    invoke(functions)
    environments.answers.append(lambda *_: Outcome(Answer(b"{}", failed=True), duration=4))
    invoke(functions, "live")
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=1)
    begun, end = threading.Event(), threading.Event()

    def slow(environment, payload):
        begun.set()
        end.wait(5)
        return Outcome(Answer(b"1"), duration=10)

    environments.answers.append(slow)
    thread = threading.Thread(target=invoke, args=(functions,))
    thread.start()
    begun.wait(5)
    with pytest.raises(ClientError):
        invoke(functions)
    end.set()
    thread.join()
    found = told(FunctionMetrics(cloud).measure(NOON))
    for names in ((), ("hello",)):
        assert {
            name: found[(name, *names)]
            for name in ("Invocations", "Errors", "Duration", "Throttles", "ConcurrentExecutions")
        } == {
            "Invocations": 3, "Errors": 1, "Duration": 15.5, "Throttles": 1,
            "ConcurrentExecutions": 1,
        }  # fmt: skip
    live = {key for key in found if "hello:live" in key and found[key]}
    assert ("Errors", "hello", "hello:live") in live
    assert any("Errors" in key and "1" in key for key in live)  # of the version that it led to
    assert found["Throttles", "hello", "hello"] == 1
    assert list(FunctionMetrics(cloud).measure(NOON + 60)) == []
