"""Files and SQL of a PostgreSQL server that behaves like one of RDS: pure text.

The server's owner is ``rdsadmin``, reachable through the local socket only. The master user is no
superuser: it may create databases and roles, and its rights come from ``rds_superuser``, as on
RDS.
"""

from collections.abc import Iterable

from psycopg import sql

PORT = 5432
DATA = "/var/lib/postgresql/data"
CONFIGURATION = "/etc/postgresql/conf"
SOCKETS = "/run/postgresql"
CERTIFICATES = "/etc/postgresql/tls"
OWNER = "rdsadmin"
REPLICATION_USER = "rdsrepladmin"

# What the platform sets where the parameter group does not.
_PLATFORM = {
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    # a standby that was away longer than this is made anew
    "max_slot_wal_keep_size": "1GB",
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "500ms",
    "synchronous_commit": "on",
}
# What belongs to the platform: users cannot set these through a parameter group.
_FIXED = {
    "listen_addresses": "*",
    "unix_socket_directories": SOCKETS,
    "unix_socket_permissions": "0700",
    "hba_file": f"{CONFIGURATION}/pg_hba.conf",
    "ssl": "on",
    "ssl_cert_file": f"{CERTIFICATES}/server.crt",
    "ssl_key_file": f"{CERTIFICATES}/server.key",
    "logging_collector": "off",
    "log_destination": "stderr",
    "hot_standby": "on",
    "wal_log_hints": "on",
}


def conf(settings: dict[str, str], port: int, standby: str | None) -> str:
    """postgresql.conf; with ``standby`` a commit waits until that standby has written it."""
    merged = {**_PLATFORM, **settings, **_FIXED, "port": str(port)}
    merged["synchronous_standby_names"] = f'FIRST 1 ("{standby}")' if standby else ""
    lines = (f"{name} = {_value(value)}" for name, value in sorted(merged.items()))
    return "# written by the local cloud from the DB parameter group\n" + "\n".join(lines) + "\n"


def _value(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def hba(force_tls: bool, peers: Iterable[str]) -> str:
    """pg_hba.conf; ``peers`` are the addresses of this database's other hosts."""
    kind = "hostssl" if force_tls else "host"
    replication = "".join(
        f"hostssl  replication  {REPLICATION_USER}  {address}/32  scram-sha-256\n"
        for address in sorted(peers)
    )
    return f"""\
local    all          {OWNER}  trust
local    all          all      reject
host     all          {OWNER},{REPLICATION_USER}  all  reject
{replication}{kind:8} all          all      all  scram-sha-256
"""


def follow(primary: str, port: int, password: str, name: str, slot: str) -> str:
    """What a standby adds to its settings to stream from ``primary``."""
    info = (
        f"host={primary} port={port} user={REPLICATION_USER} password={password} "
        f"application_name={name} sslmode=require connect_timeout=3 "
        "keepalives_idle=5 keepalives_interval=2 keepalives_count=3"
    )
    return (
        f"primary_conninfo = {_value(info)}\n"
        f"primary_slot_name = {_value(slot)}\n"
        "recovery_target_timeline = 'latest'\n"
    )


# Roles of every database on RDS and what they may do (PostgreSQL 17's predefined roles).
_ROLES = {
    "rds_superuser": (
        "pg_monitor",
        "pg_signal_backend",
        "pg_checkpoint",
        "pg_maintain",
        "pg_use_reserved_connections",
        "pg_create_subscription",
        "rds_replication",
        "rds_password",
    ),
    "rds_replication": (),
    "rds_password": (),
    "rds_iam": (),
    "rds_reserved": (),
}


def bootstrap(master: str, password: str, database: str | None, replication: str) -> list:
    """Statements that turn a fresh cluster into one of RDS, run by its owner one by one.

    On RDS membership in ``rds_replication`` is enough to open replication slots, by a change to
    PostgreSQL. Here such roles get the attribute REPLICATION, which also lets the master user
    give it to others (see ``replicators``).
    """
    name = sql.Identifier
    statements = [sql.SQL("create role {}").format(name(role)) for role in reversed(_ROLES)]
    for role, grants in _ROLES.items():
        statements += [
            sql.SQL("grant {} to {} with admin option").format(name(grant), name(role))
            for grant in grants
        ]
    statements += [
        sql.SQL("create role {} login replication password {}").format(
            name(REPLICATION_USER), sql.Literal(replication)
        ),
        sql.SQL("create role {} login createdb createrole replication password {}").format(
            name(master), sql.Literal(password)
        ),
        sql.SQL("grant rds_superuser to {} with admin option").format(name(master)),
        sql.SQL("alter database postgres owner to {}").format(name(master)),
        sql.SQL("alter database template1 owner to {}").format(name(OWNER)),
    ]
    if database and database != "postgres":
        statements.append(
            sql.SQL("create database {} owner {}").format(name(database), name(master))
        )
    return statements


def set_password(role: str, password: str):
    return sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(password))


# What a standby must have at least as much of as its primary:
# https://www.postgresql.org/docs/17/hot-standby.html#HOT-STANDBY-ADMIN
STANDBY_LIMITS = """
    select name, setting from pg_settings where name in (
        'max_connections', 'max_locks_per_transaction', 'max_prepared_transactions',
        'max_wal_senders', 'max_worker_processes')
"""

# Members of rds_replication that lack the attribute it stands for.
REPLICATORS = """
    select m.rolname from pg_auth_members a
    join pg_roles g on g.oid = a.roleid and g.rolname = 'rds_replication'
    join pg_roles m on m.oid = a.member
    where m.rolcanlogin and not m.rolreplication
"""


def allow_replication(role: str):
    return sql.SQL("alter role {} replication").format(sql.Identifier(role))
