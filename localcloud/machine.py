"""What this machine must have, checked before anything starts, with the command that fixes it."""

import os
import shutil
import socket
import sys
from pathlib import Path

from localcloud.settings import Settings

# program -> Debian package
PROGRAMS = {
    "podman": "podman",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "losetup": "mount",
    "mkfs.xfs": "xfsprogs",
    "lxcfs": "lxcfs",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class MachineError(Exception):
    """Something is missing; the message names the command that fixes it."""


def become_root(arguments: list[str], settings: Settings) -> None:
    """Start again under sudo unless we are root; return only as root."""
    if os.geteuid() == 0:
        return
    if not shutil.which("sudo"):
        raise MachineError(
            "The local cloud makes network namespaces and mounts, so it needs root.\n"
            "Install sudo, or run this command as root."
        )
    variables = [f"{key}={value}" for key, value in settings.environment().items()]
    os.execvp(  # noqa: S606
        "sudo",
        ["sudo", "env", *variables, sys.executable, "-m", "localcloud", *arguments],
    )


def check_programs() -> None:
    """Raise unless every program is installed and the kernel has loop devices."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = {pkg for name, pkg in PROGRAMS.items() if not shutil.which(name, path=path)}
    if not (shutil.which("runc", path=path) or shutil.which("crun", path=path)):
        missing.add("runc")
    if not KEYRING.exists():
        missing.add("debian-archive-keyring")
    if missing:
        raise MachineError(
            "Debian packages are missing. Run:\n"
            f"  sudo apt-get install -y {' '.join(sorted(missing))}"
        )
    if not Path("/dev/loop-control").exists():
        raise MachineError("The kernel has no loop devices. Run:\n  sudo modprobe loop")


def check_ports(settings: Settings) -> None:
    """Raise when a port of ours is taken."""
    for name, port in {
        "LOCALCLOUD_PORT": settings.port,
        "LOCALCLOUD_HTTP_PORT": settings.http_port,
        "LOCALCLOUD_HTTPS_PORT": settings.https_port,
    }.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise MachineError(
                    f"Port {port} on 127.0.0.1 is taken by another program ({error.strerror}).\n"
                    f"End that program, or choose another port: {name}={port + 1000}"
                ) from error
