"""DynamoDB: where moto's tables differ from AWS's."""

import uuid

from moto.dynamodb.models.table import Table

from localcloud.hooks import hook
from localcloud.services.base import Service


class DynamoDb(Service):
    """Tables are moto's."""

    @hook(Table, "describe", "self, base_key")
    def with_id(self, original, table, base_key="TableDescription"):
        """community.aws.dynamodb_table wants the TableId that every table has on AWS."""
        description = original(table, base_key)
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{table.table_arn} {table.created_at}")
        description[base_key].setdefault("TableId", str(identity))
        return description
