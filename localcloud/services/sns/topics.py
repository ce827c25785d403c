"""Topics and who is told: addresses that have confirmed, by mail."""

import secrets
import uuid

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter, SNSNotFoundError
from moto.sns.models import SNSBackend, Subscription, Topic
from moto.sns.responses import SNSResponse

from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.cloudwatch import notification
from localcloud.services.cloudwatch.actions import ALARM_ACTIONS, Action
from localcloud.services.sns import mail
from localcloud.services.sns.mail import Mailbox

PROTOCOLS = ("email", "email-json")
USUAL_SUBJECT = "AWS Notification Message"


class Topics(Service):
    """A subscription waits until its token comes back, as it stands in the mail."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.mailbox = Mailbox(cloud.settings.state / "mail")
        ALARM_ACTIONS["arn:aws:sns:"] = Action(self.alarmed)

    # the API's calls

    @hook(SNSBackend, "create_topic", "self, name, attributes, tags")
    def create(self, original, backend, name, attributes=None, tags=None):
        if (attributes or {}).get("FifoTopic"):
            raise Refusal("not supported", "The local cloud refuses FifoTopic of sns:CreateTopic.")
        return original(backend, name, attributes, tags)

    @hook(SNSResponse, "subscribe", "self")
    def subscribe(self, original, response):
        asked = response._get_params()
        if asked["Protocol"] not in PROTOCOLS:
            raise Refusal(
                "not supported",
                f"The local cloud refuses the protocol {asked['Protocol']} of sns:Subscribe: it "
                f"has {' and '.join(PROTOCOLS)}, whose mail lies in {self.mailbox.directory}.",
            )
        if "@" not in (asked.get("Endpoint") or ""):
            raise SNSInvalidParameter("Invalid parameter: Email address")
        original(response)
        subscription = response.backend._find_subscription(
            asked["TopicArn"], asked["Endpoint"], asked["Protocol"]
        )
        if not subscription.confirmed:
            self._ask(subscription)
        self._count(subscription.topic)
        shown = subscription.confirmed or asked.get("ReturnSubscriptionArn")
        return ActionResult(
            {"SubscriptionArn": subscription.arn if shown else "pending confirmation"}
        )

    @hook(SNSResponse, "confirm_subscription", "self")
    def confirm(self, original, response):
        asked = response._get_params()
        topic = response.backend.get_topic(asked["TopicArn"])
        for each in response.backend._get_topic_subscriptions(topic):
            if secrets.compare_digest(getattr(each, "token", ""), asked["Token"]):
                each.confirmed = True
                each.attributes["PendingConfirmation"] = False
                self._count(topic)
                return ActionResult({"SubscriptionArn": each.arn})
        raise SNSInvalidParameter("Invalid parameter: Token")

    @hook(SNSBackend, "unsubscribe", "self, subscription_arn")
    def unsubscribe(self, original, backend, subscription_arn):
        subscription = backend.subscriptions.get(subscription_arn)
        original(backend, subscription_arn)
        if subscription:
            self._count(subscription.topic)

    @hook(SNSResponse, "list_subscriptions", "self")
    @hook(SNSResponse, "list_subscriptions_by_topic", "self")
    def list_subscriptions(self, original, response):
        shown = original(response).result
        return ActionResult({**shown, "Subscriptions": [_shown(s) for s in shown["Subscriptions"]]})

    @hook(Topic, "publish",
          "self, message, subject, message_attributes, group_id, deduplication_id, "
          "message_structure")  # fmt: skip
    def publish(self, original, topic, message, subject=None, message_attributes=None,
                group_id=None, deduplication_id=None, message_structure=None):  # fmt: skip
        """moto keeps every message for ever; here they are with those who got them."""
        identity = str(uuid.uuid4())
        for each in topic.sns_backend._get_topic_subscriptions(topic):
            matcher = each._filter_policy_matcher
            if each.confirmed and (matcher is None or matcher.matches(message_attributes, message)):
                own = message
                if message_structure == "json":
                    own = each._parse_message_structure(message, each.protocol)
                self._deliver(each, own, subject, identity)
        return identity

    # what alarms ask

    def alarmed(self, arn: str, alarm, state: str) -> None:
        """Tell the topic of an alarm's new state."""
        topic = self.cloud.backend("sns").topics.get(arn)
        if topic is None:
            raise SNSNotFoundError("Topic does not exist")
        topic.publish(
            notification.message(alarm, alarm.state_before),
            subject=notification.subject(alarm, state),
        )

    # what the cloud asks

    def rows(self) -> list[Row]:
        backend = self.cloud.backend("sns")
        return [
            Row(
                id=topic.name,
                kind="topic",
                state=f"{len(subscribers)} subscribed",
                address=", ".join(
                    each.endpoint + ("" if each.confirmed else " (pending)") for each in subscribers
                ),
                real=str(self.mailbox.directory),
            )
            for topic in list(backend.topics.values())
            for subscribers in [backend._get_topic_subscriptions(topic)]
        ]

    # how

    def _ask(self, subscription: Subscription) -> None:
        """Write to a new address; again, with another token, when it is subscribed again."""
        subscription.token = secrets.token_hex(32)
        subscription.attributes["PendingConfirmation"] = True
        subscription.attributes["ConfirmationWasAuthenticated"] = False
        self.mailbox.send(
            subscription.endpoint,
            "AWS Notification - Subscription Confirmation",
            mail.confirmation(subscription.topic.arn, subscription.endpoint, subscription.token),
        )

    def _deliver(self, subscription: Subscription, message: str, subject: str | None,
                 identity: str) -> None:  # fmt: skip
        topic = subscription.topic.arn
        if subscription.protocol == "email":
            text = mail.notification(message, topic, subscription.arn)
        else:
            text = mail.document(message, subject, topic, identity)
        self.mailbox.send(subscription.endpoint, subject or USUAL_SUBJECT, text)

    def _count(self, topic: Topic) -> None:
        """What GetTopicAttributes tells; moto never counts."""
        subscribers = topic.sns_backend._get_topic_subscriptions(topic)
        # moto's spelling
        topic.subscriptions_confimed = sum(each.confirmed for each in subscribers)
        topic.subscriptions_pending = len(subscribers) - topic.subscriptions_confimed


def _shown(subscription: Subscription) -> dict:
    return {
        "SubscriptionArn": subscription.arn if subscription.confirmed else "PendingConfirmation",
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic_arn,
    }
