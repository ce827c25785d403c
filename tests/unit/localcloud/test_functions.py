"""Lambda's calls: what is taken and refused, versions, aliases, concurrency, events and logs."""

import base64
import hashlib
import io
import json
import threading
import time
import zipfile

import pytest
from unit.localcloud.lambdas import create, error, invoke, package, wait

from localcloud.services.functions import events, invocations
from localcloud.services.functions.environment import Outcome
from localcloud.services.functions.functions import Functions
from localcloud.services.functions.invocations import Invocations
from localcloud.services.functions.model import PAYLOAD, UNZIPPED
from localcloud.services.functions.runtime_api import Answer
from tests import policies


def test_a_function_is_pending_until_its_package_is_unzipped(functions, role, cloud):
    made = create(functions, role, Environment={"Variables": {"COLOUR": "blue"}})
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(package()).digest()).decode()
    shown = functions.get_function(FunctionName="hello")
    assert shown["Code"] == {"RepositoryType": "S3"}
    digest = hashlib.sha256(package()).hexdigest()
    place = cloud.settings.state / "functions/code" / digest
    assert (place / "app.py").read_text().startswith("def handler")
    assert not place.with_suffix(".zip").exists()
    (row,) = (each for each in cloud.rows() if each.kind == "function")
    assert (row.id, row.state) == ("hello", "active")


def test_what_is_no_package_is_refused(functions, role):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(3):
            file.writestr(f"zeros{number}", bytes(UNZIPPED // 3 + 1))
    for content, words in ((b"no zip", "Could not unzip"), (bomb.getvalue(), "Unzipped size")):
        code = {"ZipFile": content}
        _, name, message = error(create, functions, role, Code=code)
        assert (name, words in message) == ("InvalidParameterValueException", True)


def test_nothing_is_written_outside_a_package(functions, role, cloud):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("../../evil.py", "x")
        link = zipfile.ZipInfo("lib")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc")
        file.writestr("lib/passwd", "x")
    create(functions, role, Code={"ZipFile": content.getvalue()})
    found = [each.name for each in cloud.settings.state.rglob("evil.py")]
    assert found == ["evil.py"]
    assert not (cloud.settings.state / "evil.py").exists()
    assert not (cloud.settings.state / "functions/evil.py").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"Runtime": "nodejs22.x"}, "python3.13 only"),
        ({"Architectures": ["arm64"]}, "x86_64"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}, "Layers"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:x"}}, "DeadLetter"),
        ({"Timeout": 901}, "less than or equal to 900"),
        ({"MemorySize": 20000}, "less than or equal to 10240"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
        ({"Environment": {"Variables": {"X": "x" * 5000}}}, "4KB limit"),
        ({"Role": "arn:aws:iam::123456789012:role/nobody"}, "cannot be assumed"),
    ],
)
def test_what_is_not_there_is_refused(functions, role, options, words):
    given = {"role": role} | {"role": options.pop("Role")} if "Role" in options else {"role": role}
    assert words in error(create, functions, **given, **options)[2]
    assert functions.list_functions()["Functions"] == []


def test_an_empty_vpc_is_none(functions, role):
    create(functions, role, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})


def test_a_role_that_does_not_trust_lambda_is_refused(functions, api):
    iam = api.client("iam")
    other = iam.create_role(RoleName="host", AssumeRolePolicyDocument=policies.HOSTS)["Role"]
    assert "cannot be assumed by Lambda" in error(create, functions, other["Arn"])[2]


def test_code_comes_from_s3(functions, role, api):
    s3 = api.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="app.zip", Body=package())
    create(functions, role, Code={"S3Bucket": "code", "S3Key": "app.zip"})
    assert invoke(functions)["said"]["digest"] == hashlib.sha256(package()).hexdigest()
    missing = {"S3Bucket": "code", "S3Key": "other.zip"}
    assert "NoSuchKey" in error(create, functions, role, "other", Code=missing)[2]


def test_it_is_warm_until_it_is_changed(functions, role, environments):
    create(functions, role)
    assert invoke(functions)["said"]["version"] == "$LATEST"
    invoke(functions)
    assert len(environments) == 1
    functions.update_function_configuration(FunctionName="hello", Timeout=9)
    wait(functions)
    invoke(functions)
    assert len(environments) == 2
    assert environments[1].plan.timeout == 9
    give_up = time.monotonic() + 5
    while not environments[0].removed and time.monotonic() < give_up:
        time.sleep(0.01)
    assert environments[0].removed


def test_a_version_stays_as_it_is(functions, role):
    create(functions, role)
    assert functions.publish_version(FunctionName="hello")["Version"] == "1"
    assert functions.publish_version(FunctionName="hello")["Version"] == "1"  # nothing changed
    functions.update_function_code(FunctionName="hello", ZipFile=package("def handler(e, c): pass"))
    new = wait(functions)["CodeSha256"]
    other = "CodeSHA256 (old) is different"
    assert other in error(functions.publish_version, FunctionName="hello", CodeSha256="old")[2]
    assert functions.publish_version(FunctionName="hello", CodeSha256=new)["Version"] == "2"
    first, second = (invoke(functions, number)["said"] for number in "12")
    assert (first["version"], second["version"]) == ("1", "2")
    assert first["digest"] != second["digest"]
    assert first["arn"].endswith(":hello:1")
    functions.delete_function(FunctionName="hello", Qualifier="2")
    functions.update_function_configuration(FunctionName="hello", Description="new")
    assert functions.publish_version(FunctionName="hello")["Version"] == "3"


def test_an_alias_leads_to_versions_by_weight(functions, role, monkeypatch):
    create(functions, role)
    functions.publish_version(FunctionName="hello")
    functions.update_function_configuration(FunctionName="hello", Description="new")
    functions.publish_version(FunctionName="hello")
    functions.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    assert invoke(functions, "live")["ExecutedVersion"] == "1"
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    functions.update_alias(FunctionName="hello", Name="live", RoutingConfig=weights)
    shares = iter([0.5, 0.05])
    monkeypatch.setattr(invocations, "draw", lambda: next(shares))
    said = [invoke(functions, "live") for _ in range(2)]
    assert [each["ExecutedVersion"] for each in said] == ["1", "2"]
    assert all(each["said"]["arn"].endswith(":hello:live") for each in said)
    used = error(functions.delete_function, FunctionName="hello", Qualifier="2")
    assert used[:2] == (409, "ResourceConflictException")
    missing = error(functions.create_alias, FunctionName="hello", Name="x", FunctionVersion="7")
    assert missing[1] == "ResourceNotFoundException"


def test_there_are_no_more_at_once_than_reserved(functions, role, environments):
    create(functions, role)
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=1)
    begun, end = threading.Event(), threading.Event()

    def slow(environment, payload):
        begun.set()
        end.wait(5)
        return Outcome(Answer(b"1"))

    environments.answers.append(slow)
    thread = threading.Thread(target=invoke, args=(functions,))
    thread.start()
    begun.wait(5)
    assert error(invoke, functions)[:2] == (429, "TooManyRequestsException")
    end.set()
    thread.join()
    assert invoke(functions)["StatusCode"] == 200
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=0)
    assert error(invoke, functions)[0] == 429
    too_many = error(
        functions.put_function_concurrency, FunctionName="hello", ReservedConcurrentExecutions=901
    )
    assert "below its minimum value of [100]" in too_many[2]


def test_when_all_places_are_taken_who_waited_longest_goes(functions, role, environments, cloud):
    cloud.service(Functions).fleet.room = 2
    for name in ("hello", "one", "two"):
        create(functions, role, name)
        functions.invoke(FunctionName=name)
    assert [each.removed for each in environments] == [True, False, False]


def test_payloads_have_their_limits(functions, role):
    create(functions, role)
    large = json.dumps("x" * PAYLOAD).encode()
    said = error(functions.invoke, FunctionName="hello", Payload=large)
    assert said[:2] == (413, "RequestTooLargeException")
    event = json.dumps("x" * (1 << 20)).encode()
    said = error(functions.invoke, FunctionName="hello", Payload=event, InvocationType="Event")
    assert said[0] == 413
    said = error(functions.invoke, FunctionName="hello", Payload=b"{")
    assert said[1] == "InvalidRequestContentException"


def test_an_error_of_the_function_is_told(functions, role, environments):
    create(functions, role)
    environments.answers.append(
        lambda environment, payload: Outcome(Answer(b'{"errorType": "ValueError"}', failed=True))
    )
    said = invoke(functions)
    assert (said["StatusCode"], said["FunctionError"]) == (200, "Unhandled")
    assert said["said"] == {"errorType": "ValueError"}


def test_the_log_is_in_cloudwatch_logs(functions, role, api, cloud):
    create(functions, role)
    said = invoke(functions, LogType="Tail")
    tail = base64.b64decode(said["LogResult"]).decode()
    logs = api.client("logs")
    (stream,) = logs.describe_log_streams(logGroupName="/aws/lambda/hello")["logStreams"]
    assert stream["logStreamName"].startswith("2026/11/29/[$LATEST]")
    events = logs.get_log_events(
        logGroupName="/aws/lambda/hello", logStreamName=stream["logStreamName"]
    )["events"]
    lines = [each["message"] for each in events]
    assert tail.splitlines() == lines
    assert [line.split()[0] for line in lines] == ["INIT_START", "START", "printed", "END",
                                                   "REPORT"]  # fmt: skip
    assert "Duration: 1.50 ms\tBilled Duration: 22 ms\tMemory Size: 128 MB\t" in lines[-1]
    assert "Max Memory Used: 40 MB\tInit Duration: 20.00 ms" in lines[-1]
    # the second one is warm
    assert "Init Duration" not in base64.b64decode(invoke(functions, LogType="Tail")["LogResult"]
                                                   ).decode()  # fmt: skip


def test_without_rights_nothing_is_logged(functions, role, api):
    api.client("iam").delete_role_policy(RoleName="fn", PolicyName="logs")
    create(functions, role)
    invoke(functions)
    assert api.client("logs").describe_log_groups()["logGroups"] == []


def test_an_event_is_tried_three_times(functions, role, environments, cloud, monkeypatch):
    create(functions, role)
    monkeypatch.setattr(events, "RETRY_SECONDS", (0, 0))
    tries = []

    def fail(environment, payload):
        tries.append(json.loads(payload))
        return Outcome(Answer(b"{}", failed=True))

    environments.answers += [fail] * 5
    said = functions.invoke(FunctionName="hello", InvocationType="Event", Payload=b'{"n": 1}')
    assert said["StatusCode"] == 202
    service = cloud.service(Invocations)
    give_up = time.monotonic() + 5
    while service.queue.events and time.monotonic() < give_up:
        service.reconcile()
        time.sleep(0.01)
    assert tries == [{"n": 1}] * 3
    functions.put_function_event_invoke_config(FunctionName="hello", MaximumRetryAttempts=0)
    functions.invoke(FunctionName="hello", InvocationType="Event")
    give_up = time.monotonic() + 5
    while service.queue.events and time.monotonic() < give_up:
        service.reconcile()
        time.sleep(0.01)
    assert len(tries) == 4


def test_an_event_waits_while_there_is_no_room(functions, role, environments, cloud):
    create(functions, role)
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=0)
    functions.invoke(FunctionName="hello", InvocationType="Event")
    service = cloud.service(Invocations)
    time.sleep(0.1)
    (event,) = service.queue.events.values()
    assert (event.failures, environments) == (0, [])
    functions.delete_function_concurrency(FunctionName="hello")
    give_up = time.monotonic() + 5
    while service.queue.events and time.monotonic() < give_up:
        event.due = 0
        service.reconcile()
        time.sleep(0.01)
    assert len(environments) == 1


def test_others_may_invoke_what_the_policy_lets_them(functions, role, api):
    create(functions, role)
    iam = api.client("iam")
    user = iam.create_user(UserName="eve")["User"]["Arn"]
    key = iam.create_access_key(UserName="eve")["AccessKey"]
    hers = api.client("lambda", key["AccessKeyId"], key["SecretAccessKey"])
    assert error(hers.invoke, FunctionName="hello")[:2] == (403, "AccessDeniedException")
    functions.add_permission(FunctionName="hello", StatementId="eve",
                             Action="lambda:InvokeFunction", Principal=user)  # fmt: skip
    assert hers.invoke(FunctionName="hello")["StatusCode"] == 200
    assert error(hers.delete_function, FunctionName="hello")[0] == 403
    found = json.loads(functions.get_policy(FunctionName="hello")["Policy"])
    assert found["Statement"][0]["Principal"] == {"AWS": user}
    again = error(functions.add_permission, FunctionName="hello", StatementId="eve",
                  Action="lambda:InvokeFunction", Principal=user)  # fmt: skip
    assert again[:2] == (409, "ResourceConflictException")
    functions.remove_permission(FunctionName="hello", StatementId="eve")
    assert error(hers.invoke, FunctionName="hello")[0] == 403


def test_who_makes_a_function_hands_a_role_over(functions, role, api):
    iam = api.client("iam")
    iam.create_user(UserName="dev")
    iam.put_user_policy(UserName="dev", PolicyName="x", PolicyDocument=policies.policy("lambda:*"))
    key = iam.create_access_key(UserName="dev")["AccessKey"]
    own = api.client("lambda", key["AccessKeyId"], key["SecretAccessKey"])
    assert "iam:PassRole" in error(create, own, role)[2]


def test_what_was_deleted_is_gone(functions, role, environments, cloud):
    create(functions, role)
    invoke(functions)
    functions.delete_function(FunctionName="hello")
    assert error(invoke, functions)[:2] == (404, "ResourceNotFoundException")
    code = cloud.settings.state / "functions/code"
    give_up = time.monotonic() + 5
    while list(code.iterdir()) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert list(code.iterdir()) == []
    assert environments[0].removed


def test_functions_outlive_the_process(make_cloud, functions, role, cloud, monkeypatch):
    create(functions, role)
    functions.publish_version(FunctionName="hello")
    cloud.save()
    cloud = make_cloud()
    latest, first = cloud.service(Functions).all()
    assert (latest.plan.version, first.plan.version) == ("$LATEST", "1")
    assert cloud.service(Functions).packages.place(first.plan.digest).exists()


def test_an_event_outlives_the_process_without_the_state_being_written(
    make_cloud, functions, role, environments, cloud, settings
):
    create(functions, role)
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=0)
    written = (settings.state / "api.pickle").stat()
    functions.invoke(FunctionName="hello", InvocationType="Event", Payload=b'{"n": 1}')
    assert (settings.state / "api.pickle").stat() == written
    (event,) = make_cloud().service(Invocations).queue.events.values()
    assert (event.function, event.payload) == ("hello", b'{"n": 1}')
    assert environments == []
