"""What tests of Lambda share: environments without podman, functions and their answers."""

import io
import json
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

from localcloud.services.functions.environment import Outcome
from localcloud.services.functions.runtime_api import Answer


class Environments(list):
    """Those that were started, the latest last; ``.answers`` is what they do next."""

    def __init__(self, cloud):
        super().__init__()
        self.cloud = cloud
        self.answers = []

    def start(self, plan, slot, provisioned):
        made = FakeEnvironment(plan, slot, self.answers)
        made.kept = provisioned
        session = self.cloud.backend("sts", "aws").assume_role(
            "us-east-1", plan.function, plan.role, "", 900, ""
        )
        made.access_key = session.access_key_id
        self.append(made)
        return made


class FakeEnvironment:
    """An environment that answers with what it was made of; ``answers`` takes the next one."""

    def __init__(self, plan, slot, answers):
        self.plan, self.slot, self.answers = plan, slot, answers
        self.born = self.used = time.monotonic()
        self.invocations = 0
        self.alive = True
        self.provisioned = self.prepared = False
        self.removed = False
        self.stream = f"2026/11/29/[{plan.version}]{id(self):032x}"

    def invoke(self, request, arn, payload, context=""):
        self.invocations += 1
        self.used = time.monotonic()
        if self.answers:
            return self.answers.pop(0)(self, payload)
        said = {"version": self.plan.version, "arn": arn, "digest": self.plan.digest,
                "got": json.loads(payload)}  # fmt: skip
        return Outcome(Answer(json.dumps(said).encode()), ["printed"], 1.5,
                       20.0 if self.invocations == 1 else None)  # fmt: skip

    def prepare(self):
        self.prepared = True

    def used_memory(self):
        return 40

    def remove(self):
        self.alive, self.removed = False, True


def package(text="def handler(event, context): return event", **files) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, content in {"app.py": text, **files}.items():
            file.writestr(zipfile.ZipInfo(name), content)  # of 1980: the same each time
    return made.getvalue()


def create(functions, role, name="hello", **options):
    code = options.pop("Code", {"ZipFile": package()})
    made = functions.create_function(
        FunctionName=name, Runtime=options.pop("Runtime", "python3.13"), Handler="app.handler",
        Role=role, Code=code, **options,
    )  # fmt: skip
    wait(functions, name)
    return made


def wait(functions, name="hello"):
    give_up = time.monotonic() + 5
    while True:
        shown = functions.get_function_configuration(FunctionName=name)
        if shown["State"] == "Active" and shown["LastUpdateStatus"] == "Successful":
            return shown
        assert time.monotonic() < give_up, shown
        time.sleep(0.01)


def invoke(functions, qualifier=None, event=None, **options):
    if qualifier:
        options["Qualifier"] = qualifier
    said = functions.invoke(
        FunctionName="hello", Payload=json.dumps(event or {}).encode(), **options
    )
    return said | {"said": json.loads(said["Payload"].read())}


def error(call, *words, **options) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(*words, **options)
    said = caught.value.response
    return (
        said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"], said["Error"]["Message"],
    )  # fmt: skip
