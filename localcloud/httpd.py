"""The HTTP server of the API: waitress, which streams bodies to disk and keeps connections.

It takes chunked bodies and ``Expect: 100-continue``. What does not fit into memory waits in a
file without a name, in the state directory (`/tmp` is memory on Debian 13).
"""

import re
import tempfile
from pathlib import Path

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, get_header_lines
from waitress.server import create_server
from waitress.task import WSGITask

from localcloud import peers

METADATA = re.compile(rb"(?m)^X-Amz-Meta-[^:\r\n]*")
USER = "localcloud.user"  # in an environment: who is at the other end
THREADS = 32  # calls such as CreateDBInstance hold one for seconds
LARGEST_BODY = 5 * 2**30 + 2**20  # an S3 object that is put at once, and its chunks' headers


class Parser(HTTPRequestParser):
    """Keeps the names of S3 metadata with underscores, which waitress would drop."""

    def __init__(self, adj):
        super().__init__(adj)
        self.names: dict[str, str] = {}

    def parse_header(self, header_plus):
        super().parse_header(header_plus)
        if self.body_rcv is None:
            # waitress would wait for a body of no bytes, which never comes
            self.expect_continue = False
        _, _, lines = header_plus.partition(b"\r\n")
        for line in get_header_lines(lines):
            name, _, value = (part.decode("latin-1") for part in line.partition(b":"))
            key = environ_key_for_header(name).removeprefix("HTTP_")
            # one with dashes is never overwritten
            if should_preserve_original_header_name(name) and key not in self.headers:
                self.headers[key] = value.strip(" \t")
                self.names[environ_key_for_header(name)] = name


class Task(WSGITask):
    """What moto wants to know beyond WSGI."""

    def get_environment(self):
        environ = super().get_environment()
        environ["RAW_URI"] = self.request.request_uri
        environ[USER] = self.channel.user
        environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = self.request.names
        return environ

    def build_response_header(self):
        """S3 answers metadata in small letters, which waitress makes capitals of."""
        return METADATA.sub(lambda name: name[0].lower(), super().build_response_header())


class Channel(HTTPChannel):
    """A connection; ``user`` is who is at its other end, if that is on this machine."""

    parser_class = Parser
    task_class = Task

    def __init__(self, server, sock, addr, *args, **kwargs):
        self.user = peers.uid(addr, sock.getsockname()) if addr[0].startswith("127.") else None
        super().__init__(server, sock, addr, *args, **kwargs)


def server(application, port: int, spool: Path, threads: int = THREADS):
    """A server on 127.0.0.1 that is not running yet: ``run()`` serves, ``close()`` ends."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(spool)  # waitress lets nobody name the place
    made = create_server(
        application,
        host="127.0.0.1",
        port=port,
        threads=threads,
        ident="",
        max_request_body_size=LARGEST_BODY,
        recv_bytes=65536,
        channel_timeout=120,
        connection_limit=1000,
        clear_untrusted_proxy_headers=False,
        # The process has the visitors' connections too; select() ends at file descriptor 1,023.
        asyncore_use_poll=True,
    )
    made.channel_class = Channel
    return made
