import re

import pytest

from localcloud.services.elbv2 import haproxy
from localcloud.services.elbv2.model import (
    Balancer,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    Redirect,
    Rule,
    Target,
    TargetGroup,
)

WEB = TargetGroup(arn="arn:web", name="web")
API = TargetGroup(arn="arn:api", name="api")
TARGET = Target("i-1", "10.0.1.5", 80)


def balancer(*rules, listener=None, groups=(WEB, API), **options):
    rules = (*rules, Rule(None, Forward((("web", 1),))))
    listener = listener or Listener(80, "HTTP", rules)
    return Balancer("shop", listeners=(listener,), groups=groups, **options)


def lines(text, start):
    return [line.strip() for line in text.splitlines() if line.strip().startswith(start)]


def test_rules_are_tried_by_priority_and_the_default_last():
    text = haproxy.render(
        balancer(
            Rule(20, FixedResponse(404), (Condition("path-pattern", ("/b",)),)),
            Rule(3, FixedResponse(404), (Condition("path-pattern", ("/a",)),)),
        )
    )
    order = re.findall(r"set-var\(txn.rule\) str\((\w+)\)", text)
    assert order == ["3", "20", "default"]


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Condition("path-pattern", ("/img/*", "/?.js")), r"{ path -m reg '^/img/.*$' '^/.\.js$' }"),
        (
            Condition("host-header", ("*.example.com",)),
            r"{ req.hdr(host),host_only -m reg -i '^.*\.example\.com$' }",
        ),
        (
            Condition("http-header", ("*Chrome*",), header="User-Agent"),
            "{ req.fhdr(User-Agent) -m reg -i '^.*Chrome.*$' }",
        ),
        (Condition("http-request-method", ("GET", "HEAD")), "{ method -m str 'GET' 'HEAD' }"),
        (Condition("source-ip", ("10.0.0.0/8",)), "{ src '10.0.0.0/8' }"),
        (
            Condition("query-string", pairs=(("v", "2*"),)),
            "{ query -m reg -i '(?:^|&)v=2[^&]*(?:&|$)' }",
        ),
    ],
)
def test_conditions(condition, text):
    assert text in haproxy.render(balancer(Rule(1, FixedResponse(404), (condition,))))


@pytest.mark.parametrize(
    ("key", "value", "query", "matches"),
    [
        ("v", "2*", "v=21", True),
        ("v", "2*", "a=1&v=2&b", True),
        ("v", "2", "v=21", False),
        ("v", "2", "av=2", False),
        ("", "x", "a=x", True),
        ("", "x", "x", True),
        ("", "x", "ax", False),
    ],
)
def test_query_patterns(key, value, query, matches):
    assert bool(re.search(haproxy._pair(key, value), query)) is matches


def test_weights_share_the_requests():
    text = haproxy.render(balancer(Rule(1, Forward((("web", 20), ("api", 80), ("old", 0))))))
    assert "set-var(txn.lot) rand(100)" in text
    assert lines(text, "use_backend")[:2] == [
        "use_backend group_web if { var(txn.rule) -m str 1 } { var(txn.lot) -m int lt 20 }",
        "use_backend group_api if { var(txn.rule) -m str 1 } { var(txn.lot) -m int lt 100 }",
    ]


def test_http_goes_to_https():
    rule = Rule(None, Redirect(301, protocol="HTTPS", port="443"))
    text = haproxy.render(balancer(listener=Listener(80, "HTTP", (rule,))))
    (location,) = lines(text, "http-request set-var-fmt(txn.location)")
    assert "'https://%[req.hdr(host),host_only]%[path]%[query," in location
    assert "code 301" in text


@pytest.mark.parametrize(
    ("redirect", "start"),
    [
        (Redirect(302, host="www.example.com"), "http://www.example.com:8000%[path]"),
        (Redirect(302, port="80"), "http://%[req.hdr(host),host_only]%[path]"),
        (Redirect(302, path="/new/#{path}"), "http://%[req.hdr(host),host_only]:8000/new%[path]"),
        (
            Redirect(302, path="/100%", query="a=b"),
            "http://%[req.hdr(host),host_only]:8000/100%%?a=b",
        ),
    ],
)
def test_redirect_locations(redirect, start):
    assert haproxy._location(Listener(8000, "HTTP", ()), redirect).startswith(start)


def test_https_listens_with_its_certificates():
    listener = Listener(
        443,
        "HTTPS",
        (Rule(None, Forward((("web", 1),))),),
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        certificates=("first.pem", "second.pem"),
    )
    (bind,) = lines(haproxy.render(balancer(listener=listener)), "bind")
    assert bind == (
        "bind :443 ssl crt /etc/haproxy/certificates/first.pem "
        "crt /etc/haproxy/certificates/second.pem alpn h2,http/1.1 ssl-min-ver TLSv1.2"
    )


@pytest.mark.parametrize(
    ("policy", "oldest"),
    [
        ("ELBSecurityPolicy-2016-08", "TLSv1.0"),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", "TLSv1.1"),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", "TLSv1.2"),
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", "TLSv1.2"),
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", "TLSv1.3"),
    ],
)
def test_security_policies(policy, oldest):
    assert haproxy.minimum_tls(policy) == oldest


def test_health_checks_ask_as_a_load_balancer_does():
    check = HealthCheck(path="/readyz", interval=7, timeout=3, healthy=4, matcher="200-299, 302")
    group = TargetGroup(arn="a", name="web", check=check)
    text = haproxy.render(balancer(groups=(group,), members={"web": (TARGET,)}))
    assert "timeout check 3s" in text
    assert "send meth GET uri '/readyz' ver HTTP/1.1 hdr Host '%[srv_name]'" in text
    assert "expect status 200-299,302" in text
    assert lines(text, "server ") == [
        "server 10.0.1.5:80 10.0.1.5:80 check inter 7s rise 4 fall 2",
        "server any:10.0.1.5:80 10.0.1.5:80 backup",
    ]


def test_a_check_of_its_own_port():
    group = TargetGroup(arn="a", name="web", check=HealthCheck(port=8080))
    assert "check port 8080 inter" in haproxy.server(group, TARGET)


def test_targets_over_tls_are_not_verified():
    group = TargetGroup(arn="a", name="web", protocol="HTTPS", check=HealthCheck(protocol="HTTPS"))
    assert haproxy.server(group, TARGET).endswith("check-ssl ssl verify none")
    assert haproxy.spare(group, TARGET).endswith("backup ssl verify none")


def test_stickiness():
    group = TargetGroup(arn="a", name="web", stickiness="lb_cookie", sticky_seconds=600)
    assert "cookie AWSALB insert indirect dynamic attr Max-Age=600" in haproxy.render(
        balancer(groups=(group,))
    )


@pytest.mark.parametrize(
    ("mode", "present", "absent"),
    [
        ("append", "set-header X-Forwarded-For %[var(txn.forwarded)]", "del-header X-Forwarded"),
        ("remove", "del-header X-Forwarded-For", "set-header X-Forwarded-For"),
        ("preserve", "set-header X-Forwarded-Proto", "header X-Forwarded-For"),
    ],
)
def test_forwarded_headers(mode, present, absent):
    text = haproxy.render(balancer(forwarded_for=mode))
    assert present in text
    assert absent not in text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("plain", "'plain'"),
        ("", "''"),
        ("it's", r"'it'\''s'"),
        ("two\nlines", r"'two'\n'lines'"),
        ('a "b" #c \\d', """'a "b" #c \\d'"""),
    ],
)
def test_quoting(text, word):
    assert haproxy.quote(text) == word


def test_a_nul_byte_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        haproxy.quote("a\0b")


def test_the_log_format_is_json_after_substitution():
    import json

    text = haproxy._log_format()
    filled = re.sub(r"%\[[^\]]*\]|%[A-Za-z]+", "x", text)
    assert set(json.loads(filled)) == set(haproxy._LOG)
