"""Mail goes nowhere from here: it lies in `mail/` of the state directory, a file each."""

import json
import logging
import secrets
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

log = logging.getLogger("localcloud.sns")

KEPT = 500
SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"


class Mailbox:
    """The newest ``KEPT`` mails."""

    def __init__(self, directory: Path):
        self.directory = directory

    def send(self, address: str, subject: str, text: str) -> Path:
        now = datetime.now(UTC)
        mail = EmailMessage()
        mail["From"], mail["To"] = SENDER, address
        # a header is one line
        mail["Subject"] = " ".join(subject.split())
        mail["Date"] = format_datetime(now)
        # people read the file as it is: a token must not be broken into lines
        mail.set_content(text, cte="8bit")
        self.directory.mkdir(mode=0o700, exist_ok=True)
        path = self.directory / f"{now:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(2)}.eml"
        path.write_bytes(mail.as_bytes())
        for old in sorted(self.directory.glob("*.eml"))[:-KEPT]:
            old.unlink(missing_ok=True)
        log.info("mail to %s: %s (%s)", address, mail["Subject"], path)
        return path


def confirmation(topic: str, address: str, token: str) -> str:
    """What SNS writes to a new address."""
    return f"""\
You have chosen to subscribe to the topic:
{topic}

To confirm this subscription (if this was in error no action is necessary):

    aws sns confirm-subscription --topic-arn {topic} --token {token}

Mail to {address} stays in this directory: the local cloud sends none.
"""


def notification(message: str, topic: str, subscription: str) -> str:
    """A message as a person reads it."""
    return f"""\
{message}

--
If you wish to stop receiving notifications from this topic:

    aws sns unsubscribe --subscription-arn {subscription}

{topic}
"""


def document(message: str, subject: str | None, topic: str, identity: str) -> str:
    """A message as a program reads it (email-json)."""
    told = {
        "Type": "Notification",
        "MessageId": identity,
        "TopicArn": topic,
        "Subject": subject,
        "Message": message,
        "Timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
    }
    return json.dumps({name: value for name, value in told.items() if value is not None}, indent=2)
