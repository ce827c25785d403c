"""AWS calls that were noted by `recorder/sitecustomize.py`, made once more in one process."""

import json
import re
import time

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError

# What is not ready yet is asked for again, as whoever made the calls at first must have done.
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.1
SHORTEST_NAME = 6


def read(path):
    """`[service, operation, parameters, answer]` of each call, in their order."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def replay(calls, names, **options):
    """Seconds for all of them. `options` are those of boto3's clients.

    `names` is what is called otherwise than before; it grows.
    """
    clients = {}
    started = time.monotonic()
    for service, operation, parameters, answer in calls:
        if service not in clients:
            clients[service] = boto3.client(service, **options)
        call = getattr(clients[service], xform_name(operation))
        learn(answer, patiently(call, renamed(parameters, names)), names)
    return time.monotonic() - started


def patiently(call, parameters):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call(**parameters)
        except ClientError:
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


def learn(before, now, names):
    """Note what is called otherwise this time: ids, ARNs, addresses, host names."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() & now.keys() - {"ResponseMetadata"}:
            learn(before[key], now[key], names)
    elif isinstance(before, list) and isinstance(now, list):
        for old, new in zip(before, now, strict=False):
            learn(old, new, names)
    elif isinstance(before, str) and isinstance(now, str) and before != now and is_name(before):
        names[before] = now
        if "/" in before:
            # Some calls take the end of an ARN or of a path only.
            learn(before.rpartition("/")[2], now.rpartition("/")[2], names)


def is_name(text):
    """Rather than a state, which may differ only because it has not come about yet."""
    return len(text) >= SHORTEST_NAME and re.search(r"\d", text) is not None


def renamed(value, names):
    """The parameters, with what has another name now."""
    if isinstance(value, dict):
        return {key: renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [renamed(each, names) for each in value]
    if isinstance(value, str) and names:
        # Longer ones first: an ARN has the id in it.
        ordered = sorted(names, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, ordered)), lambda found: names[found[0]], value)
    return value
