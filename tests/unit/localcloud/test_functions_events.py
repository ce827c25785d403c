"""What is invoked and not waited for: how often it is tried, and who hears how it ended."""

import json
import time

import pytest
from unit.localcloud.lambdas import create, error

from localcloud.services.functions import events
from localcloud.services.functions.environment import Outcome
from localcloud.services.functions.invocations import Invocations
from localcloud.services.functions.runtime_api import Answer
from tests import policies

FAILURE = b'{"errorMessage": "as it was told", "errorType": "ValueError"}'


@pytest.fixture
def may(api, role):
    """Let the function's role make calls."""

    def let(*actions):
        api.client("iam").put_role_policy(
            RoleName="fn", PolicyName="more", PolicyDocument=policies.policy(list(actions))
        )

    return let


@pytest.fixture
def failing(environments, monkeypatch):
    """The next three runs fail, one after the other."""
    monkeypatch.setattr(events, "RETRY_SECONDS", (0, 0))
    environments.answers += [lambda *_: Outcome(Answer(FAILURE, failed=True))] * 3


def finish(cloud):
    service = cloud.service(Invocations)
    give_up = time.monotonic() + 10
    while service.queue.events:
        assert time.monotonic() < give_up
        service.reconcile()
        time.sleep(0.01)


def told(api, cloud) -> str:
    """The mail to ops@example.com."""
    finish(cloud)
    return "\n".join(each.read_text() for each in (cloud.settings.state / "mail").iterdir())


def subscribed(api, cloud) -> str:
    sns = api.client("sns")
    topic = sns.create_topic(Name="ops")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="ops@example.com")
    for each in cloud.backend("sns").subscriptions.values():
        each.confirmed = True
    return topic


def test_a_failure_goes_to_a_bucket(functions, role, api, cloud, may, failing):
    api.client("s3").create_bucket(Bucket="lost")
    may("s3:PutObject")
    create(functions, role)
    where = {"OnFailure": {"Destination": "arn:aws:s3:::lost"}}
    functions.put_function_event_invoke_config(FunctionName="hello", DestinationConfig=where)
    functions.invoke(FunctionName="hello", InvocationType="Event", Payload=b'{"n": 1}')
    finish(cloud)
    (found,) = api.client("s3").list_objects_v2(Bucket="lost")["Contents"]
    assert found["Key"].startswith("aws/lambda/async/hello/2")
    record = json.load(api.client("s3").get_object(Bucket="lost", Key=found["Key"])["Body"])
    assert record["requestContext"] | {"requestId": ""} == {
        "requestId": "", "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:hello:"
        "$LATEST", "condition": "RetriesExhausted", "approximateInvokeCount": 3,
    }  # fmt: skip
    assert (record["requestPayload"], record["responsePayload"]["errorType"]) == (
        {"n": 1}, "ValueError",
    )  # fmt: skip
    assert record["responseContext"] == {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
    }  # fmt: skip


def test_a_success_goes_to_another_function(functions, role, cloud, may, environments):
    may("lambda:InvokeFunction")
    create(functions, role)
    other = create(functions, role, "other")["FunctionArn"]
    functions.put_function_event_invoke_config(
        FunctionName="hello", DestinationConfig={"OnSuccess": {"Destination": other}}
    )
    functions.invoke(FunctionName="hello", InvocationType="Event", Payload=b'{"n": 1}')
    finish(cloud)
    assert [each.plan.function for each in environments] == ["hello", "other"]


def test_a_dead_letter_is_the_event(functions, role, api, cloud, may, failing):
    topic = subscribed(api, cloud)
    refused = error(create, functions, role, DeadLetterConfig={"TargetArn": topic})
    assert "does not have permissions to call Publish" in refused[2]
    may("sns:Publish")
    made = create(functions, role, DeadLetterConfig={"TargetArn": topic})
    assert made["DeadLetterConfig"] == {"TargetArn": topic}
    functions.invoke(FunctionName="hello", InvocationType="Event", Payload=b'{"letter": 1}')
    assert '{\\"letter\\": 1}' in told(api, cloud)


def test_what_is_too_old_is_told_too(functions, role, api, cloud, may, environments):
    topic = subscribed(api, cloud)
    may("sns:Publish")
    create(functions, role)
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=0)
    functions.put_function_event_invoke_config(
        FunctionName="hello", MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )  # fmt: skip
    functions.invoke(FunctionName="hello", InvocationType="Event")
    for each in cloud.service(Invocations).queue.events.values():
        each.accepted -= 61
        each.due = 0
    assert "EventAgeExceeded" in told(api, cloud)
    assert environments == []


def test_a_configuration_is_of_one_qualifier(functions, role):
    create(functions, role)
    functions.publish_version(FunctionName="hello")
    functions.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    functions.put_function_event_invoke_config(
        FunctionName="hello", Qualifier="live", MaximumRetryAttempts=1
    )
    functions.update_function_event_invoke_config(
        FunctionName="hello", Qualifier="live", MaximumEventAgeInSeconds=60
    )
    found = functions.get_function_event_invoke_config(FunctionName="hello", Qualifier="live")
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 60)
    missing = error(functions.get_function_event_invoke_config, FunctionName="hello")
    assert missing[1] == "ResourceNotFoundException"
    listed = functions.list_function_event_invoke_configs(FunctionName="hello")
    assert [each["FunctionArn"].rpartition(":")[2]
            for each in listed["FunctionEventInvokeConfigs"]] == ["live"]  # fmt: skip
    functions.delete_function_event_invoke_config(FunctionName="hello", Qualifier="live")
    listed = functions.list_function_event_invoke_configs(FunctionName="hello")
    assert listed["FunctionEventInvokeConfigs"] == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:x"}}, "refuses"),
        ({"OnSuccess": {"Destination": "arn:aws:s3:::lost"}}, "refuses"),
        ({"OnSuccess": {"Destination": "arn:aws:sns:us-east-1:123456789012:x"}}, "is invalid"),
    ],
)
def test_destinations_that_are_not_there_are_refused(functions, role, config, words):
    create(functions, role)
    said = error(functions.put_function_event_invoke_config, FunctionName="hello",
                 DestinationConfig=config)  # fmt: skip
    assert words in said[2]
