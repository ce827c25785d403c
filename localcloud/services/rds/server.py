"""One host of a database: its files, its start, and talking to its PostgreSQL."""

import os
import re
import struct
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg

from localcloud import shell
from localcloud.appliance import Appliances, Host, Recipe
from localcloud.hostfiles import Files
from localcloud.services.managed import HostError
from localcloud.services.rds import postgres

RECIPE = Recipe(
    name="database",
    prefix="rds-",
    packages=("postgresql-17",),
    files=Path(__file__).parent / "host",
    owner="amazon-rds",
)
START_SECONDS = 120
# 1234.5679: what a client sends to ask for TLS, answered before anything else.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class ServerError(HostError):
    """PostgreSQL did not do what was asked; the message says why."""


class Server:
    """PostgreSQL on ``host``, listening on ``port``."""

    def __init__(self, appliances: Appliances, host: Host, port: int):
        self.appliances = appliances
        self.host = host
        self.port = port
        self.files = Files(appliances, host, "postgres")

    def prepare(self, snapshot: str | None = None) -> None:
        """Mount the volume and make its directories."""
        volume = self.appliances.mount(self.host, snapshot)
        for name in ("data", "conf", "tls"):
            self.files.directory(name)
        self.files.own(self.appliances.sockets(self.host))
        # a copy of a running server's volume looks as if that server still ran
        (volume / "data/postmaster.pid").unlink(missing_ok=True)

    def start(self, cpus: float, memory: int) -> None:
        """Boot the host and return when PostgreSQL accepts connections."""
        volume = self.appliances.volume(self.host)
        mounts = {
            volume / "data": postgres.DATA,
            volume / "conf": postgres.CONFIGURATION,
            volume / "tls": postgres.CERTIFICATES,
            self.appliances.sockets(self.host): postgres.SOCKETS,
        }
        self.appliances.start(self.host, cpus, memory, mounts)
        self.wait()

    def wait(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                with self.connect():
                    return
            except psycopg.Error as error:
                if time.monotonic() > give_up or not self.appliances.running(self.host):
                    raise ServerError(self._why(error)) from error
            time.sleep(0.05)

    def stop(self) -> None:
        self.appliances.stop(self.host, 60)

    @contextmanager
    def connect(self, database: str = "postgres"):
        """A connection as the owner, through the local socket."""
        with psycopg.connect(
            host=str(self.appliances.sockets(self.host)),
            port=self.port,
            user=postgres.OWNER,
            dbname=database,
            connect_timeout=2,
            autocommit=True,
        ) as connection:
            yield connection

    def execute(self, *statements) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def value(self, query: str, *parameters):
        """The first column of the first row, or None."""
        with self.connect() as connection:
            row = connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def answers(self, seconds: float = 1.0) -> bool:
        """Whether PostgreSQL answers over the network, asked from this machine."""
        try:
            with self.appliances.connect(self.host, self.port, seconds) as probe:
                probe.sendall(_SSL_REQUEST)
                return probe.recv(1) in (b"S", b"N")
        except OSError:
            return False

    def promote(self) -> None:
        """Make a standby the primary; return when it takes writes."""
        if not self.value("select pg_promote(true, 60)"):
            raise ServerError(f"{self.host.id} did not become the primary within 60 s")
        self.files.delete("data/standby.signal")

    def free(self) -> int:
        """Bytes left on the volume."""
        status = os.statvfs(self.appliances.volume(self.host))
        return status.f_bavail * status.f_frsize

    @contextmanager
    def frozen(self):
        """Hold all writes to the volume, so that a copy of it is of one moment."""
        volume = self.appliances.volume(self.host)
        shell.run("fsfreeze", "--freeze", volume)
        try:
            yield
        finally:
            shell.run("fsfreeze", "--unfreeze", volume)

    def thaw(self) -> None:
        """Undo a freeze that a crash of this process left."""
        volume = self.appliances.volume(self.host)
        if os.path.ismount(volume):
            shell.run("fsfreeze", "--unfreeze", volume, check=False)

    def _why(self, error: Exception) -> str:
        try:
            log = self.appliances.cloud.engine.execute(
                self.host.id, "journalctl", "--no-pager", "--lines=5", "--unit=database",
                "--output=cat", timeout=10,
            )  # fmt: skip
        except shell.CommandError:
            log = ""
        return f"PostgreSQL on {self.host.id} does not start: {log or error}"


def copy_volume(source: Server, target: Host) -> None:
    """Give ``target`` a volume with what ``source`` has at this moment."""
    storage = source.appliances.cloud.storage
    storage.delete(target.id)
    source.execute("checkpoint")
    with source.frozen():
        storage.clone(source.host.id, target.id)


def version(layer: Path) -> str:
    """The PostgreSQL that is installed in the image's ``layer``, such as 17.6."""
    text = (layer / "var/lib/dpkg/status").read_text()
    found = re.search(r"^Package: postgresql-17$.*?^Version: ([\d.]+)", text, re.M | re.S)
    if found is None:
        raise ServerError(f"{layer} has no PostgreSQL 17")
    return found[1]
