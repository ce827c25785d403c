"""What a function prints: a pipe that it writes and the local cloud reads."""

import os
import select
import threading
from pathlib import Path

LONGEST = 256 * 1024  # an event of CloudWatch Logs


class Output:
    """Lines in the order they were printed; a function that prints much never waits for long."""

    def __init__(self, path: Path):
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        path.chmod(0o622)
        # open for writing too: the pipe has no end when a program closes it
        self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._text = b""
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._open = True
        threading.Thread(target=self._run, name="output", daemon=True).start()

    def take(self) -> list[str]:
        """What was printed since the last time, to the last byte."""
        self._drain()
        with self._lock:
            if self._text:
                self._add(self._text)
                self._text = b""
            taken, self._lines = self._lines, []
        return taken

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._file)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._file, select.POLLIN)
        while self._open:
            if poll.poll(500):
                self._drain()

    def _drain(self) -> None:
        with self._lock:
            while self._open:
                try:
                    part = os.read(self._file, 65536)
                except BlockingIOError:
                    return
                *whole, self._text = (self._text + part).split(b"\n")
                for line in whole:
                    self._add(line)

    def _add(self, line: bytes) -> None:
        # awslambdaric ends the lines of one message with \r, so that they stay together
        text = line.decode(errors="replace").replace("\r", "\n")
        for start in range(0, max(1, len(text)), LONGEST):
            self._lines.append(text[start : start + LONGEST])
