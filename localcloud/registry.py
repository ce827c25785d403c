"""Which local clouds run on this machine, and which addresses they have."""

import fcntl
import ipaddress
import json
import os
from contextlib import contextmanager
from pathlib import Path

from localcloud.network import Network

DIRECTORY = Path("/run/localcloud")


def loopback_block(cloud_id: str) -> ipaddress.IPv4Network:
    """The /20 of 127.0.0.0/8 that this cloud's public addresses come from."""
    # 127.0-15 is left to the machine: resolvers and databases live there
    index = 256 + int(cloud_id, 16) % (4096 - 256)
    return ipaddress.ip_network((0x7F000000 + (index << 12), 20))


@contextmanager
def alone(cloud_id: str):
    """Hold the lock that lets one command at a time start or remove this cloud."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / f"{cloud_id}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def others(own_id: str) -> list[dict]:
    """Entries of the other local clouds that run: ``state``, ``pid``, ``cidrs``."""
    entries = [
        json.loads(path.read_text()) for path in DIRECTORY.glob("*.json") if path != _entry(own_id)
    ]
    return [entry for entry in entries if Path(f"/proc/{entry['pid']}").exists()]


def write(settings, cidrs: list[str]) -> None:
    """Tell the other local clouds of this machine which addresses are taken."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"state": str(settings.state), "pid": os.getpid(), "cidrs": sorted(cidrs)})
    path = _entry(settings.id)
    if not path.exists() or path.read_text() != text:
        with (DIRECTORY / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            part = path.with_suffix(".part")
            part.write_text(text)
            part.rename(path)


def process(cloud_id: str) -> int | None:
    """The process that wrote the cloud's entry."""
    entry = _entry(cloud_id)
    return json.loads(entry.read_text())["pid"] if entry.exists() else None


def forget(cloud_id: str) -> None:
    """Give the cloud's addresses back."""
    entry = _entry(cloud_id)
    if entry.exists():
        for cidr in json.loads(entry.read_text())["cidrs"]:
            Network(cloud_id).release(cidr)
        entry.unlink()


def _entry(cloud_id: str) -> Path:
    return DIRECTORY / f"{cloud_id}.json"
