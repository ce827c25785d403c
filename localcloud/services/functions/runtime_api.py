"""The Runtime API of one execution environment, at 127.0.0.1:9001 in its own network namespace.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: the runtime asks for the next
invocation, which is answered when there is one, and posts its response or its error.
"""

import json
import os
import re
import socket
import socketserver
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from localcloud.services.functions.model import ANSWER

ADDRESS = ("127.0.0.1", 9001)
BASE = "/2018-06-01/runtime"
POSTED = re.compile(rf"{BASE}/invocation/([^/]+)/(response|error)")


@dataclass(frozen=True)
class Invocation:
    """What a function is asked. ``deadline`` is the clock's time in seconds."""

    id: str
    arn: str
    payload: bytes
    deadline: float
    client_context: str = ""


@dataclass(frozen=True)
class Answer:
    """What it said, or that it failed."""

    payload: bytes
    failed: bool = False


class RuntimeApi:
    """Serves one runtime, which works on one invocation at a time."""

    def __init__(self, listener: socket.socket):
        self.initialised: float | None = None  # when the runtime first asked, monotonic
        self.init_error: Answer | None = None
        self.ended = False
        self._waiting = False
        self._invocation: Invocation | None = None
        self._answer: Answer | None = None
        self._changed = threading.Condition()
        self._server = _Server(listener, self)
        threading.Thread(target=self._server.serve_forever, args=(0.5,), name="runtime api",
                         daemon=True).start()  # fmt: skip

    # what the environment asks

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether the runtime asks for an invocation in time; False too if it failed or ended."""
        return self._wait(lambda: self._waiting and self._invocation is None, seconds)

    def hand_out(self, invocation: Invocation) -> None:
        with self._changed:
            self._answer = None
            self._invocation = invocation
            self._changed.notify_all()

    def wait_for_answer(self, seconds: float) -> Answer | None:
        """The answer to what was handed out; None when it does not come in time, or never will."""
        self._wait(lambda: self._answer is not None, seconds)
        return self._answer

    def end(self) -> None:
        """Nobody is there any more."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def close(self) -> None:
        self.end()
        self._server.shutdown()
        self._server.server_close()

    def _wait(self, condition, seconds: float) -> bool:
        with self._changed:
            self._changed.wait_for(
                lambda: condition() or self.ended or self.init_error is not None, max(0, seconds)
            )
            return bool(condition())

    # what the runtime asks

    def next(self) -> Invocation | None:
        """Block until there is an invocation; None when there will be none."""
        with self._changed:
            if self.initialised is None:
                self.initialised = time.monotonic()
            self._invocation, self._waiting = None, True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._invocation is not None or self.ended)
            self._waiting = False
            return None if self.ended else self._invocation

    def post(self, identity: str, answer: Answer) -> bool:
        """Whether that is what is worked on."""
        with self._changed:
            if self._invocation is None or self._invocation.id != identity or self._answer:
                return False
            self._answer = answer
            self._changed.notify_all()
            return True

    def fail_to_start(self, answer: Answer) -> None:
        with self._changed:
            self.init_error = answer
            self._changed.notify_all()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, api: RuntimeApi):
        super().__init__(ADDRESS, _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.api = api

    def handle_error(self, request, client_address):
        """The runtime was killed in the middle of a request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path != f"{BASE}/invocation/next":
            self._say(404, {"errorType": "NotFound", "errorMessage": self.path})
            return
        invocation = self.server.api.next()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            "Content-Type": "application/json",
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        self._send(200, headers, invocation.payload)

    def do_POST(self):
        body = self._body()
        if self.path == f"{BASE}/init/error":
            self.server.api.fail_to_start(Answer(body, failed=True))
            self._say(202, {"status": "OK"})
            return
        found = POSTED.fullmatch(self.path)
        if found is None:
            self._say(404, {"errorType": "NotFound", "errorMessage": self.path})
            return
        answer = Answer(body, failed=found[2] == "error")
        if len(body) > ANSWER:
            said = {
                "errorType": "Function.ResponseSizeTooLarge",
                "errorMessage": "Response payload size exceeded maximum allowed payload size "
                f"({ANSWER} bytes).",
            }
            self.server.api.post(found[1], Answer(json.dumps(said).encode(), failed=True))
            self._say(413, {
                "errorType": "RequestEntityTooLarge",
                "errorMessage": f"Exceeded maximum allowed payload size ({ANSWER} bytes).",
            })  # fmt: skip
        elif self.server.api.post(found[1], answer):
            self._say(202, {"status": "OK"})
        else:
            self._say(400, {"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _say(self, status: int, what: dict) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(what).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        """What a function is asked is in its own log."""


def listen(namespace: Path) -> socket.socket:
    """A socket that listens in a network namespace, for this process outside of it."""
    made: list[socket.socket | OSError] = []

    def enter():  # a thread of its own: it never comes back
        try:
            with namespace.open() as file:
                os.setns(file.fileno(), os.CLONE_NEWNET)
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(ADDRESS)
            listener.listen(16)
            made.append(listener)
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=enter, name="enter namespace")
    thread.start()
    thread.join()
    (found,) = made
    if isinstance(found, OSError):
        raise found
    return found
