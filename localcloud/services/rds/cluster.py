"""A database as its hosts: made, changed, failed over and removed."""

import datetime
import logging
import secrets
import time
from dataclasses import dataclass, field

from localcloud.appliance import Appliances, Host
from localcloud.authority import Authority
from localcloud.services.instances import limits
from localcloud.services.rds import parameters, postgres
from localcloud.services.rds.failover import Replication
from localcloud.services.rds.server import Server, ServerError, copy_volume

log = logging.getLogger("localcloud.rds")

SYNC_SECONDS = 60
CERTIFICATE_LIFETIME = datetime.timedelta(days=3 * 365)


@dataclass
class Deployment:
    """What is behind a DB instance. Kept on moto's DBInstance, so it is saved with it."""

    primary: Host
    standby: Host | None = None
    replication: Replication = Replication.NONE
    made: int = 1
    """How many hosts it has had; gives them their names."""
    parameters: dict[str, str] = field(default_factory=dict)
    """User parameters that are in effect."""
    replication_password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    attempted: float = 0.0
    """When a standby was last made or attempted (time.time)."""


class Cluster:
    """The hosts of one moto ``DBInstance``."""

    def __init__(self, appliances: Appliances, authority: Authority, database):
        self.appliances = appliances
        self.authority = authority
        self.database = database

    @property
    def deployment(self) -> Deployment:
        return self.database.deployment

    @property
    def primary(self) -> Server:
        return self._server(self.deployment.primary)

    @property
    def standby(self) -> Server | None:
        host = self.deployment.standby
        return self._server(host) if host else None

    def hosts(self) -> list[Host]:
        found = getattr(self.database, "deployment", None)
        return [host for host in (found.primary, found.standby) if host] if found else []

    # life

    def create(self, password: str | None, snapshot: str | None) -> None:
        """Make the primary, empty or from a snapshot's volume, and a standby if asked."""
        database = self.database
        subnet = self._subnet(database.availability_zone)
        database.availability_zone = subnet.availability_zone
        database.deployment = Deployment(self._host(1, subnet))
        deployment = self.deployment
        deployment.parameters = parameters.wanted(self._group())
        server = self.primary
        server.prepare(snapshot)
        server.files.delete("data/standby.signal")
        self._configure(server)
        self._certify(server)
        server.start(*self._limits())
        if snapshot:
            server.execute(
                postgres.set_password(postgres.REPLICATION_USER, deployment.replication_password)
            )
            if password:
                server.execute(postgres.set_password(database.master_username, password))
        else:
            server.execute(
                *postgres.bootstrap(
                    database.master_username,
                    password,
                    database.db_name,
                    deployment.replication_password,
                )
            )
        self._note_version()
        if database.multi_az:
            self.build_standby()
            self.attach()

    def thaw(self) -> None:
        """Undo a freeze that a crash of this process left."""
        for host in self.hosts():
            self._server(host).thaw()

    def take_over(self) -> None:
        """Bring hosts that ran on without this process to what is known of them."""
        self.distrust()
        if not self.appliances.running(self.deployment.primary):
            return
        self.finish_promotion()
        if self.standby:
            # The primary may wait for a standby that is lost; `attach` follows when it is not.
            self.detach()

    def stop(self) -> None:
        """Shut both hosts down, the primary first so that the standby has everything."""
        for host in self.hosts():
            self._server(host).stop()

    def start(self) -> None:
        """Start what was stopped; parameters that waited for it apply."""
        deployment = self.deployment
        deployment.parameters = parameters.wanted(self._group())
        primary = self.primary
        primary.prepare()
        # alone until the standby streams again: commits must not wait for a host that boots
        self.distrust()
        self._configure(primary)
        primary.start(*self._limits())
        self._note_version()
        if self.standby:
            # Made anew: the old one would not start with lower limits than the primary had when it
            # wrote what is in its volume.
            self.build_standby()
            self.attach()

    def reboot(self) -> None:
        """Restart PostgreSQL on its hosts."""
        self.primary.stop()
        if self.standby:
            self.standby.stop()
        self.start()

    # parameters

    def apply_parameters(self) -> None:
        """Dynamic parameters take effect; static ones wait."""
        deployment = self.deployment
        changed = parameters.settled(deployment.parameters, self._group())
        if changed != deployment.parameters:
            deployment.parameters = changed
            self.reload()

    def pending_reboot(self) -> bool:
        return self.deployment.parameters != parameters.wanted(self._group())

    def reload(self) -> None:
        for host in self.hosts():
            server = self._server(host)
            self._configure(server)
            server.execute("select pg_reload_conf()")

    def recertify(self) -> None:
        """New certificates, for a new name."""
        for host in self.hosts():
            self._certify(self._server(host))
        self.reload()

    # Multi-AZ

    def build_standby(self) -> None:
        """Make a standby in another zone that streams from the primary."""
        deployment = self.deployment
        deployment.attempted = time.time()
        self.drop_standby()
        primary = self.primary
        subnet = self._subnet(None, besides=deployment.primary.zone)
        deployment.made += 1
        host = self._host(deployment.made, subnet)
        deployment.standby = host
        deployment.replication = Replication.SYNCING
        self._configure(primary)
        primary.execute(
            "select pg_reload_conf()",
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            "where slot_type = 'physical' and not active",
        )
        primary.value("select pg_create_physical_replication_slot(%s, true)", _slot(host))
        copy_volume(primary, host)
        self._start_standby()

    def attach(self) -> bool:
        """Make commits wait for the standby; True when it has every acknowledged one."""
        deployment = self.deployment
        primary, standby = self.primary, self.standby
        if not self._wait(lambda: self._streams()):
            return False
        self._configure(primary, wait_for=standby.host.id)
        primary.execute("select pg_reload_conf()")
        if self._wait(lambda: self._sync_state() == "sync"):
            position = primary.value("select pg_current_wal_flush_lsn()::text")
            if self._wait(lambda: self._confirmed(position)):
                deployment.replication = Replication.IN_SYNC
                self.database.secondary_availability_zone = standby.host.zone
                return True
        self.detach()
        return False

    def distrust(self) -> None:
        """Make the standby one that may no longer be promoted, whatever becomes of this process."""
        if self.deployment.replication is Replication.IN_SYNC:
            self.deployment.replication = Replication.SYNCING
            self.database.secondary_availability_zone = None
            self.appliances.cloud.save()

    def detach(self) -> None:
        """Let the primary go on without its standby, which may no longer be promoted."""
        self.distrust()
        self._configure(self.primary)
        self.primary.execute("select pg_reload_conf()")

    def drop_standby(self) -> None:
        """Remove the standby, if there is one."""
        deployment = self.deployment
        if not deployment.standby:
            return
        if deployment.replication is Replication.IN_SYNC:
            self.detach()
        host, deployment.standby = deployment.standby, None
        deployment.replication = Replication.NONE
        self.database.secondary_availability_zone = None
        self.appliances.remove(host)

    def promote(self, in_order: bool) -> None:
        """Make the standby the primary. The old primary is stopped first, ``in_order`` if it
        still works, so that there are never two."""
        deployment = self.deployment
        if deployment.replication is not Replication.IN_SYNC:
            raise ServerError("the standby may lack commits")
        old, new = self.primary, self.standby
        if in_order:
            old.stop()
        self.appliances.kill(old.host)
        # On disk before the new primary takes a commit that the old one does not have.
        deployment.primary, deployment.standby = new.host, None
        deployment.replication = Replication.NONE
        self.appliances.cloud.save()
        try:
            self.finish_promotion()
        except BaseException:
            deployment.primary, deployment.standby = old.host, new.host
            deployment.replication = Replication.IN_SYNC
            raise
        deployment.attempted = 0.0
        self.database.availability_zone = new.host.zone
        self.database.secondary_availability_zone = None
        self.appliances.remove(old.host)

    def finish_promotion(self) -> None:
        """Make the primary take writes, if it was a standby until now."""
        primary = self.primary
        if primary.value("select pg_is_in_recovery()"):
            self._configure(primary)
            primary.execute("select pg_reload_conf()")
            primary.promote()

    def restart_primary(self) -> None:
        """Bring a primary back that died, on its own volume."""
        self.appliances.kill(self.deployment.primary)
        primary = self.primary
        primary.prepare()
        self._configure(primary)
        primary.start(*self._limits())

    # size

    def _note_version(self) -> None:
        """A host that boots has the image's PostgreSQL, as RDS upgrades minor versions."""
        self.database.engine_version = self.primary.value("show server_version").split()[0]

    def grow(self, size: int) -> None:
        storage = self.appliances.cloud.storage
        for host in self.hosts():
            host.size = size
            storage.grow(host.id, size)
            storage.resize_root(host.id)

    def resize(self) -> None:
        """Give the hosts what the database's class has now. With a standby that one goes first
        and takes over, so that the interruption is a failover's. Where limits become lower the
        primary goes first: no standby starts with lower ones than its primary's."""
        if self.deployment.replication is Replication.IN_SYNC and not self._lowers():
            self.build_standby()
            if self.attach():
                self.promote(in_order=True)
                self.build_standby()
                self.attach()
                return
        self.reboot()

    def set_groups(self, groups: list[str]) -> None:
        for host in self.hosts():
            self.appliances.set_groups(host, groups)

    # what is seen

    def standby_follows(self) -> bool:
        """Whether the standby does what it is trusted for: has every commit, or streams."""
        if self.deployment.replication is Replication.IN_SYNC:
            return self._sync_state() == "sync"
        return self._streams()

    def _streams(self) -> bool:
        return self._replication("state") == "streaming"

    def _sync_state(self) -> str | None:
        return self._replication("sync_state")

    def _confirmed(self, position: str) -> bool:
        flushed = self._replication("flush_lsn::text")
        return flushed is not None and _position(flushed) >= _position(position)

    def _replication(self, column: str):
        standby = self.deployment.standby
        return standby and self.primary.value(
            f"select {column} from pg_stat_replication where application_name = %s",  # noqa: S608
            standby.id,
        )

    def _wait(self, condition) -> bool:
        give_up = time.monotonic() + SYNC_SECONDS
        while not condition():
            if time.monotonic() > give_up or not self.appliances.running(self.deployment.standby):
                return False
            time.sleep(0.1)
        return True

    # how

    def _lowers(self) -> bool:
        """Whether the primary has higher limits now than it will have after a restart."""
        wanted = parameters.settings(self.deployment.parameters, self._size())
        with self.primary.connect() as connection:
            rows = connection.execute(postgres.STANDBY_LIMITS).fetchall()
        return any(int(wanted.get(name, now)) < int(now) for name, now in rows)

    def _start_standby(self) -> None:
        standby = self.standby
        standby.prepare()
        standby.files.write("data/standby.signal", "")
        self._configure(standby)
        self._certify(standby)
        standby.start(*self._limits())

    def _configure(self, server: Server, wait_for: str | None = None) -> None:
        """Write PostgreSQL's files for the role the host has now."""
        deployment, database = self.deployment, self.database
        in_sync = deployment.replication is Replication.IN_SYNC
        if in_sync and wait_for is None and server.host is deployment.primary:
            wait_for = deployment.standby.id
        text = postgres.conf(
            parameters.settings(deployment.parameters, self._size()), database.port, wait_for
        )
        if server.host is deployment.standby:
            text += postgres.follow(
                deployment.primary.address,
                database.port,
                deployment.replication_password,
                server.host.id,
                _slot(server.host),
            )
        peers = [host.address for host in self.hosts() if host is not server.host]
        server.files.write("conf/postgresql.conf", text)
        server.files.write(
            "conf/pg_hba.conf",
            postgres.hba(parameters.forces_tls(deployment.parameters), peers),
        )

    def _certify(self, server: Server) -> None:
        certificate, key = self.authority.issue([self.database.address], CERTIFICATE_LIFETIME)
        server.files.write("tls/server.key", key)
        server.files.write("tls/server.crt", certificate + self.authority.root())

    def _server(self, host: Host) -> Server:
        return Server(self.appliances, host, self.database.port)

    def _host(self, number: int, subnet) -> Host:
        # a host name has at most 64 characters
        name = f"rds-{self.database.db_instance_identifier[:50]}-{number}"
        return self.appliances.create(
            name,
            subnet,
            list(self.database.vpc_security_group_ids),
            "RDSNetworkInterface",
            int(self.database.allocated_storage),
        )

    def _subnet(self, zone: str | None, besides: str | None = None):
        """A subnet of the subnet group: in ``zone``, or the first one not in ``besides``."""
        subnets = sorted(self.database.db_subnet_group._subnets, key=lambda s: s.availability_zone)
        fitting = [
            each
            for each in subnets
            if (zone is None or each.availability_zone == zone)
            and each.availability_zone != besides
        ]
        if not fitting:
            raise ServerError(
                f"The DB subnet group {self.database.db_subnet_group.name} has no subnet in "
                + (zone or f"a zone other than {besides}")
            )
        return fitting[0]

    def _group(self) -> dict[str, dict]:
        return dict(self.database.db_parameter_groups()[0].parameters)

    def _size(self) -> parameters.Size:
        cpus, memory = self._limits()
        return parameters.Size(
            memory << 20, int(self.database.allocated_storage), max(1, round(cpus)),
            self.database.port,
        )  # fmt: skip

    def _limits(self) -> tuple[float, int]:
        return limits(instance_type(self.database.db_instance_class))


def instance_type(db_class: str) -> str:
    """The EC2 type with the same vCPUs and memory as a DB instance class."""
    return db_class.removeprefix("db.")


def _slot(host: Host) -> str:
    return host.id.replace("-", "_").lower()[-63:]


def _position(text: str) -> int:
    """A WAL position ("16/B374D848") as a number."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)
