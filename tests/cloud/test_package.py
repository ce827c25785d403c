"""The very zip of the app, as the playbooks build it, in the local cloud's Lambda."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
import skimage.data
from PIL import Image

from tests import policies

ROOT = Path(__file__).resolve().parents[2]
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": resource}
        for action, resource in (
            (["dynamodb:*Item", "dynamodb:Query", "dynamodb:Scan"], "arn:aws:dynamodb:*:*:table/*"),
            (["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "arn:aws:s3:::barber-*/*"),
            ("s3:ListBucket", "arn:aws:s3:::barber-*"),
            ("ssm:GetParameters", "arn:aws:ssm:*:*:parameter/barber/*"),
            (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*"),
        )
    ],
}
TABLES = {
    "barber-rows": {"pk": "S", "sk": "S"},
    "barber-sessions": {"session_key": "S"},
    "barber-counters": {"counted": "S", "window_number": "N"},
}
SETTINGS = {
    "SECRET_KEY_PARAMETER": "/barber/SECRET_KEY",
    "ALLOWED_HOSTS": "barber.example.com",
    "SITE_URL": "https://barber.example.com",
    "PROXY": "gateway",
    "ROWS": "dynamodb",
    "ROWS_TABLE": "barber-rows",
    "SESSION_STORE": "dynamodb",
    "SESSION_TABLE": "barber-sessions",
    "COUNTERS": "dynamodb",
    "COUNTERS_TABLE": "barber-counters",
    "CACHE_URL": "locmem://",
    "PICTURE_STORE": "s3",
    "PICTURE_BUCKET": "barber-pictures",
    "UPLOAD_RATE": "0/60",
    "DIRECT_UPLOADS_OVER": "4000000",
    "DIRECT_DOWNLOADS_OVER": "4000000",
}


def ansible(module: str, **options) -> dict:
    """What a module of ours says."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible"), "localhost", "--inventory=localhost,",
         "--connection=local", f"--module-name={module}", f"--args={json.dumps(options)}",
         f"--extra-vars=ansible_python_interpreter={sys.executable}"],
        cwd=ROOT, env=os.environ | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.partition("=>")[2])


@pytest.fixture(scope="session")
def package() -> dict:
    """Built once for each content of the app, as a deployment builds it."""
    built = subprocess.run(
        [sys.executable, ROOT / "roles/web/files/build-wheelhouse", f"--app={ROOT / 'app'}",
         f"--lock={ROOT / 'requirements.txt'}", f"--wheelhouse={ROOT / 'wheelhouse'}"],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    release = json.loads(built.stdout)
    return ansible(
        "lambda_package",
        wheel=release["wheel"],
        requirements="service/functions/requirements.txt",
        path=str(ROOT / f"wheelhouse/test-{release['name']}.zip"),
        static=["-m", "service", "collectstatic", "--noinput", "--verbosity=0"],
        environment={
            "SECRET_KEY": "x" * 50,
            "ALLOWED_HOSTS": "localhost",
            "SITE_URL": "http://localhost",
            "DATABASE_URL": "sqlite://:memory:",
        },
        exclude=["botocore/data/*/*"],
        keep=[f"botocore/data/{name}/*" for name in ("cloudfront", "dynamodb", "s3", "ssm")],
    )


@dataclass
class App:
    """The functions `barber-http` and `barber-manage`."""

    functions: object

    def call(self, name: str, event: dict) -> tuple[dict, str]:
        said = self.functions.invoke(
            FunctionName=name, LogType="Tail", Payload=json.dumps(event).encode()
        )
        log = base64.b64decode(said["LogResult"]).decode()
        answer = json.loads(said["Payload"].read())
        assert "FunctionError" not in said, (answer, log)
        return answer, log

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers) -> dict:
        return self.call("barber-http", request(path, method, body, **headers))[0]


def request(path: str, method: str = "GET", body: bytes = b"", **headers) -> dict:
    """As an HTTP API sends it (payload 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "barber.example.com"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
            },
            "stage": "$default",
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def upload(face: bytes) -> dict:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="style"\r\n\r\nwalrus\r\n--x\r\n'
        b'Content-Disposition: form-data; name="image"; filename="me.jpg"\r\n\r\n'
        + face
        + b"\r\n--x--\r\n"
    )
    return request("/api/pictures", "POST", body, content_type="multipart/form-data; boundary=x")


@pytest.fixture(scope="module")
def app(cloud, package):
    """Tables, a bucket, a secret, and the functions that use them."""
    s3, functions, tables = cloud.client("s3"), cloud.client("lambda"), cloud.client("dynamodb")
    for bucket in ("barber-pictures", "barber-packages"):
        s3.create_bucket(Bucket=bucket)
    s3.upload_file(package["path"], "barber-packages", "app.zip")
    for name, keys in TABLES.items():
        tables.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()
            ],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    cloud.client("ssm").put_parameter(
        Name="/barber/SECRET_KEY", Value="s3cret" * 10, Type="SecureString"
    )
    iam = cloud.client("iam")
    role = iam.create_role(RoleName="barber", AssumeRolePolicyDocument=policies.FUNCTIONS)["Role"]
    iam.put_role_policy(RoleName="barber", PolicyName="app", PolicyDocument=json.dumps(RIGHTS))
    settings = SETTINGS | {"PICTURE_BUCKET_URL": f"{cloud.endpoint}/barber-pictures"}
    for name in ("http", "manage"):
        functions.create_function(
            FunctionName=f"barber-{name}", Runtime="python3.13", Role=role["Arn"],
            Handler=f"service.functions.{name}.handler", MemorySize=1769, Timeout=30,
            Code={"S3Bucket": "barber-packages", "S3Key": "app.zip"},
            Environment={"Variables": settings},
        )  # fmt: skip
        functions.get_waiter("function_active_v2").wait(FunctionName=f"barber-{name}")
    yield App(functions)
    for name in ("http", "manage"):
        functions.delete_function(FunctionName=f"barber-{name}")


@pytest.fixture(scope="module")
def face() -> bytes:
    out = io.BytesIO()
    with Image.open(Path(skimage.data.__file__).parent / "astronaut.png") as picture:
        picture.convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


def test_it_fits_and_runs_on_amazon_linux(package):
    assert package["unzipped"] < 262_144_000
    assert package["needs"]["GLIBC"] == "2.28"
    named = " ".join(package["packages"])
    assert "apig-wsgi" in named
    assert not re.search("psycopg|gunicorn|prometheus", named)


def test_a_page_comes_at_the_first_call(app):
    page, log = app.call("barber-http", request("/"))
    assert page["statusCode"] == 200, page
    assert "Grow the mustache" in page["body"]
    started = float(re.search(r"Init Duration: (\d+\.\d+) ms", log)[1])
    assert started < 10_000  # then Lambda would begin anew


def test_a_picture_is_made_and_deleted(app, face):
    made, _ = app.call("barber-http", upload(face))
    assert made["statusCode"] == 201, made
    body = json.loads(made["body"])
    assert len(body["faces"]) == 1
    path = body["mustached_url"].removeprefix("https://barber.example.com")
    picture = app.ask(path)
    with Image.open(io.BytesIO(base64.b64decode(picture["body"]))) as image:
        assert image.size == (512, 512)
    where = f"/api/pictures/{body['id']}"
    assert json.loads(app.ask(where)["body"])["style"] == "walrus"
    gone = app.ask(where, "DELETE", authorization=f"Bearer {body['token']}")
    assert gone["statusCode"] == 204
    assert app.ask(path)["statusCode"] == 404


def test_what_pages_name_is_in_the_zip(app):
    [style] = re.findall(r'href="(/static/[^"]+\.css)"', app.ask("/")["body"])
    answered = app.ask(style)
    assert answered["statusCode"] == 200
    assert "immutable" in answered["headers"]["cache-control"]


def test_it_is_ready_and_says_what_it_is_made_of(app):
    ready = app.ask("/readyz")
    assert (ready["statusCode"], json.loads(ready["body"])["degraded"]) == (200, {})
    stores = json.loads(app.ask("/info", accept="application/json")["body"])["stores"]
    assert (stores["database"], stores["pictures"]) == ("dynamodb", "s3")


def test_a_command_runs_where_there_is_no_host(app, face):
    app.call("barber-http", upload(face))
    said, _ = app.call("barber-manage", {"command": ["pictures_checksum"]})
    assert said["rc"] == 0
    assert json.loads(said["output"])["count"] == 1
    said, _ = app.call("barber-manage", {"command": ["sweep"]})
    assert (said["rc"], said["more"]) == (0, False)
    said, _ = app.call("barber-manage", {"command": ["migrate", "--noinput"]})
    assert said["rc"] == 0, said
    said, _ = app.call("barber-manage", {"command": ["shell", "-c", "print(1)"]})
    assert said["rc"] != 0


def noise(size: int) -> bytes:
    """A PNG of about so many bytes."""
    side = int((size / 3) ** 0.5)
    out = io.BytesIO()
    picture = Image.frombytes("RGB", (side, side), os.urandom(3 * side * side))
    picture.save(out, "PNG", compress_level=0)
    return out.getvalue()


def form_body(**fields: str) -> dict:
    return {
        "body": urlencode(fields).encode(),
        "content_type": "application/x-www-form-urlencoded",
    }


def send(offer: dict, data: bytes) -> requests.Response:
    return requests.post(
        offer["url"], data=offer["fields"], files={"file": ("me.png", data)},
        timeout=60, allow_redirects=False,
    )  # fmt: skip


@pytest.mark.parametrize("size", [8_000_000, 19_900_000])
def test_a_large_picture_goes_by_way_of_the_bucket(app, cloud, size):
    offer = json.loads(app.ask("/api/uploads", "POST")["body"])
    assert offer["url"] == f"{cloud.endpoint}/barber-pictures"
    sent = send(offer, noise(size))
    assert sent.status_code == 204, sent.text
    taken = form_body(key=offer["key"], style="walrus", unlisted="true")
    made = app.ask("/api/pictures", "POST", **taken)
    assert made["statusCode"] == 201, made
    assert app.ask("/api/pictures", "POST", **taken)["statusCode"] == 404
    body = json.loads(made["body"])
    found = cloud.client("s3").head_object(
        Bucket="barber-pictures",
        Key=body["original_url"].removeprefix("https://barber.example.com/"),
    )
    assert found["ContentLength"] > size * 0.9


def test_the_bucket_takes_no_more_than_the_site(app):
    offer = json.loads(app.ask("/api/uploads", "POST")["body"])
    assert send(offer, bytes(20_000_001)).status_code == 400
    assert send(offer | {"fields": offer["fields"] | {"key": "media/x"}}, b"x").status_code == 403


def test_what_is_too_large_for_a_call_is_told_the_way(app):
    told = app.call("barber-http", upload(noise(4_200_000)))[0]
    assert told["statusCode"] == 413
    assert "POST /api/uploads" in json.loads(told["body"])["detail"]


def test_a_form_without_javascript_comes_back_from_the_bucket(app, cloud, face):
    page = app.ask("/large")
    assert f"form-action 'self' {cloud.endpoint}" in page["headers"]["content-security-policy"]
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page["body"]))
    sent = send({"url": f"{cloud.endpoint}/barber-pictures", "fields": fields}, face)
    assert sent.status_code == 303, sent.text
    back = urlsplit(sent.headers["Location"])
    assert (back.netloc, back.path) == ("barber.example.com", "/large")
    assert parse_qs(back.query)["sent"]


def test_a_warm_one_answers_at_once(app):
    app.ask("/")
    start = time.monotonic()
    app.ask("/gallery")
    assert time.monotonic() - start < 3
