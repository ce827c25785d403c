"""Topics: who has confirmed gets mail, and alarms write to them."""

import email
import json
import re

import pytest
from botocore.exceptions import ClientError

from localcloud.services.cloudwatch.alarms import Alarms
from localcloud.services.cloudwatch.metrics import Metrics


@pytest.fixture
def sns(api):
    return api.client("sns")


@pytest.fixture
def topic(sns):
    return sns.create_topic(Name="shop")["TopicArn"]


@pytest.fixture
def mails(cloud):
    """What lies in the mailbox, the oldest first."""

    def read():
        paths = sorted((cloud.settings.state / "mail").glob("*.eml"))
        return [email.message_from_bytes(path.read_bytes()) for path in paths]

    return read


def text(message) -> str:
    return message.get_payload(decode=True).decode()


def subscribe(sns, topic, mails, address="ops@example.com", protocol="email"):
    """Subscribe an address, and confirm as the mail says."""
    sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=address)
    (token,) = re.findall(r"--token (\w+)", text(mails()[-1]))
    return sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]


def test_an_address_has_to_confirm(cloud, sns, topic, mails):
    made = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    assert made["SubscriptionArn"] == "pending confirmation"
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    sns.publish(TopicArn=topic, Message="nobody hears this")
    (asked,) = mails()
    assert (asked["To"], asked["Subject"]) == (
        "ops@example.com", "AWS Notification - Subscription Confirmation",
    )  # fmt: skip
    with pytest.raises(ClientError, match="Token"):
        sns.confirm_subscription(TopicArn=topic, Token="guessed")
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["SubscriptionsPending"] == "1"

    (token,) = re.findall(r"--token (\w+)", text(asked))
    (path,) = (cloud.settings.state / "mail").glob("*.eml")
    assert token in path.read_text()  # as a person sees it
    arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    (listed,) = sns.list_subscriptions()["Subscriptions"]
    assert listed["SubscriptionArn"] == arn
    sns.publish(TopicArn=topic, Message="all is well", Subject="News")
    assert mails()[-1]["Subject"] == "News"
    assert text(mails()[-1]).startswith("all is well\n")
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["SubscriptionsPending"], attributes["SubscriptionsConfirmed"]) == ("0", "1")

    sns.unsubscribe(SubscriptionArn=arn)
    sns.publish(TopicArn=topic, Message="nobody again")
    assert len(mails()) == 2


def test_a_program_reads_mail_as_json(sns, topic, mails):
    subscribe(sns, topic, mails, protocol="email-json")
    identity = sns.publish(TopicArn=topic, Message="all is well")["MessageId"]
    told = json.loads(text(mails()[-1]))
    assert (told["Message"], told["MessageId"], told["TopicArn"]) == (
        "all is well", identity, topic,
    )  # fmt: skip


def test_messages_may_be_filtered(sns, topic, mails):
    arn = subscribe(sns, topic, mails)
    sns.set_subscription_attributes(
        SubscriptionArn=arn,
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps({"kind": ["alarm"]}),
    )
    sns.publish(TopicArn=topic, Message="no kind")
    assert len(mails()) == 1
    sns.publish(
        TopicArn=topic,
        Message="an alarm",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "alarm"}},
    )
    assert len(mails()) == 2


@pytest.mark.parametrize("protocol", ["http", "https", "sms", "sqs", "lambda", "application"])
def test_other_protocols_are_refused(sns, topic, protocol):
    with pytest.raises(ClientError, match=f"refuses the protocol {protocol}"):
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint="arn:aws:sqs:::a")


def test_what_else_is_refused(sns, topic):
    with pytest.raises(ClientError, match="FifoTopic"):
        sns.create_topic(Name="shop.fifo", Attributes={"FifoTopic": "true"})
    with pytest.raises(ClientError, match="PhoneNumber"):
        sns.publish(PhoneNumber="+491701234567", Message="hello")
    with pytest.raises(ClientError, match="Email address"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="nobody")


def test_an_alarm_writes_a_mail_when_it_starts_and_when_it_ends(cloud, api, sns, topic, mails):
    subscribe(sns, topic, mails)
    cloudwatch = api.client("cloudwatch")
    metrics = cloud.service(Metrics)
    now = 1_767_355_200.0
    metrics.clock = lambda: now
    cloudwatch.put_metric_alarm(
        AlarmName="busy", AlarmDescription="Too much to do", Namespace="Shop",
        MetricName="Load", Dimensions=[{"Name": "Host", "Value": "shop-1"}], Statistic="Average",
        Period=60, EvaluationPeriods=1, Threshold=50, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic], OKActions=[topic],
    )  # fmt: skip
    for value in (90, 95, 10):
        metrics.put("Shop", "Load", {"Host": "shop-1"}, [value])
        now += 60
        cloud.service(Alarms).evaluate()
    alarmed, well = mails()[1:]
    assert alarmed["Subject"] == 'ALARM: "busy" in US East (N. Virginia)'
    assert well["Subject"] == 'OK: "busy" in US East (N. Virginia)'
    told = json.loads(text(alarmed).split("\n\n--")[0])
    assert told["AlarmDescription"] == "Too much to do"
    assert (told["OldStateValue"], told["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert told["StateChangeTime"] == "2026-01-02T12:01:00.000+0000"
    assert told["Trigger"]["Dimensions"] == [{"value": "shop-1", "name": "Host"}]
    assert told["NewStateReason"].startswith("Threshold Crossed: 1 datapoint [90.0 ")


def test_an_alarm_whose_topic_is_gone_says_so(cloud, api, sns, topic):
    cloudwatch = api.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="busy", Namespace="Shop", MetricName="Load", Statistic="Average", Period=60,
        EvaluationPeriods=1, Threshold=50, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )  # fmt: skip
    sns.delete_topic(TopicArn=topic)
    cloudwatch.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="a drill")
    found = cloudwatch.describe_alarm_history(HistoryItemType="Action")["AlarmHistoryItems"]
    assert found[0]["HistorySummary"] == f"Failed to execute action {topic}"
