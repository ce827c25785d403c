"""Functions that a bucket tells of its objects: the configuration, and the events themselves."""

import json
import threading
import time
from datetime import UTC, datetime
from urllib.parse import quote_plus

import xmltodict
from moto.s3 import notifications as moto_notifications
from moto.s3.models import OWNER, S3Backend
from moto.s3.responses import S3Response

from localcloud.calls import CALLER, FORM
from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.functions.destinations import FUNCTION
from localcloud.services.functions.invocations import Invocations
from localcloud.services.s3 import S3, answers
from localcloud.settings import REGION

PRINCIPAL = "s3.amazonaws.com"
CREATED, REMOVED = "s3:ObjectCreated:", "s3:ObjectRemoved:"
KINDS = {
    CREATED: ("*", "Put", "Post", "Copy", "CompleteMultipartUpload"),
    REMOVED: ("*", "Delete", "DeleteMarkerCreated"),
}
EVENTS = {kind + name for kind, names in KINDS.items() for name in names}
OTHERS = ("TopicConfiguration", "QueueConfiguration", "EventBridgeConfiguration")
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"  # the MD5 of nothing, which a marker has
LONGEST = 1024


class Notifications(Service):
    """moto calls functions by itself, and of few events."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._last = 0
        self._lock = threading.Lock()

    # the configuration

    @hook(S3Response, "_notification_config_from_body", "self")
    def read(self, original, response):
        said = xmltodict.parse(
            response.body, force_list=("CloudFunctionConfiguration", "Event", "FilterRule")
        )["NotificationConfiguration"]
        said = said if isinstance(said, dict) else {}
        for name in OTHERS:
            if name in said:
                raise Refusal("not supported", f"The local cloud refuses {name}: a bucket tells "
                              "functions only.")  # fmt: skip
        configurations = said.get("CloudFunctionConfiguration") or []
        for each in configurations:
            _check(each)
        names = [each["Id"] for each in configurations if each.get("Id")]
        if len(set(names)) < len(names):
            raise _invalid("Same ID used for multiple configurations. IDs must be unique")
        _check_overlap(configurations)
        if response.headers.get("x-amz-skip-destination-validation", "").lower() != "true":
            source = f"arn:aws:s3:::{response.bucket_name}"
            lets = self.cloud.service(Invocations).lets
            if not all(lets(PRINCIPAL, source, each["CloudFunction"]) for each in configurations):
                raise _invalid("Unable to validate the following destination configurations")
        return {"CloudFunctionConfiguration": configurations} if configurations else {}

    # what happens

    @hook(moto_notifications, "send_event", "account_id, event_name, bucket, key")
    def happened(self, original, account_id, event_name, bucket, key):
        """What moto tells of an object that came; what goes it tells of sometimes."""
        name = getattr(event_name, "value", event_name)
        if not name.startswith(CREATED) or (name.endswith(":Put") and key.multipart):
            return  # of an upload in parts another event tells
        if name.endswith(":Put") and self.cloud.service(S3).asked().get(FORM):
            name = f"{CREATED}Post"
        said = {"key": key.name, "size": key.size, "eTag": key.etag.strip('"')}
        if bucket.is_versioned:
            said["versionId"] = key.version_id
        self.tell(bucket, name, said)

    @hook(S3Backend, "delete_object", "self, bucket_name, key_name, version_id, bypass")
    def deleted(self, original, backend, bucket_name, key_name, version_id=None, bypass=False):
        there, said = original(backend, bucket_name, key_name, version_id, bypass)
        if there:
            bucket = backend.get_bucket(bucket_name)
            if bucket.is_versioned and version_id is None:
                marker = {"key": key_name, "eTag": EMPTY, "versionId": said["version-id"]}
                self.tell(bucket, f"{REMOVED}DeleteMarkerCreated", marker)
            else:
                version = {"versionId": version_id} if version_id else {}
                self.tell(bucket, f"{REMOVED}Delete", {"key": key_name, **version})
        return there, said

    def tell(self, bucket, name: str, what: dict) -> None:
        """Invoke those functions that are to hear of it, as soon as the call is answered."""
        configured = bucket.notification_configuration
        for each in configured.cloud_function if configured else ():
            if each.matches(name, what["key"]):
                record = self._record(bucket, name.removeprefix("s3:"), each.id, what)
                payload = json.dumps({"Records": [record]}).encode()
                self.cloud.service(Invocations).accept_from(
                    PRINCIPAL, f"arn:aws:s3:::{bucket.name}", each.arn, payload
                )

    def _record(self, bucket, name: str, configuration: str, what: dict) -> dict:
        environ = self.cloud.service(S3).asked()
        now = datetime.now(UTC)
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": f"{now:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "eventName": name,
            "userIdentity": {"principalId": _principal(environ.get(CALLER))},
            "requestParameters": {"sourceIPAddress": environ.get("REMOTE_ADDR", "127.0.0.1")},
            "responseElements": answers.ids(environ),
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration,
                "bucket": {
                    "name": bucket.name,
                    "ownerIdentity": {"principalId": OWNER[:14].upper()},
                    "arn": f"arn:aws:s3:::{bucket.name}",
                },
                "object": {
                    **what,
                    "key": quote_plus(what["key"], safe="/*"),
                    "sequencer": self._sequencer(),
                },
            },
        }

    def _sequencer(self) -> str:
        """Larger than those before: of two events of a key it tells which one came later."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:018X}"


def _check(configuration: dict) -> None:
    """Raise for what AWS does not take of one configuration; moto wants the names small."""
    if not configuration.get("CloudFunction") or not configuration.get("Event"):
        raise Refusal(
            (400, "MalformedXML"),
            "The XML you provided was not well-formed or did not validate against our published "
            "schema",
        )
    if not configuration["CloudFunction"].startswith(FUNCTION):
        raise _invalid("The ARN could not be parsed")
    for event in configuration["Event"]:
        if event not in moto_notifications.S3NotificationEvent.events():
            raise _invalid("A specified event is not supported for notifications")
        if event not in EVENTS:
            raise Refusal("not supported", f"The local cloud refuses {event}: nothing would tell.")
    key = (configuration.get("Filter") or {}).get("S3Key") or {}
    rules = key.get("FilterRule") or []
    if "Filter" in configuration and not rules:
        configuration.pop("Filter")
    for rule in rules:
        rule["Name"] = (rule.get("Name") or "").lower()
        rule["Value"] = rule.get("Value") or ""
        if rule["Name"] not in ("prefix", "suffix"):
            raise _invalid("filter rule name must be either prefix or suffix")
        if len(rule["Value"].encode()) > LONGEST:
            raise _invalid(f"filter rule value cannot be longer than {LONGEST} bytes")
    for name in ("prefix", "suffix"):
        if sum(rule["Name"] == name for rule in rules) > 1:
            raise _invalid(f"Cannot specify more than one {name} rule in a filter.")


def _check_overlap(configurations: list[dict]) -> None:
    """Raise when an event would be told twice."""
    for number, one in enumerate(configurations):
        for other in configurations[:number]:
            shared = any(_same(a, b) for a in one["Event"] for b in other["Event"])
            (prefix, suffix), (others, ending) = _filter(one), _filter(other)
            if (
                shared
                and (prefix.startswith(others) or others.startswith(prefix))
                and (suffix.endswith(ending) or ending.endswith(suffix))
            ):
                raise _invalid(
                    "Configurations overlap. Configurations on the same bucket cannot share a "
                    "common event type."
                    if "Filter" not in one and "Filter" not in other
                    else "Configuration is ambiguously defined. Cannot have overlapping suffixes "
                    "in two rules if the prefixes are overlapping for the same event type."
                )


def _same(one: str, other: str) -> bool:
    kinds = {each.rpartition(":")[0] for each in (one, other)}
    return len(kinds) == 1 and (one == other or "*" in (one[-1], other[-1]))


def _filter(configuration: dict) -> tuple[str, str]:
    rules = ((configuration.get("Filter") or {}).get("S3Key") or {}).get("FilterRule") or []
    found = {rule["Name"]: rule["Value"] for rule in rules}
    return found.get("prefix", ""), found.get("suffix", "")


def _principal(caller) -> str:
    if caller is None:
        return "Anonymous"
    return "AWS:" + caller.context.get("aws:userid", [caller.arn])[0]


def _invalid(message: str) -> Refusal:
    return Refusal((400, "InvalidArgument"), message)
