"""A replication group as its nodes: made, promoted, replaced."""

import datetime
import logging
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.appliance import Appliances, Host
from localcloud.authority import Authority
from localcloud.services.elasticache import catalogue, config
from localcloud.services.elasticache.node import VOLUME, CacheError, Node
from localcloud.services.instances import limits

log = logging.getLogger("localcloud.elasticache")

SYNC_SECONDS = 60
CERTIFICATE_LIFETIME = datetime.timedelta(days=3 * 365)


@dataclass
class Deployment:
    """What is behind a replication group. Kept on moto's object, so it is saved with it.

    ``hosts`` are by member name (``web-001``), ``primary`` is one of those names. ``lost`` is when
    a member was last given up (time.time), so that it is not made anew too often.
    """

    identity: str
    primary: str = ""
    hosts: dict[str, Host] = field(default_factory=dict)
    made: int = 0
    password: str = field(default_factory=lambda: secrets.token_hex(24))
    tokens: tuple[str, ...] = ()
    attempted: float = 0.0


class Group:
    """The nodes of one moto ``ReplicationGroup``; ``parameters`` are those of its group."""

    def __init__(self, appliances: Appliances, authority: Authority, group, subnets: list,
                 parameters: dict[str, str]):  # fmt: skip
        self.appliances = appliances
        self.authority = authority
        self.group = group
        self.subnets = subnets
        self.parameters = parameters

    @property
    def deployment(self) -> Deployment:
        return self.group.deployment

    @property
    def primary(self) -> Node:
        return self.node(self.deployment.primary)

    def replicas(self) -> list[str]:
        return [name for name in self.deployment.hosts if name != self.deployment.primary]

    def node(self, name: str) -> Node:
        return Node(self.appliances, self.deployment.hosts[name], self._settings())

    # life

    def create(self, zones: list[str], count: int, dump: Path | None) -> None:
        """Make the primary, from ``dump`` if there is one, and the replicas."""
        for number in range(count):
            zone = zones[number] if number < len(zones) else None
            name = self._reserve(zone)
            if number == 0:
                self.deployment.primary = name
                self._start(name, dump=dump)
            else:
                self._start(name, follow=True)

    def add(self, zone: str | None = None) -> str:
        """Make one more replica; return its name when it has everything."""
        name = self._reserve(zone)
        try:
            self._start(name, follow=True)
        except BaseException:
            self.drop(name)
            raise
        return name

    def drop(self, name: str) -> None:
        """Remove a member that is not the primary."""
        host = self.deployment.hosts.pop(name)
        self.appliances.remove(host)

    def replace(self, name: str) -> None:
        """Make a member anew under its name, in its zone; what it had is gone."""
        self.deployment.attempted = time.time()
        self.appliances.kill(self.deployment.hosts[name])
        self._start(name, follow=name != self.deployment.primary)

    # failover

    def hand_over(self) -> None:
        """The planned failover, to the first replica that has everything."""
        chosen = next((name for name in self.replicas() if self.node(name).in_sync()), None)
        if chosen is None:
            raise CacheError("no replica is in sync: no failover now")
        old = self.primary
        old.hand_over(self.deployment.hosts[chosen])
        self._lead(chosen)
        old.configure(self.deployment.hosts[chosen].address)

    def promote(self, name: str) -> None:
        """A replica takes the place of a primary that is lost, which is stopped first."""
        self.appliances.kill(self.deployment.hosts[self.deployment.primary])
        self.node(name).lead()
        self._lead(name)

    def _lead(self, name: str) -> None:
        self.deployment.primary = name
        self.appliances.cloud.save()
        self.node(name).configure()
        address = self.deployment.hosts[name].address
        for other in self.replicas():
            if self.appliances.running(self.deployment.hosts[other]):
                self.node(other).follow(address)

    # changes

    def set_tokens(self, tokens: tuple[str, ...]) -> None:
        self.deployment.tokens = tokens
        for name in self.deployment.hosts:
            node = self.node(name)
            if node.takes_commands():
                node.set_tokens(tokens)
            self._write(name)

    def set_groups(self, groups: list[str]) -> None:
        for host in self.deployment.hosts.values():
            self.appliances.set_groups(host, groups)

    def apply_parameters(self, changed: dict[str, str]) -> None:
        """Dynamic parameters take effect on every node: where one is down, when it is back."""
        for name in self.deployment.hosts:
            node = self.node(name)
            for parameter, value in changed.items() if node.takes_commands() else ():
                if parameter == "reserved-memory-percent":
                    share = 100 - int(value)
                    node.set_parameter("maxmemory", str(node.settings.memory * share // 100))
                else:
                    node.set_parameter(parameter, value)
            self._write(name)

    def resize(self) -> None:
        """Give every node what the group's node type has now: the replicas first, then they take
        over. Alone, a node starts empty."""
        for name in self.replicas():
            self.replace(name)
            self._wait_for(name)
        if self.replicas():
            old = self.deployment.primary
            self.hand_over()
            self.replace(old)
        else:
            self.replace(self.deployment.primary)

    # how

    def _write(self, name: str) -> None:
        leads = name == self.deployment.primary
        address = None if leads else self.deployment.hosts[self.deployment.primary].address
        self.node(name).configure(address)

    def _reserve(self, zone: str | None) -> str:
        deployment = self.deployment
        deployment.made += 1
        name = f"{self.group.replication_group_id}-{deployment.made:03}"
        host = self.appliances.create(
            f"cache-{name}",
            self._subnet(zone),
            list(self.group.security_group_ids or []),
            f"ElastiCache {name}",
            VOLUME,
        )
        deployment.hosts[name] = host
        return name

    def _start(self, name: str, follow: bool = False, dump: Path | None = None) -> None:
        cpus, memory = limits(catalogue.instance_type(self.group.cache_node_type))
        address = self.deployment.hosts[self.deployment.primary].address if follow else None
        self.node(name).start(cpus, memory, address, self._certificate(name), dump)
        if follow:
            self._wait_for(name)

    def _wait_for(self, name: str) -> None:
        give_up = time.monotonic() + SYNC_SECONDS
        while not self.node(name).in_sync():
            if time.monotonic() > give_up:
                raise CacheError(f"{name} did not get its primary's data within {SYNC_SECONDS} s")
            time.sleep(0.1)

    def _certificate(self, name: str) -> tuple[bytes, bytes, bytes] | None:
        if not self.group.transit_encryption_enabled:
            return None
        identity = self.deployment.identity
        names = [f"master.{identity}", f"replica.{identity}", f"{name}.{identity}"]
        # replicas follow their primary by address
        names.append(self.deployment.hosts[name].address)
        certificate, key = self.authority.issue(names, CERTIFICATE_LIFETIME)
        return certificate + self.authority.root(), key, self.authority.root()

    def _settings(self) -> config.Settings:
        return config.Settings(
            port=int(self.group.port),
            tls=bool(self.group.transit_encryption_enabled),
            memory=catalogue.MEMORY[self.group.cache_node_type],
            password=self.deployment.password,
            tokens=self.deployment.tokens,
            parameters=self.parameters,
        )

    def _subnet(self, zone: str | None):
        """A subnet in ``zone``, or in the zone with the fewest nodes."""
        used = [host.zone for host in self.deployment.hosts.values()]
        fitting = [each for each in self.subnets if zone in (None, each.availability_zone)]
        if not fitting:
            raise CacheError(f"The cache subnet group has no subnet in {zone}")
        return min(fitting, key=lambda each: (used.count(each.availability_zone),
                                              each.availability_zone))  # fmt: skip
