"""API Gateway's pure parts: routes, limits, what a function gets and what its answer becomes."""

import base64
import json
from datetime import UTC, datetime

import pytest

from localcloud.services.apigateway import routing
from localcloud.services.apigateway.answer import answer
from localcloud.services.apigateway.event import Scene, event
from localcloud.services.apigateway.model import FAILED, Request
from localcloud.services.apigateway.serving import source_arn
from localcloud.services.apigateway.throttling import Throttle

KEYS = [
    "$default", "ANY /{proxy+}", "GET /pets", "GET /pets/{id}", "ANY /pets/{id}", "GET /pets/dog",
    "GET /pets/{proxy+}", "POST /pets/{id}/toys/{toy}",
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/pets", "GET /pets", {}),
        ("GET", "/pets/dog", "GET /pets/dog", {}),
        ("GET", "/pets/6", "GET /pets/{id}", {"id": "6"}),
        ("PUT", "/pets/6", "ANY /pets/{id}", {"id": "6"}),
        ("GET", "/pets/6/7", "GET /pets/{proxy+}", {"proxy": "6/7"}),
        ("POST", "/pets/6/toys/7", "POST /pets/{id}/toys/{toy}", {"id": "6", "toy": "7"}),
        ("POST", "/a/b", "ANY /{proxy+}", {"proxy": "a/b"}),
        ("GET", "/", "$default", {}),
    ],
)
def test_the_most_specific_route_is_taken(method, path, key, parameters):
    assert routing.choose(KEYS, method, path) == routing.Match(key, parameters)


def test_without_a_route_there_is_none():
    assert routing.choose(["GET /pets"], "POST", "/pets") is None
    assert routing.choose(["GET /pets"], "GET", "/pets/") is None
    assert routing.choose(["GET /pets/{id}"], "GET", "/pets/") is None


@pytest.mark.parametrize("key", ["GET", "get /x", "GET x", "GET /{a+}/b", "GET /x{a}", "TRACE /x"])
def test_no_route_is_called_so(key):
    assert routing.problem(key)


def test_a_stage_is_the_first_part_of_a_path_or_the_default():
    assert routing.stage_of(["$default", "dev"], "/dev/x") == ("dev", "/x")
    assert routing.stage_of(["$default", "dev"], "/develop") == ("$default", "/develop")
    assert routing.stage_of(["dev"], "/x") is None
    assert routing.stage_of(["$default"], "/$default/x") == ("$default", "/$default/x")


def test_the_longest_mapping_is_taken_and_leaves_the_path():
    assert routing.mapping_of(["", "v1", "v1/new"], "/v1/new/x") == ("v1/new", "/x")
    assert routing.mapping_of(["", "v1"], "/v1") == ("v1", "/")
    assert routing.mapping_of(["", "v1"], "/v10") == ("", "/v10")
    assert routing.mapping_of(["v1"], "/x") is None


def test_a_permission_names_the_route():
    arn = "arn:aws:execute-api:us-east-1:123456789012:api"
    assert source_arn("api", "$default", "$default") == f"{arn}/$default/$default"
    assert source_arn("api", "dev", "GET /pets/{id}") == f"{arn}/dev/GET/pets/{{id}}"
    assert source_arn("api", "dev", "ANY /pets") == f"{arn}/dev/*/pets"


def test_a_bucket_of_tokens_fills_at_its_rate():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    assert [throttle.admits(("a",), 2, 3) for _ in range(4)] == [True, True, True, False]
    assert throttle.admits(("b",), 2, 3)  # another route has its own
    now[0] = 0.5
    assert [throttle.admits(("a",), 2, 3) for _ in range(2)] == [True, False]
    now[0] = 100
    assert [throttle.admits(("a",), 2, 3) for _ in range(4)] == [True, True, True, False]


def test_without_limits_all_pass_and_with_none_nobody_does():
    throttle = Throttle()
    assert all(throttle.admits(("a",), None, None) for _ in range(1000))
    assert not throttle.admits(("b",), 0, 0)


# the event


def scene(**options):
    return Scene(**{
        "api": "abc", "stage": "$default", "route": "$default", "path": "/a b", "parameters": {},
        "variables": {}, "request_id": "id=", "trace": "Root=1-2-3",
        "at": datetime(2026, 11, 29, 4, 5, 6, 789000, tzinfo=UTC), **options,
    })  # fmt: skip


def request(method="GET", target="/a%20b", headers=(), body=b""):
    fields = (("host", "abc.execute-api.us-east-1.amazonaws.com"), *headers)
    return Request(method, target, fields, "203.0.113.9", body)


def test_an_event_is_as_aws_makes_it():
    asked = request(
        target="/a%20b?x=1&x=2&y=%20",
        headers=(("accept", "a"), ("accept", "b"), ("cookie", "s=1; t=2"), ("cookie", "u=3"),
                 ("x-forwarded-for", "9.9.9.9"), ("user-agent", "me"), ("connection", "close")),
    )  # fmt: skip
    assert event(asked, scene()) == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a b",
        "rawQueryString": "x=1&x=2&y=%20",
        "cookies": ["s=1", "t=2", "u=3"],
        "headers": {
            "accept": "a,b",
            "content-length": "0",
            "host": "abc.execute-api.us-east-1.amazonaws.com",
            "user-agent": "me",
            "x-amzn-trace-id": "Root=1-2-3",
            "x-forwarded-for": "9.9.9.9, 203.0.113.9",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "queryStringParameters": {"x": "1,2", "y": " "},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": "abc.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "abc",
            "http": {
                "method": "GET",
                "path": "/a b",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "me",
            },
            "requestId": "id=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "29/Nov/2026:04:05:06 +0000",
            "timeEpoch": 1795925106789,
        },
        "isBase64Encoded": False,
    }


def test_what_there_is_of_a_route_and_a_stage_is_told():
    made = event(request(), scene(parameters={"id": "6"}, variables={"colour": "blue"}))
    assert (made["pathParameters"], made["stageVariables"]) == ({"id": "6"}, {"colour": "blue"})


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("text/plain", "é".encode(), False),
        ("application/json; charset=utf-8", b"{}", False),
        ("application/problem+json", b"{}", False),
        ("text/plain", b"\xff\xfe", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("multipart/form-data; boundary=x", b"--x--", True),
        ("image/png", b"\x89PNG", True),
        ("", b"x", True),
    ],
)
def test_a_body_that_is_not_text_is_in_base64(kind, body, encoded):
    made = event(request("POST", headers=(("content-type", kind),), body=body), scene())
    assert made["isBase64Encoded"] is encoded
    said = made["body"]
    assert (base64.b64decode(said) if encoded else said.encode()) == body
    assert made["headers"]["content-length"] == str(len(body))


# the answer


def said(what):
    return answer(json.dumps(what).encode())


def test_an_answer_without_a_status_is_inferred():
    made = said({"hello": "world"})
    assert (made.status, json.loads(made.body)) == (200, {"hello": "world"})
    assert made.headers == (("content-type", "application/json"),)
    assert said("Hello").body == b"Hello"


def test_an_answer_has_headers_cookies_and_bytes():
    made = said({
        "statusCode": 201, "headers": {"Content-Type": "image/png", "X-N": 5, "Connection": "x",
                                       "Content-Length": "9"},
        "cookies": ["a=1; Path=/", "b=2"], "isBase64Encoded": True,
        "body": base64.b64encode(b"\x89PNG").decode(),
    })  # fmt: skip
    assert (made.status, made.body) == (201, b"\x89PNG")
    assert made.headers == (
        ("content-type", "image/png"), ("x-n", "5"), ("set-cookie", "a=1; Path=/"),
        ("set-cookie", "b=2"),
    )  # fmt: skip


def test_an_answer_without_a_type_is_text():
    assert said({"statusCode": "204"}).headers == (("content-type", "text/plain;charset=UTF-8"),)


@pytest.mark.parametrize(
    "what",
    [
        {"statusCode": "abc"},
        {"statusCode": 99},
        {"statusCode": True},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": {"x": ["a"]}},
        {"statusCode": 200, "headers": {"x": "a\r\nSet-Cookie: b=1"}},
        {"statusCode": 200, "isBase64Encoded": True, "body": "no base64!"},
    ],
)
def test_what_api_gateway_does_not_understand_is_a_500(what):
    assert said(what) == FAILED


def test_the_limit_of_headers_is_about_the_request_line_and_values():
    asked = request(headers=(("x-long-name", "v" * 100),))
    assert asked.size == len("GET /a%20b HTTP/1.1") + 100 + len(asked.host)
