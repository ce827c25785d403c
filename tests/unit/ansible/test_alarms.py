"""filter_plugins/site_alarms.py and library/cloudwatch_alarms.py, against CloudWatch's answers."""

import pytest

from tests.unit.ansible.aws import Failed, stubbed
from tests.unit.ansible.test_filters import load

site_alarms = load("site_alarms")

TOPIC = "arn:aws:sns:us-east-1:123456789012:shop"
HOST = {"name": "shop-1", "id": "i-1", "dump_hours": 3}
BALANCER = {"load_balancer": "app/shop/1", "target_group": "targetgroup/shop/2"}
DATABASE = {"identifier": "shop", "storage_gib": 20, "connections": 70}
ALARM = {
    "name": "full",
    "description": "It is full",
    "namespace": "AWS/RDS",
    "metric": "FreeStorageSpace",
    "dimensions": {"DBInstanceIdentifier": "shop"},
    "statistic": "Minimum",
    "comparison": "below",
    "threshold": 5.0,
    "period": 300,
    "periods": 1,
    "missing": "notBreaching",
}
AS_PUT = {
    "AlarmName": "shop-full",
    "AlarmDescription": "It is full",
    "Namespace": "AWS/RDS",
    "MetricName": "FreeStorageSpace",
    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "shop"}],
    "Statistic": "Minimum",
    "ComparisonOperator": "LessThanThreshold",
    "Threshold": 5.0,
    "Period": 300,
    "EvaluationPeriods": 1,
    "TreatMissingData": "notBreaching",
    "ActionsEnabled": True,
    "AlarmActions": [TOPIC],
    "OKActions": [TOPIC],
}
DESCRIBED = AS_PUT | {"StateValue": "OK", "StateReason": "fine", "InsufficientDataActions": []}


def test_what_the_issue_asks_for_is_watched():
    found = {each["name"]: each for each in site_alarms([HOST], BALANCER, DATABASE)}

    assert set(found) == {
        "shop-1-cpu", "shop-1-status", "shop-1-disk", "shop-1-units", "shop-1-dumps",
        "balancer-errors", "app-errors", "unhealthy-hosts",
        "database-cpu", "database-storage", "database-connections",
    }  # fmt: skip
    assert found["database-storage"]["threshold"] == 2 * 2**30
    assert found["unhealthy-hosts"]["dimensions"] == {
        "LoadBalancer": "app/shop/1",
        "TargetGroup": "targetgroup/shop/2",
    }


def test_what_is_not_there_is_not_watched():
    names = {each["name"] for each in site_alarms([{"name": "shop-2", "id": "i-2"}])}

    assert names == {"shop-2-cpu", "shop-2-status", "shop-2-disk", "shop-2-units"}


@pytest.fixture
def aws():
    found = {service: stubbed(service) for service in ("sts", "sns", "cloudwatch")}
    found["sts"][1].add_response("get_caller_identity", {"Account": "123456789012"})
    yield found
    for _, stubber in found.values():
        stubber.assert_no_pending_responses()


def told(aws, **subscriptions):
    found = [
        {"Protocol": "email", "Endpoint": f"{name}@example.com", "SubscriptionArn": arn}
        for name, arn in subscriptions.items()
    ]
    aws["sns"][1].add_response(
        "list_subscriptions_by_topic", {"Subscriptions": found}, {"TopicArn": TOPIC}
    )


def alarms(aws, *found):
    aws["cloudwatch"][1].add_response(
        "describe_alarms",
        {"MetricAlarms": list(found)},
        {"AlarmNamePrefix": "shop-", "AlarmTypes": ["MetricAlarm"]},
    )


def keep(run, aws, **options):
    clients = {service: client for service, (client, _) in aws.items()}
    given = {"name": "shop", "emails": ["me@example.com"], "alarms": [ALARM], "tags": {"P": "s"}}
    return run("cloudwatch_alarms", clients, **given | options)


TAGS = [{"Key": "P", "Value": "s"}]


def test_the_first_alarm_comes_with_its_topic(run, aws):
    aws["sns"][1].add_client_error("list_subscriptions_by_topic", "NotFound")
    alarms(aws)
    aws["sns"][1].add_response("create_topic", {"TopicArn": TOPIC}, {"Name": "shop", "Tags": TAGS})
    subscribed = {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": "me@example.com"}
    aws["sns"][1].add_response("subscribe", {}, subscribed)
    aws["cloudwatch"][1].add_response("put_metric_alarm", {}, AS_PUT | {"Tags": TAGS})

    result = keep(run, aws)

    assert result["changed"]
    assert result["topic"] == TOPIC
    assert result["unconfirmed"] == ["me@example.com"]


def test_check_mode_announces_it(run, aws):
    aws["sns"][1].add_client_error("list_subscriptions_by_topic", "NotFound")
    alarms(aws)

    result = keep(run, aws, check_mode=True)

    assert result["changed"]
    assert result["topic"] == ""


def test_what_is_there_stays(run, aws):
    told(aws, me="arn:confirmed")
    alarms(aws, DESCRIBED)

    result = keep(run, aws)

    assert not result["changed"]
    assert result["unconfirmed"] == []
    assert result["alarms"] == {"shop-full": "OK"}


@pytest.mark.parametrize(
    "change",
    [{"Threshold": 6.0}, {"AlarmActions": []}, {"TreatMissingData": "missing"},
     {"ActionsEnabled": False}, {"Dimensions": []}],
)  # fmt: skip
def test_an_alarm_that_differs_is_put_again(run, aws, change):
    told(aws, me="arn:confirmed")
    alarms(aws, DESCRIBED | change)
    aws["cloudwatch"][1].add_response("put_metric_alarm", {}, AS_PUT)

    assert keep(run, aws)["changed"]


def test_what_is_not_listed_any_more_goes(run, aws):
    told(aws, me="arn:confirmed", you="arn:yours", never="PendingConfirmation")
    alarms(aws, DESCRIBED, DESCRIBED | {"AlarmName": "shop-old"})
    aws["cloudwatch"][1].add_response("delete_alarms", {}, {"AlarmNames": ["shop-old"]})
    aws["sns"][1].add_response("unsubscribe", {}, {"SubscriptionArn": "arn:yours"})

    result = keep(run, aws)

    assert result["changed"]
    assert result["diff"]["after"]["told"] == ["me@example.com", "never@example.com"]


def test_all_of_it_goes(run, aws):
    told(aws, me="arn:confirmed")
    alarms(aws, DESCRIBED)
    aws["cloudwatch"][1].add_response("delete_alarms", {}, {"AlarmNames": ["shop-full"]})
    aws["sns"][1].add_response("delete_topic", {}, {"TopicArn": TOPIC})

    assert keep(run, aws, state="absent")["changed"]


def test_without_anything_there_is_nothing_to_remove(run, aws):
    aws["sns"][1].add_client_error("list_subscriptions_by_topic", "NotFound")
    alarms(aws)

    assert not keep(run, aws, state="absent")["changed"]


def test_an_alarm_that_aws_refuses(run, aws):
    told(aws, me="arn:confirmed")
    alarms(aws)
    aws["cloudwatch"][1].add_client_error("put_metric_alarm", "LimitExceeded", "too many")

    with pytest.raises(Failed, match=r"Cannot keep the alarms of shop.*too many"):
        keep(run, aws)
