"""The modules for versions and aliases of functions: against moto's Lambda, and written answers."""

import hashlib
import io
import time
import zipfile

import boto3
import pytest
from moto import mock_aws

from tests import policies
from tests.unit.ansible.aws import Failed, stubbed

BUCKET = "shop-packages"


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield {
            name: boto3.client(name, region_name="us-east-1")
            for name in ("lambda", "s3", "iam", "cloudwatch")
        }


def packed(text):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo("shop.py"), text)
    return data.getvalue()


@pytest.fixture
def release(aws):
    """Options of a version whose code is a text."""
    aws["s3"].create_bucket(Bucket=BUCKET)
    role = aws["iam"].create_role(RoleName="shop", AssumeRolePolicyDocument=policies.FUNCTIONS)

    def release(text, **more):
        body = packed(text)
        digest = hashlib.sha256(body).hexdigest()
        aws["s3"].put_object(Bucket=BUCKET, Key=f"{digest}.zip", Body=body)
        return {
            "name": "shop-pages",
            "code": {"bucket": BUCKET, "key": f"{digest}.zip", "sha256": digest},
            "handler": "shop.handler",
            "role": role["Role"]["Arn"],
            "memory_size": 512,
            "timeout": 30,
            "ephemeral_storage": 1024,
            "environment": {"SITE_URL": "https://shop.example.com", "NUMBER": 1},
            "description": text,
            "tags": {"Project": "shop"},
        } | more

    return release


def keep(run, aws, options, check_mode=False):
    return run("lambda_function_version", aws, check_mode, **options)


def versions(aws):
    found = aws["lambda"].list_versions_by_function(FunctionName="shop-pages")["Versions"]
    return {each["Version"]: each for each in found}


def test_a_function_is_made_as_it_is_wanted_and_stays(run, aws, release):
    options = release("one", reserved_concurrency=7)
    announced = keep(run, aws, options, check_mode=True)
    assert (announced["changed"], announced["version"]) == (True, "")
    assert aws["lambda"].list_functions()["Functions"] == []

    made = keep(run, aws, options)

    assert (made["changed"], made["version"]) == (True, "1")
    version = versions(aws)["1"]
    assert made["arn"] == version["FunctionArn"].removesuffix(":1")
    assert version["Handler"] == "shop.handler"
    assert (version["MemorySize"], version["Timeout"]) == (512, 30)
    assert version["EphemeralStorage"] == {"Size": 1024}
    assert version["Environment"]["Variables"]["NUMBER"] == "1"
    reserved = aws["lambda"].get_function_concurrency(FunctionName="shop-pages")
    assert reserved["ReservedConcurrentExecutions"] == 7
    assert aws["lambda"].list_tags(Resource=made["arn"])["Tags"] == {"Project": "shop"}
    again = keep(run, aws, options)
    assert (again["changed"], again["version"]) == (False, "1")
    assert again["diff"]["before"] == again["diff"]["after"]


@pytest.mark.parametrize(
    "change",
    [{"timeout": 20}, {"environment": {}}, {"memory_size": 1769}],
)
def test_another_configuration_is_another_version(run, aws, release, change):
    keep(run, aws, release("one"))

    assert keep(run, aws, release("one", **change))["version"] == "2"
    assert not keep(run, aws, release("one", **change))["changed"]


def test_back_to_a_version_that_there_is_nothing_is_made(run, aws, release):
    keep(run, aws, release("one"))
    assert keep(run, aws, release("two"))["version"] == "2"

    back = keep(run, aws, release("one"))

    assert (back["changed"], back["version"]) == (False, "1")
    assert sorted(versions(aws)) == ["$LATEST", "1", "2"]


def test_its_description_alone_makes_no_version(run, aws, release):
    keep(run, aws, release("one"))

    assert not keep(run, aws, release("one", description="another"))["changed"]


def test_what_is_reserved_can_be_given_back(run, aws, release):
    keep(run, aws, release("one", reserved_concurrency=7))
    assert not keep(run, aws, release("one"))["changed"]

    back = keep(run, aws, release("one", reserved_concurrency=-1))

    assert back["changed"]
    assert back["diff"]["before"]["reserved_concurrency"] == 7
    reserved = aws["lambda"].get_function_concurrency(FunctionName="shop-pages")
    assert "ReservedConcurrentExecutions" not in reserved


def test_versions_that_nobody_needs_go_and_those_of_aliases_stay(run, aws, release):
    for text in ("one", "two", "three", "four"):
        keep(run, aws, release(text))
    run("lambda_alias_move", aws, function="shop-pages", name="live", version="1")

    assert keep(run, aws, release("four", keep=1), check_mode=True)["deleted"] == ["2"]
    pruned = keep(run, aws, release("four", keep=1))

    assert (pruned["changed"], pruned["deleted"]) == (True, ["2"])
    assert sorted(versions(aws)) == ["$LATEST", "1", "3", "4"]


def test_a_function_goes_with_its_versions(run, aws, release):
    keep(run, aws, release("one"))
    gone = run("lambda_function_version", aws, name="shop-pages", state="absent")

    assert (gone["changed"], gone["deleted"]) == (True, ["1"])
    assert aws["lambda"].list_functions()["Functions"] == []
    assert not run("lambda_function_version", aws, name="shop-pages", state="absent")["changed"]


def test_a_role_that_aws_does_not_know_yet_is_waited_for(run):
    client, stubber = stubbed("lambda")
    stubber.add_client_error("list_versions_by_function", "ResourceNotFoundException")
    stubber.add_client_error(
        "create_function",
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    stubber.add_response("create_function", {})
    stubber.add_response("get_function", {"Configuration": {"State": "Active"}})
    arn = "arn:aws:lambda:us-east-1:123456789012:function:shop-pages:1"
    stubber.add_response("publish_version", {"Version": "1", "FunctionArn": arn})
    stubber.add_response("get_function_concurrency", {})
    stubber.add_response("list_tags", {"Tags": {}})

    made = run(
        "lambda_function_version",
        client,
        name="shop-pages",
        code={"bucket": BUCKET, "key": "x.zip", "sha256": "00" * 32},
        handler="shop.handler",
        role="arn:aws:iam::123456789012:role/shop",
    )

    assert made["version"] == "1"
    stubber.assert_no_pending_responses()


def test_what_is_wrong_otherwise_is_not_tried_again(run):
    client, stubber = stubbed("lambda")
    stubber.add_client_error("list_versions_by_function", "ResourceNotFoundException")
    stubber.add_client_error("create_function", "InvalidParameterValueException", "no such runtime")

    with pytest.raises(Failed, match=r"Cannot keep the function shop-pages.*no such runtime"):
        run(
            "lambda_function_version",
            client,
            name="shop-pages",
            code={"bucket": BUCKET, "key": "x.zip", "sha256": "00" * 32},
            handler="shop.handler",
            role="arn:aws:iam::123456789012:role/shop",
        )


# --- aliases -----------------------------------------------------------------------------------


@pytest.fixture
def two_versions(run, aws, release):
    for text in ("one", "two"):
        keep(run, aws, release(text))


def move(run, aws, version, check_mode=False, **more):
    named = {"function": "shop-pages", "name": "live", "version": version}
    return run("lambda_alias_move", aws, check_mode, **named | more)


def live(aws):
    found = aws["lambda"].get_alias(FunctionName="shop-pages", Name="live")
    weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    return found["FunctionVersion"], weights


@pytest.mark.usefixtures("two_versions")
def test_an_alias_is_made_moved_and_led_back(run, aws):
    assert move(run, aws, "1", check_mode=True)["changed"]
    assert aws["lambda"].list_aliases(FunctionName="shop-pages")["Aliases"] == []
    made = move(run, aws, "1")
    assert made["arn"].endswith(":shop-pages:live")
    assert made["previous"] == ""
    assert not move(run, aws, "1")["changed"]

    moved = move(run, aws, "2")

    assert (moved["previous"], live(aws)) == ("1", ("2", {}))
    assert moved["diff"] == {"before": {"1": 100}, "after": {"2": 100}}
    assert move(run, aws, "1")["previous"] == "2"
    assert run("lambda_alias_move", aws, function="shop-pages", name="live", state="absent")[
        "changed"
    ]


def back(run, aws, description, check_mode=False):
    options = {"function": "shop-pages", "name": "live", "description": description}
    return run("lambda_alias_move", aws, check_mode, **options)


def test_back_is_to_the_newest_version_before_that_is_of_the_release(run, aws, release):
    for text, timeout in (("one", 30), ("one", 31), ("two", 30), ("one", 32)):
        keep(run, aws, release(text, timeout=timeout))
    assert not back(run, aws, "one")["changed"]  # nobody is led anywhere yet
    move(run, aws, "3")
    assert not back(run, aws, "none such")["changed"]
    assert not back(run, aws, "two")["changed"]

    there = back(run, aws, "one", check_mode=True)
    assert (there["version"], there["previous"], live(aws)[0]) == ("2", "3", "3")
    assert back(run, aws, "one")["changed"]

    assert live(aws)[0] == "2"
    assert not back(run, aws, "one")["changed"]
    assert not back(run, aws, "two")["changed"]  # newer: nobody has seen that it gets ready


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only while somebody waits; what happens meanwhile is a list of calls."""
    now, happening = [0.0], []

    def wait(seconds):
        now[0] += seconds or 0.01
        for each in happening:
            each(now[0])

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", wait)
    return happening


def alarm(aws, state):
    aws["cloudwatch"].put_metric_alarm(
        AlarmName="shop-errors", MetricName="Errors", Namespace="AWS/Lambda", Period=60,
        EvaluationPeriods=1, Threshold=1, Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    aws["cloudwatch"].set_alarm_state(
        AlarmName="shop-errors", StateValue=state, StateReason="the test's"
    )


@pytest.mark.usefixtures("two_versions")
def test_a_part_comes_first_and_then_the_rest(run, aws, clock):
    move(run, aws, "1")
    alarm(aws, "OK")
    seen = []
    clock.append(lambda now: seen.append((now, live(aws))))

    move(run, aws, "2", first_percent=10, first_seconds=60, alarms=["shop-errors"])

    assert all(state == ("1", {"2": 0.1}) for _, state in seen)
    assert seen[-1][0] >= 60
    assert live(aws) == ("2", {})


@pytest.mark.usefixtures("two_versions")
def test_an_alarm_leads_all_of_it_back(run, aws, clock):
    move(run, aws, "1")
    alarm(aws, "OK")
    clock.append(lambda now: alarm(aws, "ALARM") if now > 20 else None)

    with pytest.raises(Failed, match=r"10 % .* when shop-errors rang.* led to version 1 again"):
        move(run, aws, "2", first_percent=10, first_seconds=60, alarms=["shop-errors"])

    assert live(aws) == ("1", {})


@pytest.mark.usefixtures("two_versions")
def test_an_alarm_that_rings_already_is_not_heeded(run, aws, clock):
    move(run, aws, "1")
    alarm(aws, "ALARM")

    move(run, aws, "2", first_percent=10, first_seconds=60, alarms=["shop-errors"])

    assert live(aws) == ("2", {})


@pytest.mark.usefixtures("two_versions", "clock")
def test_an_alarm_that_there_is_not_is_no_safety(run, aws):
    move(run, aws, "1")
    with pytest.raises(Failed, match="There is no alarm shop-errors"):
        move(run, aws, "2", first_percent=10, alarms=["shop-errors"])
    assert live(aws) == ("1", {})


@pytest.mark.usefixtures("two_versions")
def test_a_part_that_a_run_left_behind_ends_with_the_next(run, aws):
    move(run, aws, "1")
    aws["lambda"].update_alias(
        FunctionName="shop-pages", Name="live", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )  # fmt: skip

    back = move(run, aws, "1")

    assert back["diff"]["before"] == {"1": 90, "2": 10}
    assert live(aws) == ("1", {})
