"""How long does a function take, cold and warm, for a page and for a picture?

    python -m benchmarks.functions mustache-production-http --rounds 5
    AWS_ENDPOINT_URL=http://127.0.0.1:5000 python -m benchmarks.functions ...

Calls $LATEST as CloudFront and API Gateway would, but without them, and reads what Lambda itself
says (REPORT), in milliseconds. For a cold start the variable BENCHMARK is changed, which ends all
environments of $LATEST; at the end the variables are what they were. Pictures are deleted again.
"""

import argparse
import base64
import io
import json
import os
import re
import statistics
from importlib.util import find_spec
from pathlib import Path

import boto3
from PIL import Image

REPORT = re.compile(r"\tDuration: ([\d.]+) ms")
INIT = re.compile(r"Init Duration: ([\d.]+) ms")
MEMORY = re.compile(r"Max Memory Used: (\d+) MB")
STARTS = {"a page, cold": "page", "a picture, cold": "picture"}


def event(host: str, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> dict:
    about = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": host} | {key.replace("_", "-"): to for key, to in headers.items()},
        "requestContext": {"http": about, "stage": "$default"},
        "body": base64.b64encode(body).decode(), "isBase64Encoded": True,
    }  # fmt: skip


def portrait() -> bytes:
    """Grace Hopper (US Navy, public domain), two megapixels, in bytes that nobody has sent."""
    path = Path(find_spec("matplotlib").origin).parent / "mpl-data/sample_data/grace_hopper.jpg"
    out = io.BytesIO()
    with Image.open(path) as image:
        image.resize((1280, 1500), Image.Resampling.LANCZOS).save(
            out, "JPEG", quality=88, comment=os.urandom(8)
        )
    return out.getvalue()


class Function:
    def __init__(self, name: str):
        self.client, self.name = boto3.client("lambda"), name
        found = self.client.get_function_configuration(FunctionName=name)
        self.variables = found["Environment"]["Variables"]
        self.host = self.variables["ALLOWED_HOSTS"].partition(",")[0]
        secrets = boto3.client("ssm").get_parameter(
            Name=self.variables["CDN_SECRETS_PARAMETER"], WithDecryption=True
        )
        self.secret = secrets["Parameter"]["Value"].partition(",")[0]

    def set(self, variables: dict[str, str]) -> None:
        self.client.update_function_configuration(
            FunctionName=self.name, Environment={"Variables": variables}
        )
        self.client.get_waiter("function_updated_v2").wait(FunctionName=self.name)

    def cool(self) -> None:
        self.set(self.variables | {"BENCHMARK": os.urandom(4).hex()})

    def call(self, event: dict) -> tuple[dict, str]:
        event["headers"]["x-cdn-secret"] = self.secret
        said = self.client.invoke(
            FunctionName=self.name, LogType="Tail", Payload=json.dumps(event).encode()
        )
        answer = json.loads(said["Payload"].read())
        assert answer.get("statusCode", 500) < 300, answer
        return answer, base64.b64decode(said["LogResult"]).decode()

    def page(self) -> str:
        return self.call(event(self.host, "/"))[1]

    def picture(self) -> str:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="unlisted"\r\n\r\ntrue\r\n--x\r\n'
            b'Content-Disposition: form-data; name="image"; filename="me.jpg"\r\n\r\n'
            + portrait()
            + b"\r\n--x--\r\n"
        )
        kind = {"content_type": "multipart/form-data; boundary=x"}
        made, log = self.call(event(self.host, "/api/pictures", "POST", body, **kind))
        made = json.loads(made["body"])
        bearer = {"authorization": f"Bearer {made['token']}"}
        self.call(event(self.host, f"/api/pictures/{made['id']}", "DELETE", **bearer))
        return log


def measure(function: Function, rounds: int) -> dict[str, list[str]]:
    """The logs of each kind of call."""
    logs: dict[str, list[str]] = {}
    for _ in range(rounds):
        for name, what in STARTS.items():
            function.cool()
            logs.setdefault(name, []).append(getattr(function, what)())
            warm = f"{name.partition(',')[0]}, warm"
            logs.setdefault(warm, []).extend(getattr(function, what)() for _ in range(4))
    return logs


def row(name: str, logs: list[str]) -> str:
    def of(pattern: re.Pattern) -> list[float]:
        return [float(match[1]) for log in logs if (match := pattern.search(log))]

    took, started = of(REPORT), of(INIT)
    init = f"{statistics.median(started):.0f}" if started else "-"
    return (
        f"| {name} | {init} | {statistics.median(took):.0f} | {max(took):.0f} | "
        f"{max(of(MEMORY)):.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("function", help="its name")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    function = Function(arguments.function)
    try:
        logs = measure(function, arguments.rounds)
    finally:
        function.set(function.variables)
    print("| | start, ms | answer, ms | slowest, ms | memory, MB |\n|---|---|---|---|---|")
    for name in sorted(logs):
        print(row(name, logs[name]))


if __name__ == "__main__":
    main()
