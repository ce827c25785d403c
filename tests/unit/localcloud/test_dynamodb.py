"""Tables keep what DynamoDB promises: one winner, expiry, throughput, backups."""

import sqlite3
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client

from localcloud.faults import FaultError
from localcloud.services.cloudwatch.sources.tables import TableMetrics
from localcloud.services.dynamodb.backups import Backups
from localcloud.services.dynamodb.expiry import Expiry
from localcloud.state import pickled

SESSIONS = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


@pytest.fixture
def tables(api):
    return api.client("dynamodb")


@pytest.fixture
def make(tables):
    """Make a table, on demand unless it is said otherwise."""

    def create(name="sessions", **options):
        if "ProvisionedThroughput" not in options:
            options["BillingMode"] = "PAY_PER_REQUEST"
        tables.create_table(TableName=name, **SESSIONS | options)
        return name

    return create


def provisioned(reads, writes):
    return {"ProvisionedThroughput": {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}}


def item(name, **more):
    return {"id": {"S": name}} | {
        key: {"N": str(value)} if isinstance(value, int | float) else {"S": value}
        for key, value in more.items()
    }


def put(tables, name, table="sessions", **more):
    tables.put_item(TableName=table, Item=item(name, **more))


def there(tables, table="sessions"):
    found = tables.scan(TableName=table, ConsistentRead=True)["Items"]
    return {each["id"]["S"]: each for each in found}


def code(call, **options):
    with pytest.raises(ClientError) as caught:
        call(**options)
    return caught.value.response["Error"]["Code"]


def test_what_has_expired_goes_and_nothing_else(cloud, tables, make):
    make()
    now = time.time()
    put(tables, "over", expires=int(now - 5))
    put(tables, "not yet", expires=int(now + 60))
    put(tables, "long ago", expires=int(now - 6 * 365 * 86400))
    put(tables, "no number", expires="soon")
    put(tables, "none")
    expiry = cloud.service(Expiry)
    expiry.reconcile()
    assert len(there(tables)) == 5
    tables.update_time_to_live(
        TableName="sessions",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )
    assert "over" in there(tables)  # until the next sweep
    expiry._next = 0
    expiry.reconcile()
    assert set(there(tables)) == {"not yet", "long ago", "no number", "none"}


def test_what_has_expired_stays_gone(make_cloud, cloud, tables, make):
    make()
    put(tables, "over", expires=1 + int(time.time()) - 100)
    tables.update_time_to_live(
        TableName="sessions",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )
    cloud.service(Expiry)._next = 0
    cloud.reconcile()
    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    assert len(after.backend("dynamodb").tables["sessions"]) == 0


def test_of_contested_transactions_one_wins(api, tables, make):
    """Each takes both items, or neither; a counter counts all that were let through."""
    make()
    put(tables, "count", n=0)
    results = []

    def take(name):
        own = api.client("dynamodb")
        once = {"TableName": "sessions", "ConditionExpression": "attribute_not_exists(id)"}
        both = [{"Put": {**once, "Item": item(each, by=name)}} for each in ("first", "second")]
        with suppress(own.exceptions.TransactionCanceledException):
            own.transact_write_items(TransactItems=both)
            results.append(name)
        own.update_item(
            TableName="sessions", Key=item("count"), UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )  # fmt: skip

    writers = [threading.Thread(target=take, args=[str(number)]) for number in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    found = there(tables)
    assert len(results) == 1
    assert {found["first"]["by"]["S"], found["second"]["by"]["S"]} == set(results)
    assert found["count"]["n"]["N"] == "8"


def test_a_failed_transaction_puts_back_what_it_changed(tables, make):
    keys = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}]
    kinds = [{"AttributeName": "id", "AttributeType": "S"},
             {"AttributeName": "n", "AttributeType": "N"}]  # fmt: skip
    make("ordered", KeySchema=keys, AttributeDefinitions=kinds)
    put(tables, "a", table="ordered", n=1, was="old")
    put(tables, "a", table="ordered", n=2)
    missing = {"TableName": "ordered", "Key": item("b", n=1),
               "ConditionExpression": "attribute_exists(id)"}  # fmt: skip
    changes = [
        {"Put": {"TableName": "ordered", "Item": item("a", n=1, was="new")}},
        {"Delete": {"TableName": "ordered", "Key": item("a", n=2)}},
        {"Put": {"TableName": "ordered", "Item": item("c", n=1)}},
        {"ConditionCheck": missing},
    ]
    assert code(tables.transact_write_items, TransactItems=changes) == (
        "TransactionCanceledException"
    )
    found = tables.scan(TableName="ordered")["Items"]
    assert sorted((each["id"]["S"], each["n"]["N"]) for each in found) == [("a", "1"), ("a", "2")]
    assert tables.get_item(TableName="ordered", Key=item("a", n=1))["Item"]["was"]["S"] == "old"


def test_a_transaction_that_is_sent_twice_is_done_once(tables, make):
    make()
    put(tables, "count", n=0)

    def add(number):
        change = {"TableName": "sessions", "Key": item("count"), "UpdateExpression": "ADD n :by",
                  "ExpressionAttributeValues": {":by": {"N": str(number)}}}  # fmt: skip
        tables.transact_write_items(TransactItems=[{"Update": change}], ClientRequestToken="one")

    add(1)
    add(1)
    assert there(tables)["count"]["n"]["N"] == "1"
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        add(2)


def test_more_than_is_provisioned_is_throttled(tables, make):
    make(**provisioned(2, 2))
    throttled = "ProvisionedThroughputExceededException"
    for name in ("a", "b"):
        put(tables, name)
    assert code(tables.put_item, TableName="sessions", Item=item("c")) == throttled
    # reads have their own: half a unit each, unless they are consistent
    for _ in range(4):
        tables.get_item(TableName="sessions", Key=item("a"))
    assert code(tables.get_item, TableName="sessions", Key=item("a")) == throttled
    time.sleep(0.6)
    put(tables, "c")
    tables.update_table(TableName="sessions", BillingMode="PAY_PER_REQUEST")
    found = tables.describe_table(TableName="sessions")["Table"]
    assert found["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    for number in range(10):
        put(tables, str(number))


def test_large_items_cost_more_and_pass_all_the_same(tables, make):
    make(**provisioned(1, 3))
    put(tables, "a", text="x" * 4500)
    assert code(tables.put_item, TableName="sessions", Item=item("b")) == (
        "ProvisionedThroughputExceededException"
    )


def test_of_a_batch_the_rest_is_given_back(tables, make):
    make(**provisioned(1, 2))
    requests = {"sessions": [{"PutRequest": {"Item": item(str(number))}} for number in range(5)]}
    left = tables.batch_write_item(RequestItems=requests)["UnprocessedItems"]["sessions"]
    assert len(left) == 3
    assert code(tables.batch_write_item, RequestItems={"sessions": left}) == (
        "ProvisionedThroughputExceededException"
    )


def metrics(cloud):
    """By name and dimensions, how many requests there were and what they took in all."""
    return {
        (each.metric.name, dict(each.metric.dimensions).get("GlobalSecondaryIndexName", "")): (
            each.values.count,
            each.values.sum,
        )
        for each in TableMetrics(cloud).measure(int(time.time()))
        if dict(each.metric.dimensions)["TableName"] == "sessions"
    }


def test_what_tables_take_and_turn_away_is_measured(cloud, tables, make):
    index = {
        "IndexName": "by-owner",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    owner = {"AttributeName": "owner", "AttributeType": "S"}
    make(
        AttributeDefinitions=[*SESSIONS["AttributeDefinitions"], owner],
        GlobalSecondaryIndexes=[index],
    )
    put(tables, "a", owner="x")
    # Two kB are two units, which the index does not take: they have no owner.
    put(tables, "b", text="x" * 1500)
    tables.get_item(TableName="sessions", Key=item("a"))
    tables.get_item(TableName="sessions", Key=item("a"), ConsistentRead=True)
    tables.query(
        TableName="sessions", IndexName="by-owner", KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"}, ExpressionAttributeValues={":o": {"S": "x"}},
    )  # fmt: skip
    fault = cloud.faults.start("throttle", "sessions")
    assert code(tables.get_item, TableName="sessions", Key=item("a")) == "ThrottlingException"
    cloud.faults.heal(fault.id)

    assert metrics(cloud) == {
        ("ConsumedWriteCapacityUnits", ""): (2, 3),
        ("ConsumedWriteCapacityUnits", "by-owner"): (1, 1),
        ("ConsumedReadCapacityUnits", ""): (2, 1.5),
        ("ConsumedReadCapacityUnits", "by-owner"): (1, 0.5),
        ("ReadThrottleEvents", ""): (1, 1),
    }
    assert metrics(cloud) == {}


def test_a_fault_throttles_a_table(cloud, tables, make):
    make()
    make("other")
    put(tables, "a")
    fault = cloud.faults.start("throttle", "sessions")
    assert code(tables.get_item, TableName="sessions", Key=item("a")) == "ThrottlingException"
    statement = "SELECT * FROM sessions WHERE id = 'a'"
    assert code(tables.execute_statement, Statement=statement) == "ThrottlingException"
    both = [{"Put": {"TableName": name, "Item": item("b")}} for name in ("other", "sessions")]
    with pytest.raises(ClientError) as caught:
        tables.transact_write_items(TransactItems=both)
    reasons = [each["Code"] for each in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ThrottlingError"]
    put(tables, "a", table="other")
    cloud.faults.heal(fault.id)
    assert set(there(tables)) == {"a"}
    assert set(there(tables, "other")) == {"a"}


@pytest.mark.parametrize(("target", "others"), [("dynamodb:sessions", None),
                                                ("dynamodb", "ThrottlingException")])  # fmt: skip
def test_a_fault_throttles_one_or_all(cloud, tables, make, target, others):
    make()
    make("other")
    put(tables, "a", table="other")
    fault = cloud.faults.start("throttle", target)
    assert code(tables.get_item, TableName="sessions", Key=item("a")) == "ThrottlingException"
    if others:
        assert code(tables.get_item, TableName="other", Key=item("a")) == others
    else:
        assert set(there(tables, "other")) == {"a"}
    cloud.faults.heal(fault.id)
    assert set(there(tables, "other")) == {"a"}
    with pytest.raises(FaultError):
        cloud.faults.start("throttle", "dynamodb:nothing")


def test_a_backup_keeps_what_was_there(make_cloud, cloud, tables, make):
    make(**provisioned(50, 50), TableClass="STANDARD_INFREQUENT_ACCESS")
    put(tables, "a", n=1)
    path = cloud.settings.state / "api.pickle"
    for number in range(40):
        put(tables, str(number), text="x" * 500)
    size = path.stat().st_size
    backup = tables.create_backup(TableName="sessions", BackupName="before")["BackupDetails"]
    assert backup["BackupSizeBytes"] > 40 * 500
    assert path.stat().st_size - size < 10_000  # its items are no part of the state file
    put(tables, "a", n=2)
    tables.delete_table(TableName="sessions")
    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    tables = client("dynamodb")
    tables.restore_table_from_backup(TargetTableName="sessions", BackupArn=backup["BackupArn"])
    found = there(tables)
    assert found["a"]["n"]["N"] == "1"
    assert len(found) == 41
    described = tables.describe_table(TableName="sessions")["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert described["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    put(tables, "a", n=3)
    tables.restore_table_from_backup(TargetTableName="again", BackupArn=backup["BackupArn"])
    assert there(tables, "again")["a"]["n"]["N"] == "1"
    after.settle()


def test_a_table_is_restored_as_it_was_at_a_moment(cloud, tables, make):
    make()
    restore = {"SourceTableName": "sessions", "TargetTableName": "then"}
    assert code(tables.restore_table_to_point_in_time, UseLatestRestorableTime=True, **restore) == (
        "PointInTimeRecoveryUnavailableException"
    )
    put(tables, "a", n=1)
    put(tables, "b", n=1)
    enabled = tables.update_continuous_backups(
        TableName="sessions",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert enabled["PointInTimeRecoveryStatus"] == "ENABLED"
    put(tables, "a", n=2)
    time.sleep(1.05 - time.time() % 1)  # moments are whole seconds
    moment = datetime.now(UTC)
    put(tables, "a", n=3)
    put(tables, "a", n=4)
    tables.delete_item(TableName="sessions", Key=item("b"))
    put(tables, "c", n=1)
    tables.restore_table_to_point_in_time(RestoreDateTime=moment, **restore)
    then = {name: each["n"]["N"] for name, each in there(tables, "then").items()}
    assert then == {"a": "2", "b": "1"}
    restore["TargetTableName"] = "now"
    tables.restore_table_to_point_in_time(UseLatestRestorableTime=True, **restore)
    assert {name: each["n"]["N"] for name, each in there(tables, "now").items()} == {
        "a": "4", "c": "1",
    }  # fmt: skip
    restore["TargetTableName"] = "never"
    early = datetime.fromtimestamp(time.time() - 86400, UTC)
    assert code(tables.restore_table_to_point_in_time, RestoreDateTime=early, **restore) == (
        "InvalidRestoreTimeException"
    )


def test_of_a_deleted_table_with_a_past_the_last_moment_is_kept(cloud, tables, make):
    make()
    put(tables, "a")
    tables.update_continuous_backups(
        TableName="sessions",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    tables.delete_table(TableName="sessions")
    (backup,) = tables.list_backups(TableName="sessions")["BackupSummaries"]
    assert backup["BackupType"] == "SYSTEM"
    tables.restore_table_from_backup(TargetTableName="sessions", BackupArn=backup["BackupArn"])
    assert set(there(tables)) == {"a"}
    kept = cloud.backend("dynamodb").backups[backup["BackupArn"]]
    kept.creation_date_time -= timedelta(days=36)
    cloud.service(Backups).reconcile()
    assert tables.list_backups()["BackupSummaries"] == []


def test_what_would_be_ignored_is_refused(tables, make):
    for option in (
        {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
        {"OnDemandThroughput": {"MaxReadRequestUnits": 1}},
    ):
        with pytest.raises(ClientError, match="would be ignored"):
            make(**option)


# --- a row for each item ------------------------------------------------------------------------
ROWS = {
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
}


def row(first, second, **more):
    return item("", **more) | {"pk": {"S": first}, "sk": {"N": str(second)}}


def rows_there(tables, name="rows"):
    found = tables.scan(TableName=name, ConsistentRead=True)["Items"]
    return {(each["pk"]["S"], each["sk"]["N"]): each["n"]["N"] for each in found}


def stored(cloud):
    with closing(sqlite3.connect(cloud.store.path)) as database:
        return dict(database.execute("SELECT name, value FROM entries"))


def test_what_is_changed_of_a_partition_is_one_row(make_cloud, cloud, tables, make):
    make("rows", **ROWS)
    for number in range(5):
        tables.put_item(TableName="rows", Item=row("p", number, n=0))
    before = stored(cloud)
    tables.update_item(
        TableName="rows",
        Key={"pk": {"S": "p"}, "sk": {"N": "3.0"}},  # the same number
        UpdateExpression="SET n = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    tables.get_item(TableName="rows", Key={"pk": {"S": "p"}, "sk": {"N": "1"}})
    after = stored(cloud)
    assert len(after) == len(before) == 5
    assert sum(after[name] != before[name] for name in before) == 1

    tables.delete_item(TableName="rows", Key={"pk": {"S": "p"}, "sk": {"N": "0"}})
    make_cloud(cloud.engine, cloud.network, cloud.storage)
    tables = client("dynamodb")
    left = {("p", "1"): "0", ("p", "2"): "0", ("p", "3"): "1", ("p", "4"): "0"}
    assert rows_there(tables) == left


def test_no_two_items_have_the_same_row(cloud, tables, make):
    names = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    make("rows", **ROWS | {"AttributeDefinitions": names})
    for first, second in (("a", "b S c"), ("a S b", "c"), ("a 1", "S c")):
        tables.put_item(TableName="rows", Item={"pk": {"S": first}, "sk": {"S": second}})
    assert len(stored(cloud)) == 3


def test_a_failed_transaction_leaves_a_partition_as_it_was(tables, make):
    make("rows", **ROWS)
    tables.put_item(TableName="rows", Item=row("p", 1, n=1))
    changes = [
        {"Put": {"TableName": "rows", "Item": row("p", 1, n=2)}},
        {"Put": {"TableName": "rows", "Item": row("q", 1, n=2)}},
        {
            "Put": {
                "TableName": "rows",
                "Item": row("p", 3),
                "ConditionExpression": "attribute_exists(pk)",
            }
        },
    ]
    assert code(tables.transact_write_items, TransactItems=changes) == (
        "TransactionCanceledException"
    )
    assert rows_there(tables) == {("p", "1"): "1"}


def test_partitions_are_restored_as_they_were(tables, make):
    make("rows", **ROWS)
    tables.update_continuous_backups(
        TableName="rows",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    for number in (1, 2):
        tables.put_item(TableName="rows", Item=row("p", number, n=1))
    time.sleep(1.05 - time.time() % 1)  # moments are whole seconds
    moment = datetime.now(UTC)
    tables.put_item(TableName="rows", Item=row("p", 2, n=2))
    tables.put_item(TableName="rows", Item=row("q", 1, n=2))
    tables.delete_item(TableName="rows", Key={"pk": {"S": "p"}, "sk": {"N": "1"}})
    tables.restore_table_to_point_in_time(
        SourceTableName="rows", TargetTableName="then", RestoreDateTime=moment
    )
    backup = tables.create_backup(TableName="rows", BackupName="now")["BackupDetails"]
    tables.restore_table_from_backup(TargetTableName="now", BackupArn=backup["BackupArn"])
    tables.put_item(TableName="now", Item=row("p", 7, n=7))

    assert rows_there(tables, "then") == {("p", "1"): "1", ("p", "2"): "1"}
    assert rows_there(tables, "now") == {("p", "2"): "2", ("q", "1"): "2", ("p", "7"): "7"}
    assert rows_there(tables) == {("p", "2"): "2", ("q", "1"): "2"}


def test_partitions_that_were_a_row_each_become_rows_of_items(make_cloud, cloud, tables, make):
    """As a local cloud of before has written them."""
    make("rows", **ROWS)
    make()
    put(tables, "a", n=1)
    for number in range(3):
        tables.put_item(TableName="rows", Item=row("p", number, n=number))
    backend = cloud.backend("dynamodb")
    with closing(sqlite3.connect(cloud.store.path)) as database, database:
        database.execute("DELETE FROM entries")
        for table in backend.tables.values():
            for key, entry in table.items.plain().items():
                name = f"{key.type} {key.value}"
                database.execute(
                    "INSERT INTO entries VALUES (?, ?, ?)",
                    (table.items.uid, name, pickled((key, entry))),
                )
    after = make_cloud(cloud.engine, cloud.network, cloud.storage)
    tables = client("dynamodb")
    put(tables, "b", n=2)
    assert rows_there(tables) == {("p", "0"): "0", ("p", "1"): "1", ("p", "2"): "2"}
    assert set(there(tables)) == {"a", "b"}
    after.settle()
    assert len(stored(after)) == 5


# --- reads ------------------------------------------------------------------------------------
def scanned(tables, **about):
    """Keys of all pages, which are small."""
    pages = tables.get_paginator("scan").paginate(
        TableName="rows", PaginationConfig={"PageSize": 7}, **about
    )
    return [(each["pk"]["S"], each["sk"]["N"]) for page in pages for each in page["Items"]]


def test_a_scan_goes_on_where_its_page_ended_in_whole_and_in_segments(tables, make):
    make("rows", **ROWS)
    # Numbers are no text: 9 comes before 10.
    keys = sorted((f"p{first}", second) for first in range(5) for second in range(8, 8 + first * 5))
    for first, second in keys:
        tables.put_item(TableName="rows", Item={"pk": {"S": first}, "sk": {"N": str(second)}})

    assert scanned(tables) == [(first, str(second)) for first, second in keys]
    parts = [scanned(tables, Segment=each, TotalSegments=3) for each in range(3)]
    assert sorted(chain(*parts)) == sorted((first, str(second)) for first, second in keys)
    assert sum(len({pk for pk, _ in part}) for part in parts) == len({pk for pk, _ in keys})


def test_a_scan_goes_on_though_what_ended_its_page_is_gone(tables, make):
    table = make()
    for each in "abcdef":
        put(tables, each)
    page = tables.scan(TableName=table, Limit=3)
    tables.delete_item(TableName=table, Key=page["LastEvaluatedKey"])

    rest = tables.scan(TableName=table, ExclusiveStartKey=page["LastEvaluatedKey"])
    assert [each["id"]["S"] for each in rest["Items"]] == ["d", "e", "f"]


def test_a_query_finds_its_partition_and_what_an_index_has_in_order(tables, make):
    """Page by page, both ways."""
    by_n = {
        "IndexName": "by-n",
        "KeySchema": [
            {"AttributeName": "kind", "KeyType": "HASH"},
            {"AttributeName": "n", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    more = [
        {"AttributeName": "kind", "AttributeType": "S"},
        {"AttributeName": "n", "AttributeType": "N"},
    ]
    make("rows", **ROWS | {"AttributeDefinitions": [*ROWS["AttributeDefinitions"], *more]},
         GlobalSecondaryIndexes=[by_n])  # fmt: skip
    for number in (10, 9, 2, 33, 1):
        for first in "pq":
            tables.put_item(TableName="rows", Item=row(first, number, n=100 - number, kind="x"))

    def queried(**about):
        pages = tables.get_paginator("query").paginate(
            TableName="rows", PaginationConfig={"PageSize": 2}, **about
        )
        return [(each["pk"]["S"], int(each["sk"]["N"])) for page in pages for each in page["Items"]]

    of_p = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "p"}}}
    assert queried(**of_p) == [("p", number) for number in (1, 2, 9, 10, 33)]
    assert queried(**of_p, ScanIndexForward=False) == [("p", each) for each in (33, 10, 9, 2, 1)]
    of_x = {"KeyConditionExpression": "kind = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}}
    found = queried(IndexName="by-n", **of_x)
    assert [number for _, number in found] == [33, 33, 10, 10, 9, 9, 2, 2, 1, 1]
    assert len(set(found)) == 10
    none = {":p": {"S": "nowhere"}}
    assert queried(KeyConditionExpression="pk = :p", ExpressionAttributeValues=none) == []


def test_attributes_come_as_they_were_put(tables, make):
    make()
    given = {
        "id": {"S": "a"},
        "empty": {"S": ""},
        "number": {"N": "12.50"},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "bytes": {"B": b"\x00\xff"},
        "texts": {"SS": ["a", "b"]},
        "numbers": {"NS": ["1", "2"]},
        "all_bytes": {"BS": [b"\x01"]},
        "list": {"L": [{"S": "a"}, {"B": b"\x02"}, {"M": {"n": {"N": "1"}}}]},
        "map": {"M": {"b": {"B": b"\x03"}, "l": {"L": []}}},
    }
    tables.put_item(TableName="sessions", Item=given)
    assert tables.get_item(TableName="sessions", Key=item("a"))["Item"] == given
    assert tables.scan(TableName="sessions")["Items"] == [given]
