"""DynamoDB in few words: many items by key, and changes of several items, all of them or none.

Nobody holds a lock there. Who changes what others change too says what it was when he read it; if
that is no longer so, nothing changes, and he reads again.
"""

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import batched

from botocore.exceptions import BotoCoreError, ClientError

from service import aws
from service.errors import StoreUnavailable

AT_ONCE = 100  # keys that it reads at once
WRITES_AT_ONCE = 25  # and items that it writes, each for itself
ATTEMPTS = 8  # at what others change too, or what it leaves unread: about two seconds
PAUSE, LONGEST = 0.05, 0.8
OTHERS = {"ConditionalCheckFailed", "TransactionConflict"}

type Item = dict[str, dict]


class Contested(Exception):
    """Somebody else changed it between our reading and our writing; nothing was written."""


@contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(f"DynamoDB: {error}") from error


def wait(attempt: int) -> None:
    """Longer each time, and as long as chance has it: who met once should not meet again."""
    if attempt:
        time.sleep(random.uniform(0, min(LONGEST, PAUSE * 2**attempt)))  # noqa: S311  # no secret


def settled[Answer](do: Callable[[], Answer]) -> Answer:
    """The answer of what reads and then changes, done anew while others come between."""
    for attempt in range(ATTEMPTS):
        wait(attempt)
        try:
            return do()
        except Contested as error:
            last = error
    raise StoreUnavailable(f"DynamoDB: others change the same all the time: {last}") from last


@told()
def transact(changes: list[dict]) -> None:
    # Each call has a token of its own, by botocore: sent twice because the first answer was lost,
    # it is done once.
    client = aws.client("dynamodb")
    try:
        client.transact_write_items(TransactItems=changes)
    except client.exceptions.TransactionCanceledException as error:
        reasons = error.response.get("CancellationReasons", [])
        codes = {each.get("Code", "None") for each in reasons} - {"None"}
        if codes and codes <= OTHERS:
            raise Contested(", ".join(sorted(codes))) from error
        raise


@told()
def get_one(table: str, key: Item) -> Item | None:
    answer = aws.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
    return answer.get("Item")


@told()
def get_many(table: str, keys: Collection[Item]) -> list[Item]:
    """Those that are there, as they are now, in whatever order."""
    found = []
    for some in batched(keys, AT_ONCE):
        asked = {table: {"Keys": list(some), "ConsistentRead": True}}
        for attempt in range(ATTEMPTS):
            wait(attempt)
            answer = aws.client("dynamodb").batch_get_item(RequestItems=asked)
            found += answer["Responses"].get(table, [])
            asked = answer.get("UnprocessedKeys")
            if not asked:
                break
        else:
            raise StoreUnavailable("DynamoDB: it left keys unread")
    return found


def every(operation: str, table: str, **options) -> Iterator[Item]:
    """All that a query or a scan finds, through all its pages, as it is now."""
    pages = aws.client("dynamodb").get_paginator(operation)
    with told():
        for page in pages.paginate(TableName=table, ConsistentRead=True, **options):
            yield from page["Items"]


@told()
def write_many(table: str, writes: Iterable[dict]) -> None:
    """Puts and deletions, in any order, each for itself."""
    for some in batched(writes, WRITES_AT_ONCE):
        asked = {table: list(some)}
        for attempt in range(ATTEMPTS):
            wait(attempt)
            asked = (
                aws.client("dynamodb").batch_write_item(RequestItems=asked).get("UnprocessedItems")
            )
            if not asked:
                break
        else:
            raise StoreUnavailable("DynamoDB: it left items unwritten")
