"""kill -9 at any moment of a call, then `up`: nothing half made, nothing leaked, nothing lost.

`CRASH_ROUNDS` is how often each call is cut off (3), `CRASH_SEED` makes the moments the same again.
"""

import os
import random
import threading
import time
from contextlib import suppress

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from cloud.conftest import wait_until
from crash.calls import LASTING, NAMES, Calls
from crash.leftovers import Machine

pytestmark = pytest.mark.cloud

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "3"))
SEED = int(os.environ.get("CRASH_SEED") or random.randrange(10_000))


@pytest.fixture(scope="module")
def moments():
    print(f"CRASH_SEED={SEED}")
    return random.Random(SEED)


@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_is_cut_off_leaves_nothing_half_made(cloud, site, moments, name):
    calls, machine = Calls(cloud, site), Machine(cloud)
    started = time.monotonic()
    getattr(calls, name)()()
    usual = time.monotonic() - started
    for round_ in range(ROUNDS):
        call = getattr(calls, name)()
        thread = threading.Thread(target=_quietly, args=(call,))
        thread.start()
        moment = moments.uniform(0, usual)
        time.sleep(moment)
        cloud.kill()
        thread.join(timeout=130)
        said = cloud.run("up").stdout
        if name in LASTING:
            with suppress(AssertionError):  # the next line says what there is still
                wait_until(lambda: machine.problems() == [], seconds=60)
        assert machine.problems() == [], (
            f"round {round_}, cut off {moment:.2f} s into {name} (CRASH_SEED={SEED}):\n{said}"
        )
    calls.clean()


def _quietly(call):
    with suppress(BotoCoreError, ClientError):
        call()


class Objects:
    def __init__(self, calls: Calls):
        self.s3 = calls.s3
        self.s3.create_bucket(Bucket="crash")

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket="crash", Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return self.s3.get_object(Bucket="crash", Key=key)["Body"].read()


class Items:
    def __init__(self, calls: Calls):
        self.rows = calls.rows
        calls.create_table()()
        self.table = f"table-{calls.number}"

    def put(self, key: str, body: bytes) -> None:
        item = {"id": {"S": key}, "body": {"B": body}}
        self.rows.put_item(TableName=self.table, Item=item)

    def get(self, key: str) -> bytes:
        wanted = {"TableName": self.table, "Key": {"id": {"S": key}}, "ConsistentRead": True}
        return self.rows.get_item(**wanted)["Item"]["body"]["B"]


class SortedItems:
    """All in one partition, each a row of its own on the disk."""

    def __init__(self, calls: Calls):
        self.rows = calls.rows
        keys = {"pk": "HASH", "sk": "RANGE"}
        self.rows.create_table(
            TableName="sorted",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        )

    def key(self, key: str) -> dict:
        return {"pk": {"S": "all"}, "sk": {"S": key}}

    def put(self, key: str, body: bytes) -> None:
        self.rows.put_item(TableName="sorted", Item=self.key(key) | {"body": {"B": body}})

    def get(self, key: str) -> bytes:
        found = self.rows.get_item(TableName="sorted", Key=self.key(key), ConsistentRead=True)
        return found["Item"]["body"]["B"]


@pytest.mark.parametrize("kind", [Objects, Items, SortedItems])
def test_nothing_acknowledged_is_lost(cloud, site, moments, kind):
    store = kind(Calls(cloud, site))
    acknowledged: dict[str, bytes] = {}
    for round_ in range(ROUNDS):
        stop = threading.Event()

        def write(round_=round_, stop=stop):
            number = 0
            while not stop.is_set():
                key, body = f"{round_}/{number}", os.urandom(20_000)
                try:
                    store.put(key, body)
                except (BotoCoreError, ClientError):
                    return
                acknowledged[key] = body
                number += 1

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(moments.uniform(0.2, 1.5))
        cloud.kill()
        stop.set()
        thread.join(timeout=60)
        cloud.run("up")
        for key, body in acknowledged.items():
            assert store.get(key) == body, key
    assert len(acknowledged) > ROUNDS
    assert Machine(cloud).problems() == []
