import gzip
import json
import shlex
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from localcloud import logsocket
from localcloud.services.elbv2 import accesslog, logs

ENTRY = {
    "client": "198.51.100.1:51234", "backend": "group_web", "server": "10.0.1.5:8000",
    "accepted": "1700000000250", "request_ms": "1", "queue_ms": "0", "connect_ms": "2",
    "response_ms": "40", "total_ms": "45", "status": "200", "target_status": "200",
    "received": "120", "sent": "5678", "method": "GET", "uri": "/a?b=c", "version": "HTTP/1.1",
    "host": "shop.example", "agent": 'curl "x"', "tls": "-", "cipher": "-", "sni": "",
    "trace": "Root=1-2-3", "rule": "default", "end": "----", "port": "80", "location": "",
}  # fmt: skip
GROUPS = {"web": "arn:web"}


def fields(**changes):
    return shlex.split(accesslog.line({**ENTRY, **changes}, "app/shop/0123", GROUPS, "arn:cert"))


def test_a_forwarded_request():
    line = fields()
    assert len(line) == 30
    assert line[:5] == [
        "http", "2023-11-14T22:13:20.295000Z", "app/shop/0123", "198.51.100.1:51234",
        "10.0.1.5:8000",
    ]  # fmt: skip
    assert line[5:12] == ["0.003", "0.040", "0.000", "200", "200", "120", "5678"]
    assert line[12:14] == ["GET http://shop.example:80/a?b=c HTTP/1.1", 'curl "x"']
    assert line[14:17] == ["-", "-", "arn:web"]
    assert line[17] == "Root=1-2-3"
    assert line[20] == "0"
    assert line[22] == "forward"


def test_tls_names_the_certificate():
    line = fields(tls="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", sni="shop.example", port="443")
    assert line[0] == "https"
    assert line[14:16] == ["TLS_AES_256_GCM_SHA384", "TLSv1.3"]
    assert line[18:20] == ["shop.example", "arn:cert"]


@pytest.mark.parametrize(
    ("location", "action"), [("", "fixed-response"), ("https://x/", "redirect")]
)
def test_answers_of_the_balancers_own(location, action):
    line = fields(
        backend="listener_80", server="<NOSRV>", target_status="", location=location, rule="7"
    )
    assert line[4:8] == ["-", "-1", "-1", "-1"]
    assert line[9] == "-"
    assert line[20] == "7"
    assert line[22:24] == [action, location or "-"]


def test_a_spare_server_is_its_target():
    assert fields(server="any:10.0.1.5:8000")[4] == "10.0.1.5:8000"


def test_records_in_syslog_lines():
    text = b"<134>Nov 23 18:00:00 haproxy[7]: " + json.dumps(ENTRY).encode()
    assert logsocket.record(text) == ENTRY
    assert logsocket.record(b"<134>Nov 23 haproxy[7]: Server web/x is UP.") is None
    assert logsocket.record(b"<134>Nov 23 haproxy[7]: {broken") is None


def test_objects_are_named_as_awss():
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    key = accesslog.key("/logs/", "app/shop/0123", "127.1.2.3", now)
    start = (
        "logs/AWSLogs/123456789012/elasticloadbalancing/us-east-1/2026/01/02/"
        "123456789012_elasticloadbalancing_us-east-1_app.shop.0123_20260102T0304Z_127.1.2.3_"
    )
    assert key.startswith(start)
    assert key.endswith(".log.gz")
    assert gzip.decompress(accesslog.packed(["a", "b"])) == b"a\nb\n"


ALLOW = {
    "Effect": "Allow",
    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::logs/web/AWSLogs/123456789012/*",
}


@pytest.mark.parametrize(
    ("changes", "prefix", "may"),
    [
        ({}, "web", True),
        ({"Action": ["s3:PutObject"], "Resource": ["arn:aws:s3:::logs/*"]}, "", True),
        ({}, "", False),
        ({"Effect": "Deny"}, "web", False),
        ({"Principal": "*"}, "web", False),
        ({"Action": "s3:GetObject"}, "web", False),
        ({"Resource": "arn:aws:s3:::other/*"}, "web", False),
    ],
)
def test_who_may_write_logs(changes, prefix, may):
    policy = {"Version": "2012-10-17", "Statement": {**ALLOW, **changes}}
    assert accesslog.may_deliver(json.dumps(policy).encode(), "logs", prefix) is may
    assert not accesslog.may_deliver(None, "logs", prefix)


class S3:
    """A bucket that remembers which balancer's logs came."""

    def __init__(self):
        self.buckets = {"logs": None}
        self.keys = []

    def put_object(self, bucket, key, content):
        self.keys.append(key)


def balancer(name, host):
    return SimpleNamespace(
        arn=f"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/{name}/01",
        attrs={"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs"},
        nodes=[SimpleNamespace(id=host, public_address="127.0.0.9", address="")],
        listeners={},
    )


def test_each_balancers_logs_are_shipped_in_their_own_time(monkeypatch):
    s3, now = S3(), [1000.0]
    shipping = logs.AccessLogs(
        SimpleNamespace(
            backend=lambda name, *where: s3 if name == "s3" else SimpleNamespace(target_groups={})
        )
    )
    shipping._lines = {"one": ["a"], "two": ["b"]}
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    first, second = balancer("first", "one"), balancer("second", "two")
    shipping.collect(first)
    shipping.collect(second)
    assert s3.keys == []
    now[0] += accesslog.FLUSH_SECONDS + 1
    # What ships the first's must not make the second wait for another minute.
    shipping.collect(first)
    shipping.collect(second)
    assert [key.split("_us-east-1_app.")[1].split(".")[0] for key in s3.keys] == ["first", "second"]
