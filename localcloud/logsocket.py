"""What a host's HAProxy logs, read as it comes.

The kernel keeps few datagrams of a socket and HAProxy drops a line rather than to wait, so a thread
does nothing but read.
"""

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from localcloud import registry

log = logging.getLogger("localcloud.logsocket")

QUEUE = Path("/proc/sys/net/unix/max_dgram_qlen")
WANTED = 512
"""Datagrams that a socket keeps: what systemd asks for on every machine that it boots."""


class LogSocket:
    """Calls ``take`` with each line that is a JSON object."""

    def __init__(self, path: Path, take: Callable[[dict], None]):
        _lengthen()
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._take = take
        self._thread = threading.Thread(target=self._run, name=f"log {path.parent.name}",
                                        daemon=True)  # fmt: skip
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)
        self._thread.join(timeout=5)
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                datagram = self._socket.recv(65536)
            except OSError:
                return
            if not datagram:
                return
            entry = record(datagram)
            if entry:
                try:
                    self._take(entry)
                except Exception:  # one odd line must not end the reading of all others
                    log.exception("a line of the log")


def record(datagram: bytes) -> dict | None:
    """The JSON object in a syslog line of HAProxy, None for its other messages."""
    text = datagram.decode(errors="replace")
    start = text.find("{")
    if start < 0:
        return None
    try:
        return json.loads(text[start:])
    except ValueError:
        return None


def shorten() -> None:
    """After the last local cloud the machine's setting is what it was, unless others changed it."""
    with registry.locked(), contextlib.suppress(OSError):
        if _before().exists() and not registry.any_left():
            if QUEUE.read_text().strip() == str(WANTED):
                QUEUE.write_text(_before().read_text())
            _before().unlink()


def _lengthen() -> None:
    """Let sockets made from now on keep more, where nobody has seen to it."""
    with contextlib.suppress(OSError, ValueError), registry.locked():
        before = QUEUE.read_text()
        if int(before) < WANTED:
            _before().write_text(before)
            QUEUE.write_text(str(WANTED))


def _before() -> Path:
    """What the setting was."""
    return registry.DIRECTORY / "max_dgram_qlen-before"
