#!/usr/bin/python
"""Ansible module: an app's role and database on a managed PostgreSQL server."""

DOCUMENTATION = r"""
module: postgresql_app
short_description: Give an app its role and database on a PostgreSQL server
description:
  - Makes a role that may log in, and a database of the same name that it owns.
  - Works as an administrator who is no superuser, as the master user of RDS.
notes:
  - "Gap in the collections: M(community.postgresql.postgresql_user) compares passwords in
    C(pg_authid), which nobody may read on RDS, so it changes the password at every run or never;
    M(community.postgresql.postgresql_db) fails there since PostgreSQL 16, because an administrator
    must be given a role before making it an owner; and the two take two calls."
  - Whether the password holds is found out by logging in with it.
  - A role without a password logs in where the server trusts the kernel, by a Unix socket.
options:
  server:
    description: The server, and who administers it.
    type: dict
    required: true
    suboptions:
      host:
        description: Name or address, or the folder of its Unix socket.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        default: 5432
      user:
        description: The administrator.
        type: str
        required: true
      password:
        description: The administrator's password, where one is asked for.
        type: str
        default: ""
      authority:
        description: Certificates (PEM) of authorities, of which one must vouch for the server and
          its name. Without any, whoever answers is believed.
        type: str
        default: ""
  name:
    description: Name of the role and of the database.
    type: str
    required: true
  password:
    description: Password of the role. If empty, the role has none, or keeps what it has.
    type: str
    default: ""
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Create the app's role and database
  postgresql_app:
    server: {host: db.example.com, user: admin, password: "{{ admin_secret }}"}
    name: shop
    password: "{{ app_secret }}"
  run_once: true

- name: Create it on this host, where the kernel says who somebody is
  postgresql_app:
    server: {host: /run/postgresql, user: postgres}
    name: shop
  become: true
  become_user: postgres
"""

RETURN = r"""
wal_level:
  description: What the server writes to its log. Logical replication, with which a database moves
    away, needs V(logical). Empty in check mode when the database is not there.
  returned: when O(password) is given
  type: str
  sample: logical
empty:
  description: Whether the app has no tables yet.
  returned: when O(password) is given
  type: bool
done:
  description: What was done, or would be.
  returned: always
  type: list
  elements: str
  sample: [create the role, create the database]
"""

import os
import tempfile
import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import psycopg
    from psycopg import sql
except ImportError:
    psycopg = None
    IMPORT_TRACE = traceback.format_exc()


def connect(server, database, user, password):
    return psycopg.connect(
        host=server["host"],
        port=server["port"],
        dbname=database,
        user=user,
        password=password or None,
        sslmode="verify-full" if server["authority"] else "require",
        sslrootcert=server["authority"] or None,
        connect_timeout=15,
        autocommit=True,
    )


def look(server, name, password):
    """What the app sees in its database; None when it cannot log in."""
    try:
        with connect(server, name, name, password) as app:
            tables = app.execute("select 1 from pg_tables where tableowner = current_user")
            return {
                "wal_level": app.execute("show wal_level").fetchone()[0],
                "empty": tables.fetchone() is None,
            }
    except psycopg.OperationalError:
        return None


def steps(admin, name, password):
    """``{what: statement}`` that gives the app what it lacks."""
    role = sql.Identifier(name)
    secret = sql.SQL(" password {}").format(sql.Literal(password)) if password else sql.SQL("")
    exists = admin.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone()
    found = {}
    if not exists:
        found["create the role"] = sql.SQL("create role {} login{}").format(role, secret)
    elif password:
        found["set the password"] = sql.SQL("alter role {} login{}").format(role, secret)
    owns = admin.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
    if not owns:
        if admin.info.parameter_status("is_superuser") != "on":
            grant = sql.SQL("grant {} to current_user").format(role)
            found["let the administrator act for it"] = grant
        found["create the database"] = sql.SQL(
            "create database {} owner {} encoding 'UTF8' template template0"
        ).format(role, role)
    return found


def main():
    server = {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 5432},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "default": "", "no_log": True},
        "authority": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "server": {"type": "dict", "required": True, "options": server},
            "name": {"type": "str", "required": True},
            "password": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )
    if psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=IMPORT_TRACE)
    server, name = module.params["server"], module.params["name"]
    if server["authority"]:
        handle, path = tempfile.mkstemp(dir=module.tmpdir, text=True)
        with os.fdopen(handle, "w") as file:
            file.write(server["authority"])
        server["authority"] = path
    password = module.params["password"]
    seen, found = look(server, name, password) if password else None, {}
    if seen is None:
        try:
            with connect(server, "postgres", server["user"], server["password"]) as admin:
                found = steps(admin, name, password)
                for statement in [] if module.check_mode else found.values():
                    admin.execute(statement)
        except psycopg.Error as error:
            module.fail_json(msg=f"Cannot set up {name} on {server['host']}: {error}")
    if password and found:
        seen = look(server, name, password) or {"wal_level": "", "empty": True}
    diff = {"before": [], "after": list(found)}
    module.exit_json(changed=bool(found), done=list(found), diff=diff, **(seen or {}))


if __name__ == "__main__":
    main()
