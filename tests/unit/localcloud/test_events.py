"""EventBridge's rules: when their time is, and what they tell functions then."""

import json
from datetime import UTC, datetime

import pytest
from unit.localcloud.lambdas import create, error

from localcloud.services.events import schedule
from localcloud.services.events.rules import Rules
from localcloud.services.functions.invocations import Invocations


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", "2026-11-29 12:31:20"),
        ("rate(36 hours)", "2026-12-01 00:30:20"),
        ("cron(* * * * ? *)", "2026-11-29 12:31:00"),
        ("cron(0/15 * * * ? *)", "2026-11-29 12:45:00"),
        ("cron(30 12 * * ? *)", "2026-11-30 12:30:00"),
        ("cron(0 10 ? * MON-FRI *)", "2026-11-30 10:00:00"),
        ("cron(0 10 ? * 7 *)", "2026-12-05 10:00:00"),
        ("cron(0 10 ? * fri-mon *)", "2026-11-30 10:00:00"),
        ("cron(0 8 1 * ? *)", "2026-12-01 08:00:00"),
        ("cron(0 8 29 FEB ? *)", "2028-02-29 08:00:00"),
        ("cron(5,10 8-9 * * ? 2027)", "2027-01-01 08:05:00"),
        ("cron(0 8 * * ? 2020)", None),
    ],
)
def test_the_next_time(expression, expected):
    found = schedule.after(expression, at("2026-11-29 12:30:20"))
    assert found == (at(expected) if expected else None)


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(5 seconds)", "at(now)",
        "cron(0 8 * * * *)", "cron(0 8 ? * ? *)", "cron(60 8 * * ? *)", "cron(0 8 * * ?)",
        "cron(0 8 0 * ? *)", "cron(0/0 8 * * ? *)", "cron(0 8 ? * FUNDAY *)",
    ],
)  # fmt: skip
def test_no_times(expression):
    with pytest.raises(schedule.ScheduleError):
        schedule.check(expression)


@pytest.fixture
def clock(monkeypatch):
    now = [at("2026-11-29 12:30:20")]
    monkeypatch.setattr(Rules, "clock", staticmethod(lambda: now[0]))
    return now


@pytest.fixture
def events(api, functions, role, clock):
    """A rule `sweep`, every five minutes, that may invoke `hello`, which never has room."""
    client = api.client("events")
    arn = create(functions, role)["FunctionArn"]
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=0)
    rule = client.put_rule(Name="sweep", ScheduleExpression="rate(5 minutes)")["RuleArn"]
    functions.add_permission(
        FunctionName="hello", StatementId="events", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule,
    )  # fmt: skip
    client.put_targets(Rule="sweep", Targets=[{"Id": "1", "Arn": arn}])
    return client


@pytest.fixture
def fired(cloud, clock):
    """Let seconds go by; what functions were told then."""

    def wait(seconds):
        clock[0] += seconds
        cloud.service(Rules).reconcile()
        waiting = cloud.service(Invocations).queue.events
        found = [json.loads(each.payload) for each in waiting.values()]
        waiting.clear()
        return found

    return wait


def test_a_rule_fires_at_its_time(events, fired, cloud):
    assert fired(299) == []
    (event,) = fired(1)
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-29T12:35:20Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/sweep"],
        "detail": {},
    }
    assert (len(fired(0)), len(fired(299)), len(fired(1))) == (0, 0, 1)
    assert len(fired(7200)) == 1  # not one for each that was missed
    (row,) = (each for each in cloud.rows() if each.kind == "rule")
    assert (row.state, row.address, row.real) == ("enabled", "hello", "next at "
                                                  "2026-11-29 14:45:20 UTC")  # fmt: skip


def test_a_rule_is_disabled_changed_and_deleted(events, fired, functions):
    events.disable_rule(Name="sweep")
    assert fired(600) == []
    events.enable_rule(Name="sweep")
    assert (len(fired(299)), len(fired(1))) == (0, 1)
    events.put_rule(Name="sweep", ScheduleExpression="cron(0 13 * * ? *)")
    arn = functions.get_function(FunctionName="hello")["Configuration"]["FunctionArn"]
    events.put_targets(Rule="sweep", Targets=[{"Id": "1", "Arn": arn, "Input": '{"do": "it"}'}])
    assert fired(3600) == [{"do": "it"}]
    assert "has targets" in error(events.delete_rule, Name="sweep")[2]
    events.remove_targets(Rule="sweep", Ids=["1"])
    assert fired(86400) == []
    events.delete_rule(Name="sweep")
    assert events.list_rules()["Rules"] == []


def test_a_function_that_does_not_let_it_is_not_invoked(events, fired, functions):
    functions.remove_permission(FunctionName="hello", StatementId="events")
    assert fired(300) == []


def test_rules_outlive_the_process(events, make_cloud, clock):
    cloud = make_cloud()
    clock[0] += 300
    cloud.service(Rules).reconcile()
    assert len(cloud.service(Invocations).queue.events) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"EventPattern": '{"source": ["aws.ec2"]}'}, "EventPattern"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ScheduleExpression is not valid"),
        ({"ScheduleExpression": "cron(0 8 L * ? *)"}, "does not know"),
        ({"ScheduleExpression": "cron(0 8 ? * MON#1 *)"}, "does not know"),
        ({"ScheduleExpression": "rate(1 day)", "RoleArn": "arn:aws:iam::123456789012:role/x"},
         "RoleArn"),
        ({"ScheduleExpression": "rate(1 day)", "EventBusName": "mine"}, "does not exist|only on"),
    ],
)  # fmt: skip
def test_rules_that_would_do_nothing_are_refused(api, options, words):
    said = error(api.client("events").put_rule, Name="x", **options)[2]
    assert any(each in said for each in words.split("|"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:x"}, "functions only"),
        ({"InputPath": "$.time"}, "InputPath"),
        ({"RetryPolicy": {"MaximumRetryAttempts": 1}}, "RetryPolicy"),
        ({"Input": "{"}, "JSON syntax error"),
    ],
)
def test_targets_that_are_not_there_are_refused(events, target, words):
    made = {"Id": "2", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:hello", **target}
    assert words in error(events.put_targets, Rule="sweep", Targets=[made])[2]


def test_a_rule_has_five_targets(events):
    arn = "arn:aws:lambda:us-east-1:123456789012:function:hello"
    events.put_targets(Rule="sweep", Targets=[{"Id": str(n), "Arn": arn} for n in range(1, 6)])
    more = [{"Id": "6", "Arn": arn}]
    assert error(events.put_targets, Rule="sweep", Targets=more)[1] == "LimitExceededException"
