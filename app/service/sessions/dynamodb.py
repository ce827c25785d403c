"""Sessions in a DynamoDB table: key `session_key`, and `expires` for its TTL.

DynamoDB may take days to delete what is expired; it counts as gone at once.
"""

import time
from collections.abc import Collection, Iterator

from django.conf import settings

from service import aws
from service.dynamodb import told
from service.errors import StoreUnavailable
from service.sessions import BATCH, GONE, Kept

ATTEMPTS = 5  # at what DynamoDB leaves unread


def as_item(kept: Kept) -> dict:
    return {
        "session_key": {"S": kept.key},
        "session_data": {"S": kept.data},
        "expires": {"N": str(kept.expires)},
    }


def as_kept(item: dict) -> Kept:
    return Kept(item["session_key"]["S"], item["session_data"]["S"], int(item["expires"]["N"]))


def now() -> dict:
    return {"N": str(int(time.time()))}


def unexpired(items: list[dict]) -> list[Kept]:
    return [kept for kept in map(as_kept, items) if not kept.expired]


class DynamoDB:
    at_once = 8

    def __init__(self):
        self.table = settings.SESSION_TABLE

    @property
    def client(self):
        return aws.client("dynamodb")

    def get(self, key: str) -> Kept | None:
        with told():
            answer = self.client.get_item(
                TableName=self.table, Key={"session_key": {"S": key}}, ConsistentRead=True
            )
        found = unexpired([answer["Item"]] if "Item" in answer else [])
        return found[0] if found else None

    @told()
    def get_many(self, keys: Collection[str]) -> dict[str, Kept]:
        wanted = [{"session_key": {"S": key}} for key in keys]
        asked = {self.table: {"Keys": wanted, "ConsistentRead": True}} if wanted else {}
        found = []
        for attempt in range(ATTEMPTS):
            if not asked:
                return {kept.key: kept for kept in found}
            time.sleep(0.1 * attempt)
            answer = self.client.batch_get_item(RequestItems=asked)
            found += unexpired(answer["Responses"].get(self.table, []))
            asked = answer.get("UnprocessedKeys")
        raise StoreUnavailable("DynamoDB: it left keys unread")

    def add(self, kept: Kept) -> bool:
        # Asked twice because the first answer was lost, this is False: another key is found then.
        condition = "attribute_not_exists(session_key) OR expires <= :now"
        return self.put(kept, condition, **{":now": now()})

    def replace(self, kept: Kept, seen: Kept | None = None) -> bool:
        condition = "attribute_exists(session_key) AND session_data <> :gone AND expires > :now"
        values = {":gone": {"S": GONE}, ":now": now()}
        if seen:
            condition += " AND session_data = :seen"
            values[":seen"] = {"S": seen.data}
        return self.put(kept, condition, **values)

    @told()
    def put(self, kept: Kept, condition: str, **values: dict) -> bool:
        try:
            self.client.put_item(
                TableName=self.table,
                Item=as_item(kept),
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    @told()
    def bury(self, gravestone: Kept) -> None:
        self.client.put_item(TableName=self.table, Item=as_item(gravestone))

    def all(self) -> Iterator[list[Kept]]:
        scan = self.client.get_paginator("scan")
        pages = scan.paginate(
            TableName=self.table, ConsistentRead=True, PaginationConfig={"PageSize": BATCH}
        )
        with told():
            for page in pages:
                yield unexpired(page["Items"])

    @told()
    def about_how_many(self) -> int:
        return self.client.describe_table(TableName=self.table)["Table"].get("ItemCount", 0)

    def clear_expired(self) -> None:
        """The table's TTL does it."""
