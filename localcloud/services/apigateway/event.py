"""The event of payload format 2.0, as a function gets it: pure.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from localcloud.services.apigateway.model import Request
from localcloud.settings import ACCOUNT

TEXT = re.compile(r"text/|application/(?:json|javascript|xml|[\w.-]+\+(?:json|xml))(?:;|$)")
HOPS = ("connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade")
"""Headers that are about one connection only."""


@dataclass(frozen=True)
class Scene:
    """Where a request has come out. ``path`` is the decoded one that the function sees."""

    api: str
    stage: str
    route: str
    path: str
    parameters: dict[str, str]
    variables: dict[str, str]
    request_id: str
    trace: str
    at: datetime


def event(request: Request, scene: Scene) -> dict:
    """What the function gets."""
    headers = _headers(request, scene)
    body, encoded = _body(request)
    made = {
        "version": "2.0",
        "routeKey": scene.route,
        "rawPath": scene.path,
        "rawQueryString": request.query,
        "cookies": _cookies(request),
        "headers": headers,
        "queryStringParameters": _query(request.query),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": scene.api,
            "domainName": request.host,
            "domainPrefix": request.host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": scene.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source,
                "userAgent": request.header("user-agent"),
            },
            "requestId": scene.request_id,
            "routeKey": scene.route,
            "stage": scene.stage,
            "time": f"{scene.at.astimezone(UTC):%d/%b/%Y:%H:%M:%S} +0000",
            "timeEpoch": int(scene.at.timestamp() * 1000),
        },
        "pathParameters": scene.parameters,
        "stageVariables": scene.variables,
        "body": body,
    }
    # what there is nothing of is left out
    made = {key: value for key, value in made.items() if value or key in ALWAYS}
    return {**made, "isBase64Encoded": encoded}


ALWAYS = ("rawPath", "rawQueryString", "headers")


def _headers(request: Request, scene: Scene) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers:
        if name in HOPS or name in ("cookie", "content-length", "expect"):
            continue
        found[name] = f"{found[name]},{value}" if name in found else value
    forwarded = found.get("x-forwarded-for")
    found |= {
        "content-length": str(len(request.body)),
        "x-amzn-trace-id": scene.trace,
        "x-forwarded-for": f"{forwarded}, {request.source}" if forwarded else request.source,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    return dict(sorted(found.items()))


def _cookies(request: Request) -> list[str]:
    values = [value for name, value in request.headers if name == "cookie"]
    return [each for value in values for part in value.split(";") if (each := part.strip())]


def _query(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(request: Request) -> tuple[str, bool]:
    """The body as a text, and whether it is in base64: what is not said to be text is."""
    if not request.body:
        return "", False
    if TEXT.match(request.header("content-type").lower()):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            """It is not what it says."""
    return base64.b64encode(request.body).decode(), True
