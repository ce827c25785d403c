"""Requests as they come from the gateway's host, on a socket that it shares with this process.

waitress reads them; its threads wait for functions, so as many are served at once as there are.
"""

import logging
import threading
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, get_header_lines
from waitress.server import create_server
from waitress.task import ErrorTask, WSGITask

from localcloud.services.apigateway.haproxy import SOURCE
from localcloud.services.apigateway.model import (
    BODY,
    FAILED,
    HEADERS_TOO_LARGE,
    TOO_LARGE,
    Answer,
    Request,
    message,
)

log = logging.getLogger("localcloud.apigateway")

THREADS = 100
FIELDS = "localcloud.fields"  # in an environment: all headers as they came
BAD = message(400, "Bad Request")
EMPTY = (204, 304)  # statuses without a body

Serve = Callable[[Request], Answer]


class Parser(HTTPRequestParser):
    """Keeps every header as it came: waitress drops those with underscores, and joins others."""

    def __init__(self, adj):
        super().__init__(adj)
        self.fields: list[tuple[str, str]] = []

    def parse_header(self, header_plus):
        super().parse_header(header_plus)
        if self.body_rcv is None:
            # waitress would wait for a body of no bytes, which never comes
            self.expect_continue = False
        _, _, lines = header_plus.partition(b"\r\n")
        for line in get_header_lines(lines):
            name, _, value = (part.decode("latin-1") for part in line.partition(b":"))
            self.fields.append((name.lower(), value.strip(" \t")))


class Task(WSGITask):
    def get_environment(self):
        return {**super().get_environment(), FIELDS: self.request.fields}


class Failure(ErrorTask):
    """What cannot be read, or is too long, in API Gateway's words."""

    def execute(self):
        answer = {413: TOO_LARGE, 431: HEADERS_TOO_LARGE}.get(self.request.error.code, BAD)
        self.status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        self.response_headers.extend(answer.headers)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


class Channel(HTTPChannel):
    parser_class = Parser
    task_class = Task
    error_task_class = Failure


class Front:
    """Serves until ``close``."""

    def __init__(self, path: Path, serve: Serve):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._serve = serve
        self._ended = threading.Event()
        self._server = create_server(
            self._application,
            unix_socket=str(path),
            unix_socket_perms="600",
            threads=THREADS,
            ident="",
            max_request_body_size=BODY + 1,
            recv_bytes=65536,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,
        )
        self._server.channel_class = Channel
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        server = self._server
        while not self._ended.is_set():
            server.asyncore.loop(timeout=0.5, use_poll=True, map=server._map, count=1)
        server.task_dispatcher.shutdown(timeout=2)  # idle ones end at once
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.close()

    def _application(self, environ, start_response):
        request = _request(environ)
        try:
            answer = self._serve(request)
        except Exception:
            log.exception("%s %s", request.method, request.target)
            answer = FAILED
        body = b"" if answer.status in EMPTY else answer.body
        start_response(_status(answer.status), [
            ("date", formatdate(usegmt=True)),
            *((name, value.encode().decode("latin-1")) for name, value in answer.headers),
            ("content-length", str(len(body))),
        ])  # fmt: skip
        return [] if request.method == "HEAD" else [body]


def _request(environ: dict) -> Request:
    fields = environ[FIELDS]
    source = next((value for name, value in fields if name == SOURCE), "")
    return Request(
        method=environ["REQUEST_METHOD"],
        target=environ["REQUEST_URI"],
        headers=tuple(each for each in fields if each[0] != SOURCE),
        source=source,
        body=environ["wsgi.input"].read(),
    )


def _status(number: int) -> str:
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return f"{number} -"
