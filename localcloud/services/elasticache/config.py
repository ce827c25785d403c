"""Files of a Valkey server that behaves like a node of ElastiCache: pure text.

Visitors are the user ``default``; the local cloud is ``localcloud``, with a password that nobody
else has, and the replicas follow their primary under that name too.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

CONFIGURATION = "/etc/valkey/conf"
CERTIFICATES = "/etc/valkey/tls"
DATA = "/var/lib/valkey"
SOCKETS = "/run/valkey"
PLATFORM_USER = "localcloud"

# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/SupportedCommands.html: restricted
RESTRICTED = (
    "acl", "bgrewriteaof", "bgsave", "config", "debug", "failover", "migrate", "module", "psync",
    "replicaof", "save", "shutdown", "slaveof", "sync",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What a node of a group is told. ``memory`` is in bytes, ``tokens`` empty for no password."""

    port: int
    tls: bool
    memory: int
    password: str
    tokens: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)


def conf(settings: Settings, primary: str | None = None) -> str:
    """valkey.conf; with ``primary`` (an address) the node follows that one."""
    reserved = int(settings.parameters.get("reserved-memory-percent", "25"))
    lines = [
        "bind * -::*",
        "protected-mode no",
        f"unixsocket {SOCKETS}/valkey.sock",
        "unixsocketperm 700",
        f"dir {DATA}",
        # a cache: nothing is kept on disk, as on ElastiCache without snapshots
        'save ""',
        "appendonly no",
        "repl-diskless-sync yes",
        "repl-diskless-sync-delay 0",
        "repl-ping-replica-period 1",
        "repl-timeout 10",
        f"maxmemory {settings.memory * (100 - reserved) // 100}",
        *users(settings.password, settings.tokens),
        f"masteruser {PLATFORM_USER}",
        f"masterauth {settings.password}",
    ]
    if settings.tls:
        lines += [
            "port 0",
            f"tls-port {settings.port}",
            f"tls-cert-file {CERTIFICATES}/server.crt",
            f"tls-key-file {CERTIFICATES}/server.key",
            f"tls-ca-cert-file {CERTIFICATES}/ca.crt",
            "tls-auth-clients no",
            "tls-replication yes",
        ]
    else:
        lines.append(f"port {settings.port}")
    lines += [
        f"{name} {value or chr(34) * 2}"
        for name, value in sorted(settings.parameters.items())
        if name != "reserved-memory-percent"
    ]
    if primary:
        lines.append(f"replicaof {primary} {settings.port}")
    return "# written by the local cloud from the replication group\n" + "\n".join(lines) + "\n"


def users(password: str, tokens: Iterable[str]) -> list[str]:
    """The two users, with hashes for passwords."""
    hidden = " ".join(f"-{command}" for command in RESTRICTED)
    return [
        f"user default on {_secrets(tokens) or 'nopass'} ~* &* +@all {hidden}",
        f"user {PLATFORM_USER} on {_secrets([password])} ~* &* +@all",
    ]


def rules(tokens: Iterable[str]) -> list[str]:
    """ACL SETUSER's rules that make ``tokens`` the ones that count."""
    given = _secrets(tokens)
    return ["resetpass", *(given.split() if given else ["nopass"])]


def _secrets(passwords: Iterable[str]) -> str:
    return " ".join(f"#{hashlib.sha256(each.encode()).hexdigest()}" for each in passwords)
