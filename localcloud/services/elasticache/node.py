"""One node of a replication group: its files, its start, and talking to its Valkey."""

import re
import time
from pathlib import Path

import redis

from localcloud.appliance import Appliances, Host, Recipe
from localcloud.hostfiles import Files
from localcloud.services.elasticache import config
from localcloud.services.managed import HostError

RECIPE = Recipe(
    name="cache",
    prefix="cache-",
    packages=("valkey-server",),
    files=Path(__file__).parent / "host",
    owner="amazon-elasticache",
)
VOLUME = 20
START_SECONDS = 120
DUMP = "data/dump.rdb"


class CacheError(HostError):
    """Valkey did not do what was asked; the message says why."""


class Node:
    """Valkey on ``host``, as ``settings`` say."""

    def __init__(self, appliances: Appliances, host: Host, settings: config.Settings):
        self.appliances = appliances
        self.host = host
        self.settings = settings
        self.files = Files(appliances, host, "valkey")

    # life

    def start(self, cpus: float, memory: int, primary: str | None = None,
              certificate: tuple[bytes, bytes, bytes] | None = None,
              dump: Path | None = None) -> None:  # fmt: skip
        """Boot the host, empty or with ``dump``; return when Valkey answers.

        ``certificate`` is the chain, the key and the authority.
        """
        volume = self.appliances.mount(self.host)
        for name in ("data", "conf", "tls"):
            self.files.directory(name)
        self.files.own(self.appliances.sockets(self.host))
        self.files.delete(DUMP)
        if dump:
            self.files.write(DUMP, dump.read_bytes())
        for name, content in zip(("server.crt", "server.key", "ca.crt"), certificate or (),
                                 strict=False):  # fmt: skip
            self.files.write(f"tls/{name}", content)
        self.configure(primary)
        mounts = {
            volume / "data": config.DATA,
            volume / "conf": config.CONFIGURATION,
            volume / "tls": config.CERTIFICATES,
            self.appliances.sockets(self.host): config.SOCKETS,
        }
        self.appliances.start(self.host, cpus, memory, mounts)
        self._wait()

    def configure(self, primary: str | None = None) -> None:
        """Write what a restart would read."""
        self.files.write("conf/valkey.conf", config.conf(self.settings, primary))

    def takes_commands(self) -> bool:
        """Whether it runs and takes commands, once it is through with starting."""
        if not self.appliances.running(self.host):
            return False
        self._wait()
        return True

    def _wait(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                self.ask("PING")
                return
            except (redis.RedisError, OSError) as error:
                if time.monotonic() > give_up or not self.appliances.running(self.host):
                    raise CacheError(f"Valkey on {self.host.id} does not start: {error}") from error
            time.sleep(0.05)

    # talking

    def ask(self, *words):
        """Run a command as the platform, through the socket on this machine."""
        client = redis.Redis(
            unix_socket_path=str(self.appliances.sockets(self.host) / "valkey.sock"),
            username=config.PLATFORM_USER,
            password=self.settings.password,
            socket_timeout=5,
            decode_responses=True,
        )
        try:
            return client.execute_command(*words)
        finally:
            client.close()

    def must(self, *words) -> None:
        """Run a command that has to work."""
        try:
            self.ask(*words)
        except redis.RedisError as error:
            raise CacheError(f"{words[0]} on {self.host.id}: {error}") from error

    def replication(self) -> dict:
        """INFO REPLICATION; empty if it cannot be asked."""
        try:
            return self.ask("INFO", "replication")
        except (redis.RedisError, OSError):
            return {}

    def answers(self) -> bool:
        """Whether it can be reached over the network, asked from this machine."""
        return self.appliances.answers(self.host, self.settings.port)

    # roles

    def follow(self, primary: str) -> None:
        """Be a replica of the node at that address, now and after a restart."""
        self.must("REPLICAOF", primary, self.settings.port)
        self.configure(primary)

    def lead(self) -> None:
        """Take writes."""
        self.must("REPLICAOF", "NO", "ONE")
        self.configure()

    def hand_over(self, replica: Host, seconds: float = 10) -> None:
        """The planned failover: no write is lost, and who stays connected gets READONLY."""
        self.must("FAILOVER", "TO", replica.address, self.settings.port, "TIMEOUT",
                  int(seconds * 1000))  # fmt: skip
        give_up = time.monotonic() + seconds
        while self.replication().get("role") != "slave":
            if time.monotonic() > give_up:
                raise CacheError(f"{self.host.id} did not hand over within {seconds:.0f} s")
            time.sleep(0.05)

    def in_sync(self) -> bool:
        """Whether, as a replica, it has what its primary has."""
        seen = self.replication()
        return (
            seen.get("role") == "slave"
            and seen.get("master_link_status") == "up"
            and not seen.get("master_sync_in_progress")
        )

    # what is changed while it runs

    def set_tokens(self, tokens: tuple[str, ...]) -> None:
        self.must("ACL", "SETUSER", "default", *config.rules(tokens))

    def set_parameter(self, name: str, value: str) -> None:
        self.must("CONFIG", "SET", name, value)

    def dump(self, target: Path) -> None:
        """Write what it has to ``target``."""
        before = self.ask("LASTSAVE")
        time.sleep(1.0 - time.time() % 1)  # LASTSAVE counts whole seconds
        self.must("BGSAVE")
        give_up = time.monotonic() + 60
        while self.ask("LASTSAVE") == before:
            if time.monotonic() > give_up:
                raise CacheError(f"{self.host.id} did not save within 60 s")
            time.sleep(0.1)
        part = target.with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes((self.appliances.volume(self.host) / DUMP).read_bytes())
        part.rename(target)


def version(layer: Path) -> str:
    """The Valkey that is installed in the image's ``layer``, such as 8.1."""
    text = (layer / "var/lib/dpkg/status").read_text()
    found = re.search(r"^Package: valkey-server$.*?^Version: (\d+\.\d+)", text, re.M | re.S)
    if found is None:
        raise CacheError(f"{layer} has no Valkey")
    return found[1]
