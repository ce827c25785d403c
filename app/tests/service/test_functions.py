"""The service as a function: events as API Gateway and EventBridge send them."""

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from django.core.management.base import BaseCommand
from service.functions import environment, http, manage

pytestmark = pytest.mark.django_db


class Context:
    """What Lambda says of the invocation."""

    def __init__(self, seconds=60):
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self):
        return int((self.end - time.monotonic()) * 1000)


def event(path="/", method="GET", body=b"", query="", source="203.0.113.9", **headers):
    """As an HTTP API sends it (payload 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": [],
        "headers": {"host": "testserver", **headers},
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source,
                "userAgent": "test",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def ask(*arguments, **named):
    return http.handler(event(*arguments, **named), Context())


def multipart(face, **fields):
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="me.jpg"\r\n\r\n'
    return b"".join([*parts, head, face, b"\r\n--x--\r\n"])


def upload(face, **named):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    return ask("/api/pictures", "POST", multipart(face, style="walrus"), **kind, **named)


def test_a_page_is_text():
    page = ask()
    assert page["statusCode"] == 200
    assert page["headers"]["content-type"].startswith("text/html")
    assert not page["isBase64Encoded"]
    assert "mustache" in page["body"]


def test_a_picture_comes_and_goes_as_its_bytes(face):
    made = upload(face)
    assert made["statusCode"] == 201, made["body"]
    body = json.loads(made["body"])
    assert len(body["faces"]) == 1
    picture = ask(body["original_url"].removeprefix("http://testserver"))
    assert picture["isBase64Encoded"]
    assert base64.b64decode(picture["body"]) == face


def test_cookies_come_and_go():
    first = ask()
    [cookie] = first["cookies"]
    name, _, value = cookie.partition(";")[0].strip().partition("=")
    assert name == "mustache_csrf"
    form = event("/p/0123456789abcdef/delete", "POST", f"csrfmiddlewaretoken={value}".encode())
    form["headers"]["content-type"] = "application/x-www-form-urlencoded"
    assert http.handler(form, Context())["statusCode"] == 403  # without the cookie
    form["cookies"] = ["other=1", f"{name}={value}"]
    assert http.handler(form, Context())["statusCode"] == 404  # there is no such picture


def test_head_has_no_body():
    head, get = ask("/gallery", "HEAD"), ask("/gallery")
    assert (head["statusCode"], head["body"], head["isBase64Encoded"]) == (200, "", False)
    assert head["headers"]["content-type"] == get["headers"]["content-type"]


def test_a_query_and_odd_characters_arrive():
    answered = ask("/mustachify", query="src=x&style=no%20such")
    assert answered["statusCode"] == 404
    assert "no style of that name" in answered["body"]
    for path in ("/p/ä/", "/p/\U000da98a\ufffd", "/p/%C3%A4", "/p/100%", "/p/a?b#c"):
        assert ask(path)["statusCode"] == 404, path


@pytest.mark.parametrize(
    ("proxy", "headers", "client"),
    [
        ("gateway", {}, "203.0.113.9"),
        ("gateway", {"x-forwarded-for": "198.51.100.7"}, "203.0.113.9"),
        ("cdn,gateway", {"cloudfront-viewer-address": "198.51.100.7:443"}, "203.0.113.9"),
        (
            "cdn,gateway",
            {"cloudfront-viewer-address": "198.51.100.7:443", "x-cdn-secret": "s" * 32},
            "198.51.100.7",
        ),
        (
            "cdn,gateway",
            {"cloudfront-viewer-address": "2001:db8::1:443", "x-cdn-secret": "s" * 32},
            "2001:db8::1",
        ),
        (
            "cdn,gateway",
            {"cloudfront-viewer-address": "198.51.100.7:443", "x-cdn-secret": "t" * 32},
            "203.0.113.9",
        ),
    ],
)
def test_the_client_is_whom_the_believed_ones_saw(settings, caplog, proxy, headers, client):
    settings.PROXY, settings.CDN_SECRETS = proxy.split(","), ["s" * 32]
    caplog.set_level("INFO", "service.request")
    ask("/gallery", **headers)
    assert caplog.records[-1].client == client


def test_who_passes_the_cdn_by_is_refused_and_health_is_not_asked_by_it(settings):
    settings.PROXY, settings.CDN_SECRETS = ["cdn", "gateway"], ["s" * 32]
    refused = ask("/gallery", **{"accept": "application/json"})
    assert refused["statusCode"] == 403
    assert settings.SITE_URL in json.loads(refused["body"])["detail"]
    assert upload(b"x", **{"x-cdn-secret": "t" * 32})["statusCode"] == 403
    assert ask("/readyz")["statusCode"] == ask("/healthz")["statusCode"] == 200
    assert ask("/gallery", **{"x-cdn-secret": "s" * 32})["statusCode"] == 200


def test_secrets_are_read_from_the_parameters_that_are_named(monkeypatch):
    client = boto3.client(
        "ssm", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    monkeypatch.setattr(environment, "client", lambda: client)
    variables = {"SECRET_KEY_PARAMETER": "/web/KEY", "CDN_SECRETS_PARAMETER": "/web/B,/web/A"}
    values = {"/web/A": "a", "/web/B": "b", "/web/KEY": "k"}
    with Stubber(client) as stub:
        stub.add_response(
            "get_parameters",
            {"Parameters": [{"Name": name, "Value": value} for name, value in values.items()]},
            {"Names": sorted(values), "WithDecryption": True},
        )
        environment.complete(variables)
    assert (variables["SECRET_KEY"], variables["CDN_SECRETS"]) == ("k", "b,a")
    assert variables["BACKGROUND"] == "false"


def test_a_parameter_that_is_not_there_is_named(monkeypatch):
    class Client:
        def get_parameters(self, **asked):
            return {"Parameters": [], "InvalidParameters": asked["Names"]}

    monkeypatch.setattr(environment, "client", Client)
    with pytest.raises(LookupError, match="/web/KEY"):
        environment.complete({"SECRET_KEY_PARAMETER": "/web/KEY"})


def test_without_such_names_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(environment, "client", None)
    variables = {"STATIC_ROOT": "/elsewhere"}
    environment.complete(variables)
    assert variables["STATIC_ROOT"] == "/elsewhere"


def test_a_command_runs_and_tells(face):
    upload(face)
    assert manage.handler({"command": ["sweep"]}, Context()) == {
        "rc": 0,
        "output": manage.run(["sweep"], 30)["output"],
        "more": False,
    }
    said = manage.handler({"command": ["pictures_checksum"]}, Context())
    assert json.loads(said["output"])["count"] == 1


def test_what_is_wrong_is_told_with_a_status():
    said = manage.run(["takedown", "nosuchpicture000"], 30)
    assert said["rc"] == 1
    assert "nosuchpicture000" in said["output"]
    assert manage.run(["sweep", "--no-such-option"], 30)["rc"] == 2


@pytest.mark.parametrize("command", ["shell", "dbshell", "runserver", "flush", "no_such"])
def test_other_commands_are_refused(command):
    said = manage.run([command], 30)
    assert said["rc"] == manage.NO_SUCH_COMMAND
    assert "move_rows" in said["output"]


class Long(BaseCommand):
    def handle(self, *arguments, **options):
        for number in range(1000):
            self.stdout.write(str(number))
            try:
                time.sleep(0.05)
            except Exception:  # as careless code does
                self.stdout.write("went on")


class Broken(BaseCommand):
    def handle(self, *arguments, **options):
        raise OSError("the disk is gone")


@pytest.fixture
def commands(monkeypatch):
    from django.core import management

    known = management.get_commands() | {"long": "service.t", "broken": "service.t"}
    monkeypatch.setattr(management, "get_commands", lambda: known)
    load = management.load_command_class
    ours = {"long": Long, "broken": Broken}
    monkeypatch.setattr(
        management,
        "load_command_class",
        lambda app, name: ours[name]() if name in ours else load(app, name),
    )


def test_a_long_command_is_cut_and_says_that_there_is_more(commands):
    start = time.monotonic()
    said = manage.handler({"command": ["long"]}, Context(manage.CUT_SECONDS + 1.5))
    assert time.monotonic() - start < 10
    assert (said["rc"], said["more"]) == (manage.CUT, True)
    assert said["output"].startswith("0\n1\n")
    assert "went on" not in said["output"]


def test_what_breaks_is_told_and_logged(commands, caplog):
    said = manage.run(["broken"], 30)
    assert (said["rc"], said["more"]) == (1, False)
    assert "OSError: the disk is gone" in said["output"]
    assert "broken failed" in caplog.text


def test_a_deletion_is_told_before_the_function_is_frozen(settings, monkeypatch):
    from service.pictures import cdn

    told = []
    settings.CDN_DISTRIBUTION, settings.BACKGROUND = "E1", False
    monkeypatch.setattr(cdn, "background", None)
    monkeypatch.setattr(cdn, "forget", told.extend)
    cdn.forget_soon({"a"})
    assert told == ["a"]


def test_a_page_loads_nothing_that_works_on_pictures(tmp_path):
    """A cold start takes as long as what it imports."""
    code = (
        "from service.functions import http\n"
        "import json, sys\n"
        "answer = http.handler(json.load(sys.stdin), None)\n"
        "assert answer['statusCode'] == 200, answer\n"
        "print(sorted({'numpy', 'onnxruntime', 'simplejpeg', 'gunicorn', 'psycopg'} &"
        " set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(http.__file__).parents[2])},
        input=json.dumps(event("/healthz")), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "[]\n", done.stderr


def test_without_prometheus_nothing_is_counted():
    code = (
        "import sys\n"
        "sys.modules['prometheus_client'] = None\n"
        "from service import metrics\n"
        "metrics.REQUESTS.labels('home', 'GET', 200).observe(1)\n"
        "metrics.BUSY.inc()\n"
        "print(metrics.COUNTED)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(http.__file__).parents[2])},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "False\n", done.stderr
