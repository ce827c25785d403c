"""What this machine must have, checked before anything starts, with the command that fixes it."""

import os
import shutil
import socket
import sys
from pathlib import Path

from localcloud import client
from localcloud.neighbours import Neighbours
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
CHECKOUT = Path(__file__).resolve().parent.parent
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
    # sudo drops the variables, the caller may be in any directory, and wants to delete it later
    variables = {
        **settings.environment(),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
        **client.proxies(os.environ),  # the image's packages may come through one
    }
    if share := os.environ.get("LOCALCLOUD_VCPU"):
        variables["LOCALCLOUD_VCPU"] = share
    assignments = [f"{key}={value}" for key, value in variables.items()]
    os.execvp(  # noqa: S606
        "sudo",
        ["sudo", "env", *assignments, sys.executable, "-m", "localcloud", *arguments],
    )


def prepare_state(settings: Settings, environ=os.environ) -> None:
    """Make the directories that belong to the user who called sudo, and to nobody else.

    The state holds secrets, and files that a host's root may have made setuid. The caller's
    playbooks keep their own files in `ansible/` and read `authority/ca.pem`.
    """
    ansible = settings.state / "ansible"
    for directory in (settings.state, ansible, settings.run):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
    user, group = (int(environ.get(name) or -1) for name in ("SUDO_UID", "SUDO_GID"))
    for path in (settings.state, ansible, *ansible.rglob("*")):
        os.chown(path, user, group, follow_symlinks=False)


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


def check_firewalls(settings: Settings) -> None:
    """Raise when another firewall drops hosts' packets and takes no rule of ours."""
    neighbours = Neighbours(settings.id)
    refused = neighbours.settle()
    if refused:
        raise MachineError(
            "Another firewall of this machine would cut the hosts off, and takes no rule of ours "
            f"({', '.join(refused)}).\nLet their interfaces through. With firewalld:\n  sudo "
            f"firewall-cmd --permanent --zone=trusted --add-interface={neighbours.devices}+\n"
            "  sudo firewall-cmd --reload"
        )
