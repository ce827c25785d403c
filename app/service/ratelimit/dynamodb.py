"""Counts in a DynamoDB table: keys `counted` and `window_number`, and `expires` for its TTL."""

from django.conf import settings

from service import aws
from service.dynamodb import get_one, told


class InDynamoDB:
    def __init__(self):
        self.table = settings.COUNTERS_TABLE

    def add(self, key: str, window: int, seconds: int, amount: int) -> tuple[int, int]:
        count = self.count(key, window, (window + 2) * seconds, amount)
        before = get_one(self.table, of(key, window - 1))
        return count, int(before["hits"]["N"]) if before else 0

    @told()
    def count(self, key: str, window: int, expires: int, amount: int) -> int:
        answer = aws.client("dynamodb").update_item(
            TableName=self.table,
            Key=of(key, window),
            UpdateExpression="ADD hits :amount SET expires = :expires",
            ExpressionAttributeValues={
                ":amount": {"N": str(amount)},
                ":expires": {"N": str(expires)},
            },
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["hits"]["N"])


def of(key: str, window: int) -> dict:
    return {"counted": {"S": key}, "window_number": {"N": str(window)}}
