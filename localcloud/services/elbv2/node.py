"""One node of a load balancer: HAProxy in a host of its own.

Listeners, rules and certificates are its configuration, and changing them reloads HAProxy.
Targets come and go through its socket, without a reload:

- a new target starts as ``new:ADDRESS``, a server that gets checks only, twice a second;
- one good check makes it ``ADDRESS``, a server with the group's own interval and thresholds, and
  ``any:ADDRESS``, which gets requests when no target of the group is healthy;
- a deregistered target gets no new request and is removed when its last one is done.

A reload leaves processes that go on with the connections they have, and choose among the targets of
before: as long as there is one, none of these is gone.
"""

import hashlib
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

from localcloud import shell
from localcloud.appliance import Appliances, Host, Recipe
from localcloud.services.elbv2 import haproxy, health
from localcloud.services.elbv2.health import Health
from localcloud.services.elbv2.model import Balancer, Target, TargetGroup
from localcloud.services.elbv2.runtime import Haproxy, HaproxyError, Seen

log = logging.getLogger("localcloud.elbv2")

RECIPE = Recipe(
    name="balancer",
    prefix="alb-",
    packages=("haproxy",),
    files=Path(__file__).parent / "host",
    owner="amazon-elb",
)
CORES, MEMORY, VOLUME = 1.0, 512, 2
START_SECONDS = 30
NEW = "new:"
GOOD = ("L4OK", "L6OK", "L7OK", "L7OKC")

Targets = dict[str, tuple[Target, ...]]


class Node:
    """``host`` runs what ``balancer`` says. ``since`` remembers when things began, by name."""

    def __init__(self, appliances: Appliances, host: Host, since: dict[tuple, float]):
        self.appliances = appliances
        self.host = host
        self.since = since
        self.haproxy = Haproxy(appliances.sockets(host))

    def start(self, balancer: Balancer, certificates: dict[str, bytes]) -> None:
        """Boot the host; return when it listens."""
        volume = self.appliances.mount(self.host)
        self.haproxy.directory.mkdir(parents=True, exist_ok=True)
        (self.haproxy.directory / "servers.state").touch()
        (volume / "etc").mkdir(exist_ok=True)
        self._write(balancer, certificates)
        mounts = {volume / "etc": haproxy.DIRECTORY, self.haproxy.directory: haproxy.SOCKETS}
        self.appliances.start(self.host, CORES, MEMORY, mounts)
        give_up = time.monotonic() + START_SECONDS
        while not self.haproxy.ready():
            if time.monotonic() > give_up or not self.appliances.running(self.host):
                raise HaproxyError(f"HAProxy on {self.host.id} does not start: {self._log()}")
            time.sleep(0.05)

    def configure(self, balancer: Balancer, certificates: dict[str, bytes]) -> None:
        """Make listeners, rules and groups so, if they are not."""
        if self.host.extra.get("structure") == _structure(balancer, certificates):
            return
        self.haproxy.save_state()
        self._write(balancer, certificates)
        self.haproxy.reload()

    def sync(self, balancer: Balancer, targets: Targets) -> None:
        """Take one step towards having these targets, and no others."""
        seen: dict[str, dict[str, Seen]] = {group.name: {} for group in balancer.groups}
        for server in self.haproxy.servers():
            seen.setdefault(server.group, {})[server.name] = server
        for group in balancer.groups:
            servers = seen[group.name]
            wanted = {target.name: target for target in targets.get(group.name, ())}
            for target in wanted.values():
                self._admit(group, target, servers)
            for name in {_plain(each) for each in servers} - set(wanted):
                self._drain(group, name, servers)

    def health(self, group: TargetGroup, target: Target, servers: dict) -> Health:
        """This node's view of a registered target; ``servers`` by (group, name)."""
        server = servers.get((group.name, target.name))
        if server is None or server.maintenance:
            probed = (group.name, NEW + target.name) in servers
            return health.CHECKING if probed else health.INITIAL
        return health.of_server(server)

    def servers(self) -> dict[tuple[str, str], Seen]:
        return {(server.group, server.name): server for server in self.haproxy.servers()}

    # targets

    def _admit(self, group: TargetGroup, target: Target, servers: dict[str, Seen]) -> None:
        known = servers.get(target.name)
        if known and not known.maintenance:
            return
        probe = servers.get(NEW + target.name)
        if probe is None:
            self._add(group, NEW + target.name, haproxy.probe(group, target))
            self._set(group, NEW + target.name, "state drain")
            self.haproxy.must(f"enable health {self._path(group, NEW + target.name)}")
            self.since[group.name, target.name] = time.monotonic()
            return
        patience = group.check.interval * group.check.unhealthy
        good = probe.check in GOOD
        waited = time.monotonic() - self.since.setdefault(
            (group.name, target.name), time.monotonic()
        )
        if good or waited > patience:
            self._remove(group, NEW + target.name)
            self._establish(group, target, good, back=known is not None)

    def _establish(self, group: TargetGroup, target: Target, good: bool, back: bool) -> None:
        spare = haproxy.spare_name(target)
        if not back:
            self._add(group, target.name, haproxy.server(group, target))
            self._add(group, spare, haproxy.spare(group, target))
        self._set(group, target.name, "state ready")
        self.haproxy.must(f"enable health {self._path(group, target.name)}")
        self._set(group, target.name, f"health {'up' if good else 'down'}")
        self._set(group, spare, "state ready")
        self.since.pop((group.name, target.name), None)
        self.since.pop((group.name, target.name, "draining"), None)

    def _drain(self, group: TargetGroup, name: str, servers: dict[str, Seen]) -> None:
        """No new requests; remove what has none left, or has had its time."""
        began = self.since.setdefault((group.name, name, "draining"), time.monotonic())
        late = time.monotonic() - began > group.deregistration_delay
        gone = late or not self.haproxy.leaving()
        for each in (NEW + name, haproxy.SPARE + name, name):
            if each in servers and gone:
                gone = self._remove(group, each, late)
            elif each in servers:
                self._set(group, each, "state maint")
        if gone:
            self.since.pop((group.name, name, "draining"), None)
            self.since.pop((group.name, name), None)

    def _add(self, group: TargetGroup, name: str, arguments: str) -> None:
        self.haproxy.must(
            f"add server {self._path(group, name)} {arguments}", "New server registered"
        )

    def _remove(self, group: TargetGroup, name: str, forced: bool = False) -> bool:
        """Whether it is gone: not while it has requests, unless ``forced``."""
        path = self._path(group, name)
        self._set(group, name, "state maint")
        if forced:
            self.haproxy.ask(f"shutdown sessions server {path}")
        return self.haproxy.ask(f"del server {path}").startswith("Server deleted")

    def _set(self, group: TargetGroup, name: str, what: str) -> None:
        self.haproxy.must(f"set server {self._path(group, name)} {what}")

    def _path(self, group: TargetGroup, name: str) -> str:
        return f"{haproxy.backend(group.name)}/{name}"

    # files

    def _write(self, balancer: Balancer, certificates: dict[str, bytes]) -> None:
        directory = self.appliances.volume(self.host) / "etc"
        (directory / "certificates").mkdir(mode=0o700, exist_ok=True)
        for name, content in certificates.items():
            _replace(directory / "certificates" / name, content, 0o600)
        for path in (directory / "certificates").iterdir():
            if path.name not in certificates:
                path.unlink()
        members = self._members(balancer)
        text = haproxy.render(_with(balancer, members))
        _replace(directory / "haproxy.cfg", text.encode(), 0o644)
        self.host.extra["structure"] = _structure(balancer, certificates)

    def _members(self, balancer: Balancer) -> Targets:
        """Established targets: what a reload must keep."""
        if not self.haproxy.ready():
            return {}
        found: dict[str, tuple[Target, ...]] = {}
        for server in self.haproxy.servers():
            if _plain(server.name) == server.name and not server.maintenance:
                address, port = server.name.rsplit(":", 1)
                target = Target(server.name, address, int(port))
                found[server.group] = (*found.get(server.group, ()), target)
        return found

    def _log(self) -> str:
        try:
            return self.appliances.cloud.engine.execute(
                self.host.id, "journalctl", "--no-pager", "--lines=5", "--unit=balancer",
                "--output=cat", timeout=10,
            )  # fmt: skip
        except shell.CommandError as error:
            return str(error)


def _plain(name: str) -> str:
    """The target's name in a server's."""
    return name.removeprefix(NEW).removeprefix(haproxy.SPARE)


def _with(balancer: Balancer, members: Targets) -> Balancer:
    return replace(balancer, members=members)


def _structure(balancer: Balancer, certificates: dict[str, bytes]) -> str:
    """Everything but the targets, to see whether it changed."""
    digest = hashlib.sha256(haproxy.render(_with(balancer, {})).encode())
    for name, content in sorted(certificates.items()):
        digest.update(name.encode() + content)
    return digest.hexdigest()


def _replace(path: Path, content: bytes, mode: int) -> None:
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    part.rename(path)
