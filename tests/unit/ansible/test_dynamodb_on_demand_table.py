"""The module for tables: against moto's DynamoDB, and where AWS is slower, written answers."""

import boto3
import pytest
from moto import mock_aws

from tests.unit.ansible.aws import Failed, stubbed

OURS = {
    "name": "shop-sessions",
    "key": "session_key",
    "expiry": "expires",
    "tags": {"Project": "shop"},
}


@pytest.fixture
def dynamodb(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


def keep(run, client, check_mode=False, **more):
    return run("dynamodb_on_demand_table", client, check_mode, **OURS | more)


def remove(run, client, **more):
    options = {"name": OURS["name"], "state": "absent"} | more
    return run("dynamodb_on_demand_table", client, **options)


def test_a_table_is_made_as_it_is_wanted_and_stays(run, dynamodb):
    assert keep(run, dynamodb, check_mode=True)["changed"]
    assert dynamodb.list_tables()["TableNames"] == []

    made = keep(run, dynamodb)

    assert made["changed"]
    table = dynamodb.describe_table(TableName=OURS["name"])["Table"]
    assert made["arn"] == table["TableArn"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"]
    assert table["KeySchema"] == [{"AttributeName": "session_key", "KeyType": "HASH"}]
    expiry = dynamodb.describe_time_to_live(TableName=OURS["name"])["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    backups = dynamodb.describe_continuous_backups(TableName=OURS["name"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    tags = dynamodb.list_tags_of_resource(ResourceArn=made["arn"])["Tags"]
    assert tags == [{"Key": "Project", "Value": "shop"}]
    again = keep(run, dynamodb)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"] == made["diff"]["after"]


def test_what_somebody_has_changed_is_set_back(run, dynamodb):
    arn = keep(run, dynamodb)["arn"]
    dynamodb.update_table(TableName=OURS["name"], DeletionProtectionEnabled=False)
    dynamodb.update_continuous_backups(
        TableName=OURS["name"],
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
    )
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "Theirs", "Value": "x"}])

    result = keep(run, dynamodb)

    before, after = result["diff"]["before"], result["diff"]["after"]
    assert (before["deletion_protection"], before["recovery"]) == (False, False)
    assert (after["deletion_protection"], after["recovery"]) == (True, True)
    assert after["tags"] == {"Theirs": "x", "Project": "shop"}
    assert not keep(run, dynamodb)["changed"]


def test_a_table_may_have_a_second_key_of_either_type(run, dynamodb):
    options = {"name": "shop-counters", "key": "counted", "sort": "minute", "sort_type": "N"}
    assert run("dynamodb_on_demand_table", dynamodb, **options)["changed"]

    table = dynamodb.describe_table(TableName="shop-counters")["Table"]
    assert table["KeySchema"] == [
        {"AttributeName": "counted", "KeyType": "HASH"},
        {"AttributeName": "minute", "KeyType": "RANGE"},
    ]
    assert {"AttributeName": "minute", "AttributeType": "N"} in table["AttributeDefinitions"]
    assert not run("dynamodb_on_demand_table", dynamodb, **options)["changed"]
    with pytest.raises(Failed, match=r"sort_type of .* is N and cannot become S"):
        run("dynamodb_on_demand_table", dynamodb, **options | {"sort_type": "S"})


def test_a_table_gets_no_second_key_later(run, dynamodb):
    keep(run, dynamodb)
    with pytest.raises(Failed, match=r"The sort of .* is None and cannot become at"):
        keep(run, dynamodb, sort="at")


@pytest.mark.parametrize(("option", "was"), [("key", "session_key"), ("expiry", "expires")])
def test_what_cannot_change_is_refused_with_both_values(run, dynamodb, option, was):
    keep(run, dynamodb)
    with pytest.raises(Failed, match=f"The {option} of .* is {was} and cannot become other"):
        keep(run, dynamodb, **{option: "other"})


def test_a_protected_table_goes_only_when_somebody_says_so(run, dynamodb):
    keep(run, dynamodb)
    with pytest.raises(Failed, match="protected from deletion: deletion_protection=false"):
        remove(run, dynamodb)
    assert remove(run, dynamodb, deletion_protection=False)["changed"]
    assert dynamodb.list_tables()["TableNames"] == []
    assert not remove(run, dynamodb)["changed"]


# what moto does at once


def described(stubber, status="ACTIVE", **more):
    table = {
        "TableName": OURS["name"],
        "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/shop-sessions",
        "TableStatus": status,
        "ItemCount": 3,
        **more,
    }
    stubber.add_response("describe_table", {"Table": table}, {"TableName": OURS["name"]})


RECOVERABLE = {
    "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"},
    }
}


def test_the_protection_is_off_before_the_table_goes(run):
    client, stubber = stubbed("dynamodb")
    described(stubber, DeletionProtectionEnabled=True)
    stubber.add_response("describe_continuous_backups", RECOVERABLE)
    described(stubber, DeletionProtectionEnabled=True)
    stubber.add_response("update_table", {})
    described(stubber, "UPDATING", DeletionProtectionEnabled=False)
    described(stubber, DeletionProtectionEnabled=True)  # an answer of before
    described(stubber, DeletionProtectionEnabled=False)
    stubber.add_response("delete_table", {}, {"TableName": OURS["name"]})
    described(stubber, "DELETING")
    stubber.add_client_error("describe_table", "ResourceNotFoundException")

    result = remove(run, client, deletion_protection=False)

    assert result["changed"]
    assert result["diff"]["before"] == {"items": 3, "recovery": True}
    stubber.assert_no_pending_responses()


def test_a_wait_that_is_too_long_says_what_for(run):
    client, stubber = stubbed("dynamodb")
    for _ in range(2):
        described(stubber, "CREATING")
    with pytest.raises(Failed, match=r"waited for to be active, for -1 s: it is still CREATING"):
        keep(run, client, wait_timeout=-1)


def test_what_aws_refuses_is_said(run):
    client, stubber = stubbed("dynamodb")
    stubber.add_client_error("describe_table", "AccessDeniedException", "not you")
    with pytest.raises(Failed, match=r"Cannot keep the table shop-sessions.*not you"):
        keep(run, client)
