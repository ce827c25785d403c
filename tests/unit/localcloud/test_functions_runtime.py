"""The Runtime API and a function's output, without a container."""

import contextlib
import http.client
import json
import os
import socket
import threading
import time

import pytest

from localcloud.services.functions.model import ANSWER
from localcloud.services.functions.output import Output
from localcloud.services.functions.runtime_api import BASE, Answer, Invocation, RuntimeApi


@pytest.fixture
def api():
    listener = socket.create_server(("127.0.0.1", 0))
    made = RuntimeApi(listener)
    made.port = listener.getsockname()[1]
    yield made
    made.close()


def request(api, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=5)
    connection.request(method, BASE + path, body)
    reply = connection.getresponse()
    said = reply.status, dict(reply.getheaders()), reply.read()
    connection.close()
    return said


def working(api, answer) -> threading.Thread:
    """A runtime that takes one invocation, posts ``answer(id, body)`` and asks for the next."""

    def run():
        _, headers, body = request(api, "GET", "/invocation/next")
        answer(headers["Lambda-Runtime-Aws-Request-Id"], body)
        with contextlib.suppress(OSError, http.client.HTTPException):
            request(api, "GET", "/invocation/next")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_an_invocation_goes_out_and_its_answer_comes_back(api):
    posted = []
    working(api, lambda name, body: posted.append(
        request(api, "POST", f"/invocation/{name}/response", body + b"!")))  # fmt: skip
    assert api.wait_until_ready(5)
    assert api.initialised
    api.hand_out(Invocation("r1", "arn", b'"x"', time.time() + 3))
    assert api.wait_for_answer(5) == Answer(b'"x"!')
    assert api.wait_until_ready(5)
    assert posted[0][0] == 202


def test_an_answer_that_is_too_long_is_an_error(api):
    posted = []
    working(api, lambda name, body: posted.append(
        request(api, "POST", f"/invocation/{name}/response", b"x" * (ANSWER + 1))))  # fmt: skip
    api.wait_until_ready(5)
    api.hand_out(Invocation("r1", "arn", b"{}", time.time() + 3))
    answer = api.wait_for_answer(5)
    assert json.loads(answer.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert answer.failed
    assert api.wait_until_ready(5)
    assert posted[0][0] == 413


def test_only_what_is_worked_on_can_be_answered(api):
    status, _, body = request(api, "POST", "/invocation/other/response", b"{}")
    assert (status, json.loads(body)["errorType"]) == (400, "InvalidRequestID")


def test_who_fails_to_start_says_so(api):
    assert request(api, "POST", "/init/error", b'{"errorType": "X"}')[0] == 202
    assert not api.wait_until_ready(5)
    assert api.init_error == Answer(b'{"errorType": "X"}', failed=True)


def test_nobody_waits_for_who_has_ended(api):
    api.end()
    begun = time.monotonic()
    assert not api.wait_until_ready(5)
    assert api.wait_for_answer(5) is None
    assert time.monotonic() - begun < 2


def test_output_is_read_to_the_last_byte(tmp_path):
    output = Output(tmp_path / "log")
    with os.fdopen(os.open(tmp_path / "log", os.O_WRONLY), "wb", 0) as printed:
        printed.write(b"one\ntwo\rof two\nunfin")
        assert output.take() == ["one", "two\nof two", "unfin"]
        printed.write(b"x" * 300_000 + b"\n")
        time.sleep(0.1)
        assert [len(line) for line in output.take()] == [256 * 1024, 300_000 - 256 * 1024]
    output.close()
