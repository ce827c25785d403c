"""Rights that DynamoDB's calls need: a call on several tables needs one for each."""

import re
from collections.abc import Iterator

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target, action, arn

TRANSACTED = {"ConditionCheck": "ConditionCheckItem", "Put": "PutItem", "Update": "UpdateItem",
              "Delete": "DeleteItem", "Get": "GetItem"}  # fmt: skip
TABLES = ("TableName", "SourceTableName", "SourceTableArn", "TargetTableName", "ResourceArn",
          "BackupArn")  # fmt: skip
STATEMENT = re.compile(
    r"\s*(?:(select)\b.*?\bfrom|(insert)\s+into|(update)|(delete)\s+from)\s+"
    r"[\"']?([\w.-]+)[\"']?(?:\.[\"']?([\w.-]+)[\"']?)?",
    re.IGNORECASE | re.DOTALL,
)


def _dynamodb(cloud, call: Call, parameters: dict) -> Iterator[Target]:
    if call.operation.startswith("Transact"):
        for each in parameters.get("TransactItems", ()):
            for kind, item in each.items():
                yield Target(action(call, TRANSACTED[kind]), table(item.get("TableName", "")))
    elif call.operation in ("BatchGetItem", "BatchWriteItem"):
        for name in parameters.get("RequestItems", ()):
            yield Target(action(call), table(name))
    elif call.operation in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
        statements = parameters.get("Statements") or parameters.get("TransactStatements")
        for each in statements or [parameters]:
            yield _stated(call, each.get("Statement", ""))
    else:
        index = f"/index/{parameters['IndexName']}" if parameters.get("IndexName") else ""
        named = [table(parameters[name]) + index for name in TABLES if parameters.get(name)]
        for each in named:
            yield Target(action(call), each)
        if not named:
            yield Target(action(call))


def _stated(call: Call, statement: str) -> Target:
    """The right for a statement in PartiQL."""
    found = STATEMENT.match(statement)
    if not found:
        return Target(action(call))
    verb = next(filter(None, found.groups()[:4])).capitalize()
    index = f"/index/{found[6]}" if found[6] else ""
    return Target(action(call, f"PartiQL{verb}"), table(found[5]) + index)


def table(name: str) -> str:
    """The ARN of a table, which may be named by it."""
    return name if name.startswith("arn:") else arn("dynamodb", f"table/{name}")


SERVICES["dynamodb"] = _dynamodb
