#!/usr/bin/python
"""Ansible module: move a PostgreSQL database to another server while its app serves."""

DOCUMENTATION = r"""
module: postgresql_move
short_description: Move a PostgreSQL database to another server while its app serves
description:
  - Copies the tables of schema C(public) by logical replication, then refuses writes on the source
    for the moment that it takes until the target has everything, and proves that it has.
  - Runs on a host that reaches both servers. Needs C(pg_dump) and C(psql) there.
  - A step that fails leaves the source taking writes. Running the steps again goes on where a copy
    was begun.
notes:
  - "Gap in the collections: M(community.postgresql.postgresql_publication) and
    M(community.postgresql.postgresql_subscription) make the two ends, but nothing copies a schema,
    waits for the initial copy, refuses writes, waits until the ends are equal, carries the
    sequences over or compares the contents. As ten calls of a second each, all of that would be
    time in which writes are refused."
  - Needs C(wal_level=logical) on the source (on RDS the parameter C(rds.logical_replication)).
  - Tables need a primary key. Large objects and schemas other than C(public) are not moved.
  - Which server serves is noted in the databases themselves, so a run that was interrupted after
    the switch can neither be undone by mistake nor lose what was written since.
options:
  state:
    description:
      - V(copied) starts the copy, or goes on with it, and waits until it follows the source.
      - V(switched) makes the source refuse writes (SQLSTATE 25006), waits until the target has
        everything and compares all rows of both. When that fails, the source takes writes again.
      - V(writable) makes the source take writes again, unless the app may use the target already,
        which it says.
      - V(finished) removes what the move needed. The source keeps refusing writes. When the source
        holds the copy of a move the other way that was given up, what that needed is removed. It
        fails when the app may have been led from the target to the source.
    type: str
    choices: [copied, switched, writable, finished]
    required: true
  source:
    description: The server that serves.
    type: dict
    required: true
    suboptions: &server
      host:
        description: Name or address, or the directory of the socket.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        default: 5432
      user:
        description: Role with the rights of an administrator (on RDS the master user).
        type: str
        required: true
      password:
        description: Its password, if it needs one.
        type: str
      database:
        description: Name of the database.
        type: str
        required: true
      address:
        description: Where the other server reaches this one. Needed on the source.
        type: str
      authority:
        description: File on this host, readable for everybody, with certificates of authorities, of
          which one must vouch for the server and its name. Without it, whoever answers is believed.
        type: str
  target:
    description: The server that will serve.
    type: dict
    required: true
    suboptions: *server
  owner:
    description: Role that owns the tables, on both servers.
    type: str
    required: true
  name:
    description: Name of what the move makes on the servers.
    type: str
    default: ansible_move
  overwrite:
    description:
      - Whether data on the target that no move has put there may be destroyed. Copies that a move
        left or superseded never need this.
    type: bool
    default: false
  command:
    description:
      - With V(switched), a program that makes the app use the target, run as soon as the target has
        proved equal. It writes a line once the app does. When it fails before, the source takes
        writes again.
    type: list
    elements: str
    default: []
  wait:
    description: Seconds that V(copied) waits for the copy, and V(switched) for the target.
    type: int
    default: 20
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Copy while the site serves
  postgresql_move:
    state: copied
    source: &here {host: /run/postgresql, user: postgres, database: app, address: 10.0.0.4}
    target: &there {host: db.example.com, user: admin, password: "{{ secret }}", database: app}
    owner: app
  register: copy
  until: copy.ready
  retries: 1000
  delay: 0

- name: Bring the last writes over
  postgresql_move: {state: switched, source: *here, target: *there, owner: app}

# ... let the app use the other server ...

- name: Remove what the move needed
  postgresql_move: {state: finished, source: *here, target: *there, owner: app}
"""

RETURN = r"""
ready:
  description: Whether all tables are copied and follow the source.
  returned: with O(state=copied)
  type: bool
progress:
  description: How many tables are, for people.
  returned: with O(state=copied)
  type: str
  sample: 11 of 14 tables
tables:
  description: Rows and digest of each table, equal on both servers when they were compared.
  returned: with O(state=switched)
  type: dict
  sample: {pictures_picture: {rows: 1000, digest: 5d41402abc4b2a76}}
refused_seconds:
  description:
    - How long writes were refused until O(command) had led the app to the target. Null when an
      earlier run had switched.
  returned: with O(state=switched)
  type: float
  sample: 0.42
switched:
  description: Whether the app may use the target already.
  returned: with O(state=writable)
  type: bool
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import psycopg
    from ansible.module_utils.postgresql_move import Move, MoveError, Server
except ImportError:
    psycopg = None
    IMPORT_TRACE = traceback.format_exc()


def server_options():
    return {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 5432},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "no_log": True},
        "database": {"type": "str", "required": True},
        "address": {"type": "str"},
        "authority": {"type": "str"},
    }


def copied(move, module):
    if module.check_mode:
        return {"changed": not move.resumable(), "ready": True, "progress": "not begun"}
    changed = move.copy(module.params["overwrite"])
    ready, total = move.wait_until_copied(module.params["wait"])
    return {"changed": changed, "ready": ready == total, "progress": f"{ready} of {total} tables"}


def switched(move, module):
    if module.check_mode:
        return {"changed": True, "tables": {}, "refused_seconds": None}
    return {"changed": True, **move.switch(module.params["wait"], module.params["command"])}


def writable(move, module):
    if move.switched():
        return {"changed": False, "switched": True}
    if module.check_mode:
        return {"changed": move.refuses(move.source), "switched": False}
    return {"changed": move.allow_writes(), "switched": False}


def finished(move, module):
    if module.check_mode:
        move.check_finish()
        return {"changed": move.marked(move.target)}
    try:
        abandoned = move.subscribed(move.source)
    except MoveError:
        # The source is gone for good: what is left on the target is removed all the same.
        return {"changed": move.finish(reachable=False)}
    changed = move.finish()
    if abandoned:
        # The source holds the copy of a move that was given up.
        changed = move.reversed().finish() or changed
    return {"changed": changed}


def described(move, module):
    """Reach the state; with ``diff``, what both servers were before and are after."""
    state = module.params["state"]
    try:
        before = move.describe()
    except MoveError:
        return STATES[state](move, module)  # one is out of reach, which some states do without
    result = STATES[state](move, module)
    after = before | PREDICTED[state] if module.check_mode else move.describe()
    return result | {"diff": {"before": before, "after": after if result["changed"] else before}}


# What each state leaves, where it changes anything.
PREDICTED = {
    "copied": {"source": "takes writes", "target": "is being filled"},
    "switched": {"source": "refuses writes: superseded", "target": "has everything"},
    "writable": {"source": "takes writes"},
    "finished": {"target": "is on its own"},
}
STATES = {"copied": copied, "switched": switched, "writable": writable, "finished": finished}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": list(STATES), "required": True},
            "source": {"type": "dict", "required": True, "options": server_options()},
            "target": {"type": "dict", "required": True, "options": server_options()},
            "owner": {"type": "str", "required": True},
            "name": {"type": "str", "default": "ansible_move"},
            "overwrite": {"type": "bool", "default": False},
            "command": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    if psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=IMPORT_TRACE)
    move = Move(
        Server(module.params["source"]),
        Server(module.params["target"]),
        module.params["owner"],
        module.params["name"],
    )
    try:
        result = described(move, module)
    except MoveError as error:
        module.fail_json(msg=str(error))
    except psycopg.Error as error:
        module.fail_json(msg=f"The databases refused: {error}", exception=traceback.format_exc())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
