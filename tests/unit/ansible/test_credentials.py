"""The script that takes on the app's role, with an STS that a test has written."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import boto3
import pytest
from botocore.credentials import ProcessProvider
from botocore.exceptions import ClientError

from tests.unit.ansible.test_roles import ROOT

SCRIPT = ROOT / "roles/web/files/mustache-credentials"
ROLE = "arn:aws:iam::123456789012:role/mustache-test-app-us-east-1"
SESSION = {
    "AccessKeyId": "ASIATEST",
    "SecretAccessKey": "secret",
    "SessionToken": "token",
    "Expiration": datetime(2100, 1, 1, tzinfo=UTC),
}


class Sts:
    """Refuses some times, with one code, then gives a session."""

    def __init__(self, refusals=0, code="AccessDenied"):
        self.refusals, self.code, self.asked = refusals, code, []

    def assume_role(self, **options):
        self.asked.append(options)
        if len(self.asked) <= self.refusals:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "AssumeRole")
        return {"Credentials": SESSION}


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script's names, with its file in ``tmp_path``, and no clock to wait for."""
    names = {"__name__": "mustache_credentials"}
    exec(compile(SCRIPT.read_text(), str(SCRIPT), "exec"), names)
    clock = iter(range(0, 100000, 10))
    names["time"] = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None)
    names["TARGET"] = tmp_path / "mustache/credentials.json"
    names["shutil"] = SimpleNamespace(chown=lambda path, group: names.update(reader=group))
    monkeypatch.setenv("APP_ROLE", ROLE)
    return names


def answer_with(monkeypatch, sts):
    monkeypatch.setattr(boto3, "client", lambda *_, **__: sts)
    return sts


def test_the_sdk_reads_what_is_written(script, monkeypatch):
    answer_with(monkeypatch, Sts())

    assert script["main"]() == 0

    profiles = {"profiles": {"default": {"credential_process": f"/bin/cat {script['TARGET']}"}}}
    found = ProcessProvider("default", lambda: profiles).load()
    assert (found.access_key, found.secret_key, found.token) == ("ASIATEST", "secret", "token")
    assert not found.refresh_needed()


def test_only_root_and_the_app_read_it(script, monkeypatch):
    answer_with(monkeypatch, Sts())
    script["main"]()

    assert script["TARGET"].stat().st_mode & 0o777 == 0o640
    assert script["reader"] == "mustache"
    assert list(script["TARGET"].parent.iterdir()) == [script["TARGET"]]


def test_the_role_is_that_of_the_host_s_settings(script, monkeypatch):
    sts = answer_with(monkeypatch, Sts())
    script["main"]()

    assert [each["RoleArn"] for each in sts.asked] == [ROLE]
    assert sts.asked[0]["DurationSeconds"] == 3600


def test_a_right_that_is_not_known_everywhere_yet_is_waited_for(script, monkeypatch):
    sts = answer_with(monkeypatch, Sts(refusals=2))

    assert script["main"]() == 0
    assert len(sts.asked) == 3


@pytest.mark.parametrize("sts", [Sts(1000), Sts(1, "RegionDisabledException")])
def test_credentials_of_before_hold_on_when_there_are_no_new_ones(script, monkeypatch, capsys, sts):
    script["TARGET"].parent.mkdir()
    script["TARGET"].write_text(json.dumps({"Version": 1}))
    answer_with(monkeypatch, sts)

    assert script["main"]() == 1
    assert json.loads(script["TARGET"].read_text()) == {"Version": 1}
    assert "hold on" in capsys.readouterr().err


def test_an_app_without_a_role_keeps_no_credentials(script, monkeypatch):
    script["TARGET"].parent.mkdir()
    script["TARGET"].write_text("{}")
    monkeypatch.delenv("APP_ROLE")

    assert script["main"]() == 0
    assert not script["TARGET"].exists()


def test_the_app_s_configuration_names_that_file():
    configuration = (ROOT / "roles/web/files/aws-config").read_text()

    assert "credential_process = /bin/cat /run/mustache/credentials.json\n" in configuration
    assert 'Path("/run/mustache/credentials.json")' in SCRIPT.read_text()
