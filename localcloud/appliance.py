"""Hosts that AWS runs for its customers: database servers, load balancer nodes.

Each is a container of the Debian image with one package and one unit more, with a network
interface in the customer's subnet that DescribeNetworkInterfaces shows, and a volume of its own.
Nobody logs in there; the local cloud drives it through sockets and files on this machine.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import socket
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from localcloud import shell
from localcloud.engine import Container
from localcloud.firewall import PLATFORM_MARK, Interface, Rule
from localcloud.services.network import Interfaces

log = logging.getLogger("localcloud.appliance")

# The boot target of all of them: the base system and what `WantedBy=appliance.target`.
TARGET = "appliance.target"

_BUILD = """\
set -eu
layers="lowerdir=$BASE,upperdir=$PART/upper,workdir=$PART/work"
mount -t overlay overlay -o "$layers" "$PART/root"
cd "$PART/root"
mount -t proc proc proc
mount -t tmpfs tmpfs tmp
cp --remove-destination /etc/resolv.conf tmp/resolv.conf
mount --bind tmp/resolv.conf etc/resolv.conf
printf '#!/bin/sh\\nexit 101\\n' > usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
cp -a "$FILES/." .
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot . apt-get update -qq
chroot . apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold $PACKAGES
rm -rf usr/sbin/policy-rc.d var/lib/apt/lists/* var/cache/apt/*
"""


@dataclass(frozen=True)
class Recipe:
    """What an appliance's image has beyond the Debian image: packages, and a tree of files.

    ``owner`` is whom AWS names as the one who asked for its network interfaces, ``prefix`` what
    the names of its hosts and their volumes begin with.
    """

    name: str
    prefix: str
    packages: tuple[str, ...]
    files: Path
    owner: str

    def layer(self, base: Path, cache: Path) -> Path:
        """Return the layer's directory, built now if the cache lacks it (20 s)."""
        directory = cache / "images" / f"{self.name}-{self._digest(base)}"
        if directory.exists():
            return directory
        directory.parent.mkdir(parents=True, exist_ok=True)
        with (directory.parent / f"{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not directory.exists():
                self._build(base, directory)
        return directory

    def _digest(self, base: Path) -> str:
        digest = hashlib.sha256(" ".join([_BUILD, base.name, *self.packages]).encode())
        for path in sorted(self.files.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(self.files)).encode() + path.read_bytes())
                digest.update(str(os.access(path, os.X_OK)).encode())
        return digest.hexdigest()[:16]

    def _build(self, base: Path, directory: Path) -> None:
        log.info("Building the image of %s hosts (once, about 20 s)", self.name)
        part = directory.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        for name in ("upper", "work", "root"):
            (part / name).mkdir(parents=True)
        variables = {"BASE": base, "PART": part, "FILES": self.files}
        # mounts made in a namespace of their own go with it, however the build ends
        shell.run(
            "env", *(f"{key}={value}" for key, value in variables.items()),
            f"PACKAGES={' '.join(self.packages)}",
            "unshare", "--mount", "sh", "-c", _BUILD, timeout=600,
        )  # fmt: skip
        (part / "upper").rename(directory)
        shutil.rmtree(part, ignore_errors=True)


@dataclass
class Host:
    """One appliance. Kept on moto's objects, so it holds names only.

    ``mounts`` are directories of the host's volume and of this machine, by path inside.
    """

    id: str
    kind: str
    interface_id: str
    address: str
    zone: str
    size: int
    public_address: str | None = None
    extra: dict = field(default_factory=dict)


class Appliances:
    """Makes, starts, stops and removes hosts of one kind for a service."""

    def __init__(self, cloud, recipe: Recipe):
        self.cloud = cloud
        self.recipe = recipe

    def warm(self) -> None:
        """Build the image in the background, so that the first call does not wait for it."""
        if (self.cloud.base_image / "etc/debian_version").exists():
            threading.Thread(target=self.layer, name="image", daemon=True).start()

    def layer(self) -> Path:
        """The recipe's image, built now if it is not there."""
        return self.recipe.layer(self.cloud.base_image, self.cloud.settings.cache)

    # life

    def create(self, name: str, subnet, groups: list[str], description: str, size: int,
               public: bool = False) -> Host:  # fmt: skip
        """Reserve an address in moto's ``subnet`` for a new host; nothing runs yet."""
        backend = self.cloud.backend("ec2")
        with self.cloud.lock:
            interface = backend.create_network_interface(
                subnet,
                subnet.get_available_subnet_ip(None),
                group_ids=groups,
                description=description,
                public_ip_auto_assign=public,
            )
        interface.requester_managed = True
        interface.requester_id = self.recipe.owner
        interface.status = "in-use"
        return Host(
            id=name,
            kind=self.recipe.name,
            interface_id=interface.id,
            address=interface.private_ip_address,
            zone=subnet.availability_zone,
            size=size,
            public_address=interface.public_ip,
        )

    def mount(self, host: Host, snapshot: str | None = None) -> Path:
        """Mount the host's volume, made now (from ``snapshot``) if it is new; return where."""
        storage = self.cloud.storage
        if not storage.image(host.id).exists():
            storage.create(host.id, host.size, snapshot)
        storage.mount_root(host.id, host.id, [self.layer(), self.cloud.base_image])
        return self.volume(host)

    def volume(self, host: Host) -> Path:
        """Where this machine sees the host's volume."""
        return self.cloud.storage.upper(host.id).parent

    def sockets(self, host: Host) -> Path:
        """A directory shared with the host. Short: a socket's path holds 107 characters."""
        return self.cloud.settings.run / host.id

    def start(self, host: Host, cpus: float, memory: int, mounts: dict[Path, str]) -> None:
        """Boot the host; return when its first process runs."""
        cloud = self.cloud
        cloud.engine.remove(host.id)
        namespace = self._plug(host)
        cloud.engine.run(
            Container(
                name=host.id,
                root=cloud.storage.root(host.id),
                hostname=host.id,
                network_namespace=namespace,
                cpus=cpus,
                memory=memory,
                labels={"kind": host.kind},
                command=("/lib/systemd/systemd", f"--unit={TARGET}"),
                mounts={**mounts, **cloud.lxcfs.mounts()},
            )
        )
        cloud.settle()

    def stop(self, host: Host, seconds: int = 30) -> None:
        """Shut the host down in order; its volume and address stay."""
        self.cloud.engine.stop(host.id, seconds)

    def kill(self, host: Host) -> None:
        """Make sure that the host does nothing any more; its volume and address stay."""
        self.cloud.engine.remove(host.id)

    def remove(self, host: Host) -> None:
        """Remove the host with its volume and address."""
        self.kill(host)
        self.discard(host)
        self.cloud.network.unplug(host.interface_id)
        shutil.rmtree(self.sockets(host), ignore_errors=True)
        self._release(host)

    def discard(self, host: Host) -> None:
        """Delete the volume of a host that does not run."""
        self.cloud.storage.unmount_root(host.id, host.id)
        self.cloud.storage.delete(host.id)

    def running(self, host: Host) -> bool:
        state = self.cloud.engine.containers().get(host.id)
        return bool(state and state.running)

    # network

    def _plug(self, host: Host) -> str:
        """Connect the host; return its network namespace."""
        interface = self.cloud.backend("ec2").get_network_interface(host.interface_id)
        return self.cloud.network.plug(
            interface.id, host.address, interface.subnet.cidr_block, interface.mac_address
        )

    def _release(self, host: Host) -> None:
        """Give its address back."""
        with self.cloud.lock:
            interface = self.cloud.backend("ec2").enis.pop(host.interface_id, None)
            if interface:
                interface.subnet.del_subnet_ip(host.address)

    def interface(self, host: Host, ingress: tuple[Rule, ...] = (),
                  egress: tuple[Rule, ...] = ()) -> Interface | None:  # fmt: skip
        """The firewall's view: the security groups' rules and what the platform needs besides."""
        interface = self.cloud.backend("ec2").enis.get(host.interface_id)
        if interface is None:
            return None
        seen = self.cloud.service(Interfaces).describe(
            interface.id, host.address, interface.group_set, interface.subnet, interface.public_ip
        )
        return replace(seen, ingress=seen.ingress + ingress, egress=seen.egress + egress)

    def set_groups(self, host: Host, groups: list[str]) -> None:
        backend = self.cloud.backend("ec2")
        interface = backend.get_network_interface(host.interface_id)
        interface._group_set = [backend.get_security_group_from_id(each) for each in groups]

    def connect(self, host: Host, port: int, seconds: float = 1.0) -> socket.socket:
        """A connection of the platform's own, which no security group stops; OSError if none."""
        connection = socket.socket()
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, PLATFORM_MARK)
            connection.settimeout(seconds)
            connection.connect((host.address, port))
        except OSError:
            connection.close()
            raise
        return connection

    def answers(self, host: Host, port: int) -> bool:
        """Whether something listens there, seen from this machine."""
        try:
            self.connect(host, port, 0.5).close()
        except OSError:
            return False
        return True

    def reachable(self, host: Host) -> bool:
        """Whether the network lets this host talk to others at all."""
        return host.address not in self.cloud.isolated
