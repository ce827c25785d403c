"""Lambda with AWS's own runtime client in real environments."""

import base64
import io
import json
import re
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloud.conftest import wait_until

from tests import policies

HANDLER = """
import json, os, time
import boto3

print("loaded")
sts = boto3.client("sts")  # with the processor that a start has

def handler(event, context):
    print("got", event.get("do", "hear"))
    return globals()[event.get("do", "hear")](event, context)

def hear(event, context):
    print(json.dumps(event))

def tell(event, context):
    number = len(os.listdir("/tmp"))
    open(f"/tmp/{number}", "w").close()
    try:
        open("/var/task/x", "w")
    except OSError as error:
        written = type(error).__name__
    return {"tmp": number, "uid": os.getuid(), "colour": os.environ["COLOUR"], "code": written,
            "arn": context.invoked_function_arn, "clock": time.monotonic()}

def who(event, context):
    return sts.get_caller_identity()["Arn"]

def fail(event, context):
    raise ValueError("as it was told")

def leave(event, context):
    os._exit(3)

def linger(event, context):
    time.sleep(event.get("seconds", 60))

def eat(event, context):
    return len(bytearray(event["mib"] << 20))

def held(event, context):
    lines = open("/proc/self/status").read().splitlines()
    return dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)

def note(event, context):
    print(event["marker"])

def large(event, context):
    return "x" * (7 << 20)
"""
LOGGING = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture(scope="module")
def function(cloud):
    """A function `shop` on 512 MB that has 5 s; returns its client."""
    iam, functions = cloud.client("iam"), cloud.client("lambda")
    role = iam.create_role(RoleName="shop-fn", AssumeRolePolicyDocument=policies.FUNCTIONS)["Role"]
    iam.attach_role_policy(RoleName="shop-fn", PolicyArn=LOGGING)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("app.py", HANDLER)
    functions.create_function(
        FunctionName="shop", Runtime="python3.13", Handler="app.handler", Role=role["Arn"],
        Code={"ZipFile": package.getvalue()}, MemorySize=512, Timeout=5,
        Environment={"Variables": {"COLOUR": "blue's"}},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="shop")
    yield functions
    functions.delete_function(FunctionName="shop")
    iam.detach_role_policy(RoleName="shop-fn", PolicyArn=LOGGING)
    iam.delete_role(RoleName="shop-fn")


def invoke(functions, do, **event):
    said = functions.invoke(
        FunctionName="shop", LogType="Tail", Payload=json.dumps({"do": do, **event}).encode()
    )
    log = base64.b64decode(said["LogResult"]).decode()
    return json.loads(said["Payload"].read()), said.get("FunctionError"), log


def test_it_starts_cold_and_stays_warm(function):
    # no environment of an earlier test will do
    function.update_function_configuration(
        FunctionName="shop", Environment={"Variables": {"COLOUR": "blue's", "NEW": "yes"}}
    )
    function.get_waiter("function_updated_v2").wait(FunctionName="shop")
    first, failed, log = invoke(function, "tell")
    assert failed is None
    assert (first["tmp"], first["uid"], first["colour"]) == (0, 993, "blue's")
    assert first["code"] == "OSError"  # a read-only file system
    assert first["arn"].endswith(":function:shop")
    assert "loaded\n" in log
    assert re.search(r"Init Duration: \d+\.\d\d ms", log)
    second, _, log = invoke(function, "tell")
    assert second["tmp"] == 1
    assert "loaded\n" not in log
    assert "Init Duration" not in log


def test_between_two_invocations_it_is_frozen(cloud, function):
    invoke(function, "tell")
    states = [
        path.read_text().strip()
        for pattern in ("freezer/**/libpod-*/freezer.state", "**/libpod-*/cgroup.freeze")
        for path in Path("/sys/fs/cgroup").glob(pattern)
    ]
    assert "FROZEN" in states or "1" in states


def test_it_may_ask_the_kernel_for_little(function):
    said, failed, _ = invoke(function, "held")
    assert failed is None, said
    assert int(said["CapBnd"], 16) == 0
    assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")  # filtered


def test_it_has_the_rights_of_its_role(function):
    said, failed, _ = invoke(function, "who")
    assert failed is None, said
    assert ":assumed-role/shop-fn/shop" in said


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        ({"do": "fail"}, "ValueError", "as it was told"),
        ({"do": "leave"}, "Runtime.ExitError", "exit status 3"),
        ({"do": "linger"}, "Sandbox.Timedout", "Task timed out after 5.00 seconds"),
        ({"do": "eat", "mib": 700}, "Runtime.ExitError", "signal: killed"),
        ({"do": "large"}, "Function.ResponseSizeTooLarge", "6291556 bytes"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_one_works(function, event, kind, words):
    said, failed, _ = invoke(function, **event)
    assert (failed, said["errorType"]) == ("Unhandled", kind)
    assert words in said["errorMessage"]
    assert invoke(function, "tell")[1] is None


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("crash", "Runtime.ExitError", "signal: killed"),
        ("hang", "Sandbox.Timedout", "Task timed out after 5.00 seconds"),
        ("exhaust", "Runtime.ExitError", "signal: killed"),
    ],
)
def test_a_fault_takes_it_in_the_middle_of_a_request(cloud, function, fault, kind, words):
    invoke(function, "tell")
    answers = []
    with ThreadPoolExecutor(1) as beside:
        made = beside.submit(cloud.run, "fault", fault, "lambda:shop")
        while not made.done():
            answers.append(invoke(function, "linger", seconds=0.5))
        made.result()
    ((said, failed, log),) = [each for each in answers if each[1]]
    assert (failed, said["errorType"]) == ("Unhandled", kind)
    assert words in said["errorMessage"]
    assert ("Max Memory Used: 512 MB" in log) == (kind == "Runtime.ExitError")
    assert invoke(function, "tell")[1] is None


def test_a_fault_in_the_middle_of_no_request_is_refused(cloud, function):
    refused = cloud.run("fault", "crash", "shop", check=False)
    assert refused.returncode == 1
    assert "Nobody asked shop anything" in refused.stderr


def test_the_log_is_kept_and_the_status_shows_it(cloud, function):
    invoke(function, "tell")
    assert "REPORT RequestId: " in logged(cloud)
    assert "REPORT RequestId: " in cloud.run("logs", "shop").stdout
    row = cloud.status()["shop"]
    assert (row["kind"], row["state"]) == ("function", "active")
    assert "1 environments" in row["real"]


def test_an_event_is_worked_on_later(cloud, function):
    marker = f"event{time.monotonic_ns()}"
    said = function.invoke(
        FunctionName="shop",
        InvocationType="Event",
        Payload=json.dumps({"do": "note", "marker": marker}).encode(),
    )
    assert said["StatusCode"] == 202
    wait_until(lambda: marker in logged(cloud))


def logged(cloud) -> str:
    events = cloud.client("logs").filter_log_events(logGroupName="/aws/lambda/shop")["events"]
    return "\n".join(each["message"] for each in events)


def test_buckets_and_schedules_invoke_it(cloud, function):
    s3, rules = cloud.client("s3"), cloud.client("events")
    arn = function.get_function(FunctionName="shop")["Configuration"]["FunctionArn"]
    s3.create_bucket(Bucket="uploads")
    rule = rules.put_rule(Name="minutely", ScheduleExpression="cron(* * * * ? *)")["RuleArn"]
    for service, source in (("s3", "arn:aws:s3:::uploads"), ("events", rule)):
        function.add_permission(
            FunctionName="shop", StatementId=service, Action="lambda:InvokeFunction",
            Principal=f"{service}.amazonaws.com", SourceArn=source,
        )  # fmt: skip
    rules.put_targets(Rule="minutely", Targets=[{"Id": "shop", "Arn": arn}])
    wanted = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="uploads", NotificationConfiguration={"LambdaFunctionConfigurations": [wanted]}
    )
    s3.put_object(Bucket="uploads", Key="a cat.png", Body=b"x")
    wait_until(lambda: '"key": "a+cat.png"' in logged(cloud))
    wait_until(lambda: '"detail-type": "Scheduled Event"' in logged(cloud), seconds=65)
    rules.remove_targets(Rule="minutely", Ids=["shop"])
    rules.delete_rule(Name="minutely")
    s3.delete_object(Bucket="uploads", Key="a cat.png")
    s3.delete_bucket(Bucket="uploads")
