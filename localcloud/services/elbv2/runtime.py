"""A running HAProxy, spoken to through its sockets on this machine."""

import csv
import io
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from localcloud.services.managed import HostError

SECONDS = 2


class HaproxyError(HostError):
    """HAProxy refused; the message is its own."""


@dataclass(frozen=True)
class Seen:
    """A server as HAProxy sees it. ``status`` is "UP", "DOWN", "MAINT", "DRAIN", "no check" and
    the like; ``check`` is the last check's result ("L7OK", "L4CON", ...) with its HTTP code."""

    group: str
    name: str
    status: str
    check: str
    code: str
    requests: int

    @property
    def up(self) -> bool:
        return self.status.startswith("UP")

    @property
    def maintenance(self) -> bool:
        return self.status.startswith("MAINT")


class Haproxy:
    """The process whose sockets are in ``directory``."""

    def __init__(self, directory: Path):
        self.directory = directory

    def ask(self, command: str) -> str:
        return self._talk("admin.sock", command)

    def must(self, command: str, expected: str = "") -> None:
        """Run a command that answers ``expected`` (nothing, for most) when it worked."""
        answer = self.ask(command).strip()
        if not answer.startswith(expected) or (not expected and answer):
            raise HaproxyError(f"{command}: {answer}")

    def reload(self) -> None:
        """Load the configuration anew; connections stay with the process that has them."""
        answer = self._talk("master.sock", "reload", seconds=30)
        if "Success=1" not in answer:
            lines = [line for line in answer.splitlines() if "[ALERT]" in line]
            raise HaproxyError("HAProxy does not take the configuration: " + " ".join(lines))

    def leaving(self) -> bool:
        """Whether processes are there yet that a reload has left. Each answers one more request on
        every connection that it has, by the servers that it knows, and cannot be told of others."""
        text = self._talk("master.sock", "show proc;quit")
        return bool(text.partition("# old workers")[2].partition("#")[0].strip())

    def ready(self) -> bool:
        try:
            return "Name: HAProxy" in self._talk("admin.sock", "show info", patient=False)
        except OSError:
            return False

    def servers(self) -> list[Seen]:
        return parse(self.ask("show stat -1 4 -1"))

    def save_state(self) -> None:
        """Write down who is healthy, so that a reload does not forget it."""
        lines = self.ask("show servers state").splitlines()
        kept = [line for line in lines if " new:" not in line]
        (self.directory / "servers.state").write_text("\n".join(kept) + "\n")

    def _talk(self, name: str, command: str, seconds: float = SECONDS, patient: bool = True) -> str:
        with self._connect(name, seconds, patient) as client:
            client.sendall(command.encode() + b"\n")
            answer = b""
            while data := client.recv(65536):
                answer += data
        return answer.decode(errors="replace")

    def _connect(self, name: str, seconds: float, patient: bool) -> socket.socket:
        """A reload hands the socket over, and refuses for a moment meanwhile."""
        give_up = time.monotonic() + seconds
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(seconds)
            try:
                client.connect(str(self.directory / name))
                return client
            except (ConnectionRefusedError, FileNotFoundError):
                client.close()
                if not patient or time.monotonic() > give_up:
                    raise
                time.sleep(0.02)


def parse(text: str) -> list[Seen]:
    """``show stat`` of servers."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ").strip()))
    return [
        Seen(
            group=row["pxname"].removeprefix("group_"),
            name=row["svname"],
            status=row["status"],
            check=row["check_status"].removeprefix("* "),
            code=row["check_code"],
            requests=int(row["scur"] or 0),
        )
        for row in rows
    ]
