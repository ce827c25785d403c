"""Move an app's PostgreSQL database to another server by logical replication, while it serves.

What marks the state of a move is in the databases themselves, in a schema called like the move:

- on the target while it is filled, so that nothing else is ever taken for a copy and overwritten;
  once it has proved equal, the proof is the schema's comment;
- on the source while it refuses writes. Before the app may be led away, the schema's comment says
  that this server is superseded, which it says until something is copied onto it again. So a
  server that is left knows it by itself, whatever became of the run that moved the app.

The source refuses writes through triggers with SQLSTATE 25006, the one of a read-only database:
they take effect at once for all sessions, wait for transactions that are writing, and disturb no
reader. The app answers such writes with 503 and Retry-After.
"""

import hashlib
import json
import os
import pwd
import secrets
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg import sql

SCHEMA = "public"
SUPERSEDED = "superseded"
LOCK_SECONDS = 3
LOCK_ATTEMPTS = 5
POLL_SECONDS = 0.05

REFUSE = """
create function {}.refuse() returns trigger language plpgsql as $$
begin
    raise exception using errcode = '25006',
        message = format('cannot execute %s: the database is being moved', tg_op);
end
$$
"""
TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'r' order by c.relname
"""
COLUMNS = """
select table_name, column_name, data_type, is_nullable from information_schema.columns
where table_schema = 'public' order by table_name, ordinal_position
"""
KEYS = """
select c.relname, array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum))
from pg_index i join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
where i.indisprimary group by c.relname
"""
COMMENT = """
select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s
"""
REFUSES = """
select 1 from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = %s and p.proname = 'refuse'
"""
SEQUENCES = """
select sequencename, coalesce(last_value, start_value), last_value is not null
from pg_sequences where schemaname = 'public' order by sequencename
"""


class MoveError(Exception):
    """Why the database was not moved; the message says what to do."""


class Server:
    """One side of a move.

    ``description`` has host (a directory for a socket), port, user, password, database, and
    ``address``: where the other side reaches this one; ``authority`` is the file of the authorities
    that vouch for it, on the host, which without one believes whoever answers.
    """

    def __init__(self, description):
        self.description = description
        self.database = description["database"]
        self._connection = None

    @property
    def connection(self):
        """An autocommit connection; times and numbers print the same on every server."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        return self._connection

    def connect(self):
        local = self.description["host"].startswith("/")
        user = self.system_user()
        try:
            # PostgreSQL asks the kernel who connects to its socket.
            if user is not None:
                os.seteuid(user)
            return psycopg.connect(
                **self.parameters(),
                **({"sslmode": "disable"} if local else self.tls()),
                autocommit=True,
                connect_timeout=10,
                options="-c timezone=UTC -c datestyle=ISO -c client_min_messages=warning "
                "-c statement_timeout=0",
            )
        except psycopg.OperationalError as error:
            raise MoveError(f"Cannot reach {self}: {error}") from error
        finally:
            if user is not None:
                os.seteuid(0)

    def tls(self):
        """How its certificate is looked at, as libpq takes it."""
        authority = self.description.get("authority")
        if authority:
            return {"sslmode": "verify-full", "sslrootcert": authority}
        return {"sslmode": "require"}

    def system_user(self):
        """The id of the system user to connect to a socket as, when we may choose."""
        if self.description["host"].startswith("/") and os.geteuid() == 0:
            return pwd.getpwnam(self.description["user"]).pw_uid
        return None

    def parameters(self):
        found = self.description
        parameters = {"host": found["host"], "port": found["port"], "dbname": found["database"],
                      "user": found["user"]}  # fmt: skip
        if found.get("password"):
            parameters["password"] = found["password"]
        return parameters

    def rows(self, query, parameters=None):
        return self.connection.execute(query, parameters).fetchall()

    def value(self, query, parameters=None):
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def run(self, text, *names):
        """Execute a statement in which each {} is a quoted name (str) or literal (sql.Literal)."""
        words = [name if isinstance(name, sql.Composable) else sql.Identifier(name)
                 for name in names]  # fmt: skip
        self.connection.execute(sql.SQL(text).format(*words))

    def environment(self):
        """For the programs pg_dump and psql."""
        found = self.parameters()
        tls = {} if found["host"].startswith("/") else self.tls()
        return (
            os.environ
            | {f"PG{name.upper()}": value for name, value in tls.items()}
            | {
                "PGHOST": found["host"],
                "PGPORT": str(found["port"]),
                "PGDATABASE": found["dbname"],
                "PGUSER": found["user"],
                "PGPASSWORD": found.get("password", ""),
            }
        )

    def __str__(self):
        return f"the database {self.database} on {self.description['host']}"


class Move:
    """The move of everything in schema public from ``source`` to ``target``.

    ``owner`` is the role that owns the tables on both sides; ``name`` is that of the publication,
    subscription, slot, replication role and marking schema.
    """

    def __init__(self, source, target, owner, name):
        self.source = source
        self.target = target
        self.owner = owner
        self.name = name
        self.led = False

    def reversed(self):
        return Move(self.target, self.source, self.owner, self.name)

    # --- the copy ---------------------------------------------------------------------------------

    def copy(self, overwrite=False):
        """Start the copy, or go on with one that was begun; return whether anything was done."""
        if self.switched():
            return False
        tables = [name for (name,) in self.source.rows(TABLES)]
        keyless = sorted(set(tables) - dict(self.source.rows(KEYS)).keys())
        if keyless:
            raise MoveError(f"Tables without a primary key cannot be moved: {', '.join(keyless)}")
        if not tables:
            raise MoveError(f"There are no tables in {self.source}: nothing to move.")
        if self.resumable():
            self.allow_writes()
            return False
        # Before anything is changed on either side.
        if not overwrite:
            self.check_target()
        self.allow_writes()
        # A move the other way may have ended without its last step.
        if self.subscribed(self.source):
            self.reversed().finish()
        self.clear_target()
        password = secrets.token_urlsafe(24)
        self.publish(tables, password)
        self.target.run("create schema {}", self.name)
        self.copy_schema()
        self.subscribe(password)
        return True

    def resumable(self):
        """Whether a copy of what the source holds is under way."""
        slot = self.source.value(
            "select wal_status from pg_replication_slots where slot_name = %s", [self.name]
        )
        return bool(
            self.subscribed(self.target)
            and self.marked(self.target)
            and slot not in (None, "lost")
            and self.source.rows(COLUMNS) == self.target.rows(COLUMNS)
        )

    def subscribed(self, server):
        return bool(server.value("select 1 from pg_subscription where subname = %s", [self.name]))

    def marked(self, server):
        return bool(server.value("select 1 from pg_namespace where nspname = %s", [self.name]))

    def refuses(self, server):
        return bool(server.value(REFUSES, [self.name]))

    def superseded(self, server):
        """Whether the app may have been led away from this server: another may know more."""
        return self.refuses(server) and server.value(COMMENT, [self.name]) == SUPERSEDED

    def proof(self):
        """Rows and digest of each table when the target was found equal, None if it was not."""
        said = self.target.value(COMMENT, [self.name])
        return json.loads(said) if said and said.startswith("{") else None

    def describe(self):
        """Both sides in a few words, for people."""
        if self.superseded(self.source):
            source = "refuses writes: superseded"
        else:
            source = "refuses writes" if self.refuses(self.source) else "takes writes"
        if self.superseded(self.target):
            target = "refuses writes: superseded"
        elif self.proof() is not None:
            target = "has everything"
        else:
            target = "is being filled" if self.subscribed(self.target) else "is on its own"
        return {"source": source, "target": target}

    def check_target(self):
        tables = self.target.rows(TABLES)
        if tables and not self.marked(self.target):
            raise MoveError(
                f"There is data in {self.target} that no move has put there "
                f"({len(tables)} tables). It would be destroyed."
            )

    def clear_target(self):
        self.unsubscribe()
        for (table,) in self.target.rows(TABLES):
            self.target.run("drop table if exists public.{} cascade", table)
        for sequence, *_ in self.target.rows(SEQUENCES):
            self.target.run("drop sequence if exists public.{} cascade", sequence)
        self.target.run("drop schema if exists {} cascade", self.name)

    def publish(self, tables, password):
        source, name = self.source, self.name
        managed = source.value("select 1 from pg_roles where rolname = 'rds_replication'")
        if not source.value("select 1 from pg_roles where rolname = %s", [name]):
            source.run("create role {}", name)
        source.run("alter role {} login password {}", name, sql.Literal(password))
        # On RDS only this membership opens replication slots; elsewhere it is an attribute.
        if managed:
            source.run("grant rds_replication to {}", name)
        else:
            source.run("alter role {} replication", name)
        source.run("grant select on all tables in schema public to {}", name)
        source.run("drop publication if exists {}", name)
        list_of_tables = sql.SQL(", ").join(sql.Identifier(SCHEMA, table) for table in tables)
        source.run("create publication {} for table {}", name, list_of_tables)

    def copy_schema(self):
        dump = subprocess.run(
            ["pg_dump", "--schema-only", "--no-owner", "--no-privileges", "--no-publications",
             "--no-subscriptions", f"--exclude-schema={self.name}"],
            env=self.source.environment(), user=self.source.system_user(), cwd="/",
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        if dump.returncode:
            raise MoveError(f"The schema of {self.source} cannot be read: {dump.stderr}")
        role = sql.SQL("set role {}").format(sql.Identifier(self.owner))
        load = subprocess.run(
            ["psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
             "--output=/dev/null", f"--command={role.as_string(None)}", "--file=-"],
            env=self.target.environment(), user=self.target.system_user(), cwd="/",
            input=dump.stdout, capture_output=True, check=False, text=True,
        )  # fmt: skip
        if load.returncode:
            raise MoveError(f"The schema cannot be made in {self.target}: {load.stderr}")

    def subscribe(self, password):
        found = self.source.description
        info = psycopg.conninfo.make_conninfo(
            host=found["address"],
            port=found["port"],
            dbname=found["database"],
            user=self.name,
            password=password,
            **self.source.tls(),
        )
        deadline = time.monotonic() + 15
        while True:
            try:
                self.target.run(
                    "create subscription {} connection {} publication {} "
                    "with (binary = true, streaming = on)",
                    self.name, sql.Literal(info), self.name,
                )  # fmt: skip
                return
            except psycopg.Error as error:
                # A right or an address rule that was given a moment ago may not hold yet.
                if time.monotonic() > deadline:
                    raise MoveError(
                        f"{self.target} cannot follow {self.source}: {error}"
                    ) from error
                time.sleep(0.5)

    def progress(self):
        """``(ready, total)`` tables; raise when the target cannot go on."""
        states = self.target.rows(
            "select r.srsubstate from pg_subscription_rel r join pg_subscription s "
            "on s.oid = r.srsubid where s.subname = %s",
            [self.name],
        )
        errors = self.target.value(
            "select apply_error_count + sync_error_count from pg_stat_subscription_stats "
            "where subname = %s",
            [self.name],
        )
        if errors and errors > 3:
            raise MoveError(
                f"{self.target} failed {errors} times to take over rows; its log says why."
            )
        return sum(state == "r" for (state,) in states), len(states)

    def wait_until_copied(self, seconds):
        """Wait at most ``seconds``; return ``(ready, total)`` tables."""
        deadline = time.monotonic() + seconds
        while True:
            ready, total = self.progress()
            if ready == total or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        if ready == total:
            # A filled table without statistics makes the first queries slow.
            self.target.run("analyze")
        return ready, total

    # --- the switch -------------------------------------------------------------------------------

    def switched(self):
        """Whether the target has everything and the app may use it: there is no way back.

        The target is asked only when the source says so: it may be out of reach.
        """
        return self.superseded(self.source) and self.proof() is not None

    def switch(self, seconds, command=()):
        """Refuse writes on the source until everything is on the target, and prove that it is.

        Then run ``command``, which makes the app use the target. If anything fails before the app
        may use it, or takes more than ``seconds``, the source takes writes again and MoveError says
        why. Returns the proof: rows and digest of each table, and how long writes were refused,
        which is None when an earlier run had come that far.
        """
        if self.switched():
            # That run may have led the app away, so writes stay refused whatever happens.
            self.lead(command)
            return {"tables": self.proof(), "refused_seconds": None}
        try:
            comparison = Comparison(self.source, self.target)
            comparison.read()
            self.target.run("comment on schema {} is null", self.name)
            self.refuse_writes()
            started = time.monotonic()
            self.catch_up(started + seconds)
            self.copy_sequences()
            tables = comparison.prove()
            self.source.run("comment on schema {} is {}", self.name, sql.Literal(SUPERSEDED))
            said = sql.Literal(json.dumps(tables))
            self.target.run("comment on schema {} is {}", self.name, said)
            ended = self.lead(command)
        except BaseException:
            if not self.led:
                self.allow_writes()
            raise
        return {"tables": tables, "refused_seconds": round(ended - started, 2)}

    def lead(self, command):
        """Run ``command``; return when (time.monotonic) the app used the target.

        From its first line of output on the app writes there: nothing may take that back, whatever
        becomes of what the command tidies up afterwards.
        """
        if not command:
            self.led = True
            return time.monotonic()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as program:
            self.led = bool(program.stdout.readline())
            ended = time.monotonic()
            _, errors = program.communicate()
        if program.returncode and not self.led:
            raise MoveError(f"The app was not led to {self.target}: {errors.strip()}")
        return ended

    def refuse_writes(self):
        """All tables at once: what was acknowledged before is there, nothing is afterwards."""
        tables = [name for (name,) in self.source.rows(TABLES)]
        for attempt in range(1, LOCK_ATTEMPTS + 1):
            try:
                with self.source.connection.transaction():
                    self.source.run("set local lock_timeout = {}", sql.Literal(f"{LOCK_SECONDS}s"))
                    self.source.run("drop schema if exists {} cascade", self.name)
                    self.source.run("create schema {}", self.name)
                    self.source.run(REFUSE, self.name)
                    for table in tables:
                        self.source.run(
                            "create trigger {} before insert or update or delete or truncate "
                            "on public.{} for each statement execute function {}.refuse()",
                            self.name, table, self.name,
                        )  # fmt: skip
                return
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if attempt == LOCK_ATTEMPTS:
                    raise MoveError(
                        f"Transactions that write to {self.source} do not end: {error}"
                    ) from error

    def allow_writes(self):
        """Undo ``refuse_writes``; return whether writes were refused."""
        refused = self.refuses(self.source)
        if refused:
            self.source.run("drop schema {} cascade", self.name)
        return refused

    def catch_up(self, deadline):
        position = self.source.value("select pg_current_wal_lsn()::text")
        while not self.source.value(
            "select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots "
            "where slot_name = %s",
            [position, self.name],
        ):
            self.progress()
            if time.monotonic() > deadline:
                raise MoveError(f"{self.target} did not catch up in time; run the playbook again.")
            time.sleep(POLL_SECONDS)

    def copy_sequences(self):
        for sequence, last, called in self.source.rows(SEQUENCES):
            name = sql.Identifier(SCHEMA, sequence).as_string(None)
            self.target.value("select setval(%s, %s, %s)", [name, last, called])

    # --- the end ----------------------------------------------------------------------------------

    def finish(self, reachable=True):
        """Leave no trace but the mark on the superseded source; return whether there was any.

        ``reachable`` is False when the source is gone for good. Raises when it is the target that
        the app was led away from: it would take writes again without what was written since.
        """
        self.check_finish()
        if not self.marked(self.target) and not self.subscribed(self.target):
            return False
        self.unsubscribe(reachable)
        if reachable:
            self.source.run("drop publication if exists {}", self.name)
            self.drop_role()
        self.target.run("drop schema if exists {} cascade", self.name)
        return True

    def check_finish(self):
        if self.superseded(self.target):
            raise MoveError(
                f"The app may have been led from {self.target} to {self.source}, which then has "
                "what was written since. Run the playbook again: it looks where the app is first."
            )

    def unsubscribe(self, reachable=True):
        target, source, name = self.target, self.source, self.name
        if self.subscribed(target):
            target.run("alter subscription {} disable", name)
            target.run("alter subscription {} set (slot_name = none)", name)
            target.run("drop subscription {}", name)
        if not reachable:
            return
        # The walsender may hold the slot for a moment after the subscription went.
        deadline = time.monotonic() + 20
        while source.value("select 1 from pg_replication_slots where slot_name = %s", [name]):
            try:
                source.value("select pg_drop_replication_slot(%s)", [name])
            except psycopg.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def drop_role(self):
        if self.source.value("select 1 from pg_roles where rolname = %s", [self.name]):
            self.source.run("revoke all on all tables in schema public from {}", self.name)
            self.source.run("drop role {}", self.name)


class Comparison:
    """Proof that two servers hold the same rows.

    Rows are read twice: with their content while the source still takes writes, and then, while
    it refuses them, only those whose version (PostgreSQL's xmin) was not seen before. So the size
    of the database does not decide how long writes are refused.
    """

    def __init__(self, *servers):
        self.servers = servers
        self.seen = [{} for _ in servers]

    def read(self):
        """Read all rows of all tables, of both servers at a time."""
        with ThreadPoolExecutor(len(self.servers)) as pool:
            list(pool.map(self._read, self.servers, self.seen))

    def _read(self, server, seen):
        for table, key in server.rows(KEYS):
            known = seen.get(table, {})
            found = {
                name: (version, known[name][1] if (known.get(name) or [0])[0] == version else None)
                for name, version in server.rows(query("{key}, t.xmin::text", table, key))
            }
            missing = [name for name, (_, digest) in found.items() if digest is None]
            if missing:
                text = "{key}, t.xmin::text, md5(t::text)"
                where = None if len(missing) == len(found) else missing
                for name, version, digest in server.rows(*digests(text, table, key, where)):
                    found[name] = (version, digest)
            seen[table] = found

    def prove(self):
        """Rows and digest by table; raise MoveError when the servers differ."""
        self.read()
        first, second = self.seen
        differing = [
            f"{table} ({len(rows)} and {len(second.get(table, {}))} rows)"
            for table, rows in first.items()
            if contents(rows) != contents(second.get(table, {}))
        ]
        if differing:
            raise MoveError(f"The two databases differ in {', '.join(differing)}.")
        return {
            table: {"rows": len(rows), "digest": digest_of(contents(rows))}
            for table, rows in sorted(first.items())
        }


def query(columns, table, key):
    """Select ``columns`` of ``table``, where {key} is the primary key as one text."""
    names = sql.SQL(", ").join(sql.Identifier("t", name) for name in key)
    columns = columns.replace("{key}", "row({names})::text")
    text = "select " + columns + " from only {table} t"  # noqa: S608
    return sql.SQL(text).format(names=names, table=sql.Identifier(SCHEMA, table))


def digests(columns, table, key, where):
    text = query(columns, table, key)
    if where is None:
        return text, None
    names = sql.SQL(", ").join(sql.Identifier("t", name) for name in key)
    return text + sql.SQL(" where row({names})::text = any(%s)").format(names=names), [where]


def contents(rows):
    """Digest by primary key, without the versions, which differ between servers."""
    return {key: digest for key, (_, digest) in rows.items()}


def digest_of(rows):
    """One digest of a table's content, whatever the order of its rows."""
    whole = hashlib.sha256()
    for key in sorted(rows):
        whole.update(f"{key}\0{rows[key]}\n".encode())
    return whole.hexdigest()[:16]
