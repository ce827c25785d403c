"""A path of SSM parameters as one thing: what is there, what is wanted, what has to be done."""

import hashlib
import secrets
import string

ALPHABET = string.ascii_letters + string.digits
HIDDEN = "(secret)"


def generate(length):
    """A random secret of ``length`` letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def plan(current, wanted, purge, absent=()):
    """What turns ``current`` into ``wanted``.

    ``current`` maps a name to ``{"type", "value", "version"}``; ``wanted`` is the list of the
    module's ``parameters``, ``absent`` what goes also without ``purge``. Returns ``(puts, deletes,
    after)``: the wanted items to write, the names to delete, and the state after that in the shape
    of ``current``, where a secret that is still to be generated has the value None.
    """
    puts, after = [], dict(current)
    for item in wanted:
        found = current.get(item["name"])
        if found is not None:
            if item["generate"] is not None or not item["overwrite"]:
                continue
            if found["value"] == item["value"]:
                continue
        puts.append(item)
        after[item["name"]] = {
            "type": "String" if item["generate"] is None else "SecureString",
            "value": item["value"],
            "version": (found or {"version": 0})["version"] + 1,
        }
    names = {item["name"] for item in wanted}
    deletes = sorted(set(current) - names if purge else set(current) & set(absent))
    for name in deletes:
        del after[name]
    return puts, deletes, after


def fingerprint(parameters):
    """Twelve hexadecimal digits that change when any of the parameters does; no secret enters."""
    lines = (f"{name}:{parameters[name]['version']}" for name in sorted(parameters))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def shown(parameters):
    """Name and value of each parameter for people and diffs, without the secrets."""
    return {
        name: HIDDEN if item["type"] == "SecureString" else item["value"]
        for name, item in sorted(parameters.items())
    }
