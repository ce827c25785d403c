from types import SimpleNamespace as Object

import pytest

from localcloud.services.elbv2 import translate
from localcloud.services.elbv2.model import FixedResponse, Forward, Redirect, Target


def group(name="web", **attributes):
    return Object(
        arn=f"arn:{name}",
        name=name,
        protocol="HTTP",
        port="8000",
        target_type="instance",
        health_check_path="/readyz",
        health_check_port="traffic-port",
        health_check_protocol="HTTP",
        health_check_interval_seconds=10,
        health_check_timeout_seconds=3,
        healthy_threshold_count="2",
        unhealthy_threshold_count="3",
        matcher={"HttpCode": "200-299"},
        attributes={"stickiness.enabled": "false", "stickiness.type": "lb_cookie", **attributes},
        targets={},
    )


def rule(action, conditions=(), priority=1):
    return Object(
        is_default=priority is None,
        priority=priority,
        actions=[Object(data=action)],
        conditions=list(conditions),
    )


def balancer(*rules, **attributes):
    listener = Object(
        port="443",
        protocol="HTTPS",
        ssl_policy="ELBSecurityPolicy-2016-08",
        certificates=["arn:cert/1"],
        rules={str(number): each for number, each in enumerate(rules)},
    )
    return Object(name="shop", attrs=attributes, listeners={"one": listener})


def translated(*rules, groups=(), **attributes):
    found = {each.arn: each for each in groups}
    return translate.balancer(balancer(*rules, **attributes), found, lambda arn: f"{arn}.pem")


def test_only_groups_in_use_are_in_the_configuration():
    forward = rule({"Type": "forward", "TargetGroupArn": "arn:web"}, priority=None)
    result = translated(forward, groups=(group(), group("other")))
    assert [each.name for each in result.groups] == ["web"]
    assert result.listeners[0].certificates == ("arn:cert/1.pem",)
    assert result.listeners[0].rules[0].action == Forward((("web", 1),))


def test_attributes_of_the_balancer():
    result = translated(
        **{
            "idle_timeout.timeout_seconds": "120",
            "routing.http2.enabled": "false",
            "routing.http.xff_header_processing.mode": "preserve",
        }
    )
    assert (result.idle_timeout, result.http2, result.forwarded_for) == (120, False, "preserve")


def test_a_groups_checks_and_attributes():
    result = translate.group(
        group(
            **{
                "stickiness.enabled": "true",
                "stickiness.type": "app_cookie",
                "stickiness.app_cookie.cookie_name": "sessionid",
                "stickiness.app_cookie.duration_seconds": "60",
                "deregistration_delay.timeout_seconds": "20",
            }
        )
    )
    assert (result.stickiness, result.cookie, result.sticky_seconds) == (
        "app_cookie", "sessionid", 60,
    )  # fmt: skip
    assert result.deregistration_delay == 20
    check = result.check
    assert (check.path, check.port, check.interval, check.timeout) == ("/readyz", None, 10, 3)
    assert (check.healthy, check.unhealthy, check.matcher) == (2, 3, "200-299")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (
            {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}},
            FixedResponse(404),
        ),
        (
            {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Path": "/new"}},
            Redirect(302, path="/new"),
        ),
        (
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": "arn:web", "Weight": 3},
                        {"TargetGroupArn": "arn:api", "Weight": 1},
                    ]
                },
            },
            Forward((("web", 3), ("api", 1))),
        ),
    ],
)
def test_actions(action, expected):
    result = translated(rule(action), groups=(group(), group("api")))
    assert result.listeners[0].rules[0].action == expected


@pytest.mark.parametrize(
    ("data", "values", "pairs", "header"),
    [
        ({"Field": "path-pattern", "Values": ["/a"]}, ("/a",), (), ""),
        ({"Field": "host-header", "HostHeaderConfig": {"Values": ["a.b"]}}, ("a.b",), (), ""),
        (
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "X", "Values": ["y"]},
            },
            ("y",), (), "X",
        ),
        (
            {
                "Field": "query-string",
                "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}, {"Value": "c"}]},
            },
            (), (("a", "b"), ("", "c")), "",
        ),
    ],
)  # fmt: skip
def test_conditions_short_and_long(data, values, pairs, header):
    result = translate.condition(data)
    assert (result.values, result.pairs, result.header) == (values, pairs, header)


def test_targets_are_running_instances_and_addresses():
    running = Object(private_ip="10.0.1.5")
    found = group()
    found.targets = {"i-1": {"Id": "i-1", "Port": None}, "i-2": {"Id": "i-2", "Port": "81"}}
    instances = {"i-1": running}.get
    assert translate.targets(found, instances) == (Target("i-1", "10.0.1.5", 8000),)
    found.target_type = "ip"
    found.targets = {"10.0.1.9": {"Id": "10.0.1.9", "Port": "81"}}
    assert translate.targets(found, instances) == (Target("10.0.1.9", "10.0.1.9", 81),)
