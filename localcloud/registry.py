"""Which local clouds run on this machine, and which addresses they have."""

import fcntl
import ipaddress
import json
import os
from contextlib import contextmanager
from pathlib import Path

from localcloud.network import Network

DIRECTORY = Path("/run/localcloud")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# 198.18.0.0/15 is for benchmarks of networks: nobody's on the internet and in no VPC.
EDGES = ipaddress.ip_network("198.18.0.0/15")
FUNCTIONS = ipaddress.ip_network("198.19.0.0/16")  # the edges' blocks end before it


def loopback_block(cloud_id: str) -> ipaddress.IPv4Network:
    """The /20 of 127.0.0.0/8 that this cloud's public addresses come from."""
    # 127.0-15 is left to the machine: resolvers and databases live there
    index = 256 + int(cloud_id, 16) % (4096 - 256)
    return ipaddress.ip_network((0x7F000000 + (index << 12), 20))


def website_address(cloud_id: str) -> str:
    """Where this machine reaches the cloud's S3 websites: the first address of its block."""
    return str(loopback_block(cloud_id)[1])


def edge_block(cloud_id: str) -> ipaddress.IPv4Network:
    """The /28 of the edge: two clouds on one machine have two."""
    index = (int(loopback_block(cloud_id).network_address) >> 12) & 0xFFF
    return list(EDGES.subnets(new_prefix=28))[index]


def functions_block(cloud_id: str) -> ipaddress.IPv4Network:
    """The /27 of Lambda's environments, beside all edges."""
    index = (int(loopback_block(cloud_id).network_address) >> 12) % 2048
    return list(FUNCTIONS.subnets(new_prefix=27))[index]


@contextmanager
def alone(cloud_id: str):
    """Hold the lock that lets one command at a time start or remove this cloud."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / f"{cloud_id}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def others(own_id: str) -> list[dict]:
    """``state``, ``pid``, ``cidrs`` of the other local clouds that run, or whose hosts do."""
    entries = {
        path.stem: json.loads(path.read_text())
        for path in DIRECTORY.glob("*.json")
        if path != _entry(own_id)
    }
    return [
        entry
        for name, entry in entries.items()
        if Path(f"/proc/{entry['pid']}").exists() or Network(name).devices()
    ]


def write(settings, cidrs: list[str]) -> None:
    """Tell the other local clouds of this machine which addresses are taken."""
    text = json.dumps({"state": str(settings.state), "pid": os.getpid(), "cidrs": sorted(cidrs)})
    path = _entry(settings.id)
    if not path.exists() or path.read_text() != text:
        with locked():
            part = path.with_suffix(".part")
            part.write_text(text)
            part.rename(path)


def process(cloud_id: str) -> int | None:
    """The process that wrote the cloud's entry."""
    entry = _entry(cloud_id)
    return json.loads(entry.read_text())["pid"] if entry.exists() else None


def forget(cloud_id: str) -> None:
    """Give the cloud's addresses back."""
    _entry(cloud_id).unlink(missing_ok=True)


def start_routing() -> None:
    """Let this machine route, and remember who was there if it did not."""
    with locked():
        if FORWARD.read_text().strip() == "0":
            _before().write_text(json.dumps(sorted(_interfaces())))
            FORWARD.write_text("1")


def any_left() -> bool:
    """Whether there is a local cloud on this machine yet; ask while `locked`."""
    return any(DIRECTORY.glob("*.json"))


def stop_routing() -> str | None:
    """Stop it after the last local cloud if the first one started it; say why if not.

    Another program that needs routing finds it on and says nothing; what shows is its interface.
    """
    with locked():
        if not _before().exists() or any_left():
            return None
        came = sorted(_interfaces() - set(json.loads(_before().read_text())))
        _before().unlink()
        if came:
            return f"net.ipv4.ip_forward stays 1, for {', '.join(came)} may need it"
        FORWARD.write_text("0")
        return None


def _entry(cloud_id: str) -> Path:
    return DIRECTORY / f"{cloud_id}.json"


def _before() -> Path:
    """Interfaces that this machine had when it did not route."""
    return DIRECTORY / "interfaces-before"


def _interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


@contextmanager
def locked():
    """Hold the lock of all local clouds."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
