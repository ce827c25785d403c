"""Distributions and policies of CloudFront as plain data: what is made of options, what differs."""

import copy
import importlib
import sys

import pytest

import module_utils.cloudfront as distributions

# As Ansible maps module_utils/.
sys.modules.setdefault("ansible.module_utils.cloudfront", distributions)
policies = importlib.import_module("module_utils.cloudfront_policies")

ORIGIN = {
    "id": "site", "domain_name": "lb.example.com", "bucket": False, "access_control": None,
    "path": "", "headers": {"X-CDN-Secret": "one"}, "protocol": "https-only", "http_port": 80,
    "https_port": 443, "tls_protocols": ["TLSv1.2"], "read_timeout": 30, "keepalive_timeout": 5,
    "connection_attempts": 3, "connection_timeout": 10,
}  # fmt: skip
BUCKET = ORIGIN | {
    "id": "files", "domain_name": "files.s3.us-east-1.amazonaws.com", "bucket": True,
    "access_control": "E1", "headers": None,
}  # fmt: skip
BEHAVIOUR = {
    "origin": "site", "viewer_protocol": "redirect-to-https", "methods": "all",
    "cached_methods": "read", "compress": True, "cache_policy": "C1",
    "origin_request_policy": "R1", "response_headers_policy": None,
}  # fmt: skip
FILES = BEHAVIOUR | {"path": "/files/*", "origin": "files", "methods": "read",
                     "origin_request_policy": None}  # fmt: skip
OPTIONS = {
    "name": "shop", "comment": "the shop", "enabled": None, "aliases": ["shop.example.com"],
    "certificate_arn": "arn:acm", "tls_policy": "TLSv1.2_2021", "origins": [ORIGIN, BUCKET],
    "origin_groups": None, "default_behavior": BEHAVIOUR, "behaviors": [FILES],
    "error_responses": [{"code": 404, "caching_min_ttl": 0, "page": None, "response_code": None}],
    "logging": None, "price_class": None, "http_version": "http2and3", "ipv6": False,
    "web_acl_id": None, "default_root_object": None,
}  # fmt: skip
NOTHING = dict.fromkeys(OPTIONS) | {"name": "shop", "tls_policy": "TLSv1.2_2021"}


def as_aws_shows_it(config):
    """A config with what AWS adds by itself, and its lists in another order."""
    found = copy.deepcopy(config)
    found |= {
        "WebACLId": "", "DefaultRootObject": "", "Staging": False,
        "OriginGroups": {"Quantity": 0}, "ContinuousDeploymentPolicyId": "",
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    }  # fmt: skip
    found["ViewerCertificate"] |= {
        "CloudFrontDefaultCertificate": False, "Certificate": "arn:acm", "CertificateSource": "acm",
    }  # fmt: skip
    found["Origins"]["Items"].reverse()
    for each in found["Origins"]["Items"]:
        each["OriginShield"] = {"Enabled": False}
    for each in [found["DefaultCacheBehavior"], *found["CacheBehaviors"]["Items"]]:
        each |= {
            "TrustedSigners": {"Enabled": False, "Quantity": 0}, "SmoothStreaming": False,
            "FunctionAssociations": {"Quantity": 0}, "FieldLevelEncryptionId": "",
        }  # fmt: skip
        each["AllowedMethods"]["Items"].reverse()
    return found


@pytest.fixture
def current():
    return as_aws_shows_it(distributions.wanted_config(OPTIONS, None))


def differs(options, current):
    wanted = distributions.wanted_config(options, current)
    return distributions.comparable(wanted) != distributions.comparable(current)


def with_origin(**changes):
    return OPTIONS | {"origins": [ORIGIN | changes, BUCKET]}


def with_files(**changes):
    return OPTIONS | {"behaviors": [FILES | changes]}


def test_a_new_one_has_its_name_for_a_reference_and_answers():
    config = distributions.wanted_config(OPTIONS, None)

    assert config["CallerReference"] == "shop"
    assert config["Enabled"]
    assert config["Origins"]["Quantity"] == 2
    assert config["CacheBehaviors"]["Items"][0]["PathPattern"] == "/files/*"


@pytest.mark.parametrize("options", [OPTIONS, NOTHING], ids=["the same again", "nothing asked"])
def test_what_aws_adds_by_itself_makes_no_difference(current, options):
    assert not differs(options, current)


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS | {"comment": "another"},
        OPTIONS | {"enabled": False},
        OPTIONS | {"aliases": []},
        OPTIONS | {"certificate_arn": "arn:other"},
        OPTIONS | {"tls_policy": "TLSv1.2_2019"},
        OPTIONS | {"origins": [ORIGIN, BUCKET, ORIGIN | {"id": "more"}]},
        OPTIONS | {"behaviors": [FILES | {"path": "/first/*"}, FILES]},
        OPTIONS | {"error_responses": []},
        OPTIONS | {"logging": {"bucket": "logs", "prefix": "", "cookies": False}},
        OPTIONS | {"price_class": "PriceClass_100"},
        OPTIONS | {"ipv6": True},
        OPTIONS | {"web_acl_id": "arn:waf"},
        with_origin(headers={"X-CDN-Secret": "two"}),
        with_origin(headers=None),
        with_origin(path="/below"),
        with_origin(read_timeout=60),
        with_origin(protocol="http-only"),
        with_files(compress=False),
        with_files(cache_policy="C2"),
        with_files(methods="all"),
        with_files(response_headers_policy="H1"),
    ],
)
def test_what_is_asked_for_otherwise_is_a_difference_once(current, options):
    assert differs(options, current)

    after = distributions.wanted_config(options, current)
    assert not differs(options, after)


def test_the_order_of_behaviours_means_something(current):
    both = OPTIONS | {"behaviors": [FILES, FILES | {"path": "/files/x/*"}]}
    there = distributions.wanted_config(both, current)

    assert differs(both | {"behaviors": both["behaviors"][::-1]}, there)
    assert not differs(both | {"origins": both["origins"][::-1]}, there)


def test_an_error_is_not_kept_at_all_rather_than_as_long_as_aws_likes(current):
    zero = current["CustomErrorResponses"]["Items"][0]
    del zero["ErrorCachingMinTTL"]

    assert differs(OPTIONS, current)


def test_what_no_option_speaks_of_stays(current):
    shield = {"Enabled": True, "OriginShieldRegion": "eu-west-1"}
    next(each for each in current["Origins"]["Items"] if each["Id"] == "site")["OriginShield"] = (
        shield
    )
    config = distributions.wanted_config(with_origin(path="/below"), current)

    assert config["Origins"]["Items"][0]["OriginShield"] == shield
    assert config["Origins"]["Items"][0]["OriginPath"] == "/below"


def test_a_bucket_may_become_a_website(current):
    website = BUCKET | {"bucket": False, "protocol": "http-only", "access_control": None}
    config = distributions.wanted_config(OPTIONS | {"origins": [ORIGIN, website]}, current)

    assert "S3OriginConfig" not in config["Origins"]["Items"][1]
    assert (
        config["Origins"]["Items"][1]["CustomOriginConfig"]["OriginProtocolPolicy"] == "http-only"
    )


def test_the_settings_from_before_there_were_policies_go(current):
    current["DefaultCacheBehavior"] |= {"ForwardedValues": {"QueryString": True}, "MinTTL": 0}
    config = distributions.wanted_config(OPTIONS, current)

    assert not {"ForwardedValues", "MinTTL"} & config["DefaultCacheBehavior"].keys()


def test_nobody_is_shown_what_origins_are_told(current):
    shown = distributions.shown(current)

    assert shown["Origins"]["site"]["CustomHeaders"] == {"X-CDN-Secret": "(secret)"}
    assert "'one'" not in str(shown)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"origins": None}, "needs origins"),
        ({"default_behavior": None}, "needs origins and a default_behavior"),
        ({"behaviors": [FILES | {"origin": "gone"}]}, "/files/\\* leads to gone"),
        ({"default_behavior": BEHAVIOUR | {"origin": "gone"}}, "the default behaviour leads to"),
        (
            {"origin_groups": [{"id": "pair", "origins": ["site", "gone"], "codes": [500]}]},
            "The origin group pair needs two",
        ),
        ({"certificate_arn": None}, "there must be a certificate_arn"),
    ],
)
def test_what_aws_would_refuse_is_said_in_words(changes, said):
    import re

    config = distributions.wanted_config(OPTIONS | changes, None)
    assert re.search(said, distributions.problem(config))


def test_a_pair_of_origins_may_be_led_to():
    pair = {"id": "pair", "origins": ["files", "site"], "codes": [404, 403]}
    options = OPTIONS | {"origin_groups": [pair], "behaviors": [FILES | {"origin": "pair"}]}
    config = distributions.wanted_config(options, None)

    assert distributions.problem(config) is None
    assert distributions.shown(config)["OriginGroups"]["pair"] == {
        "FailoverCriteria": {"StatusCodes": [403, 404]},
        "Members": [{"OriginId": "files"}, {"OriginId": "site"}],
    }


# policies

CACHE = {
    "name": "p", "comment": "", "min_ttl": 0, "default_ttl": 60, "max_ttl": 60, "gzip": True,
    "brotli": False, "headers": None, "cookies": None, "query_strings": {"only": ["b", "a"]},
}  # fmt: skip


def headers(**given):
    options = {"name": "p", "comment": "", "default_headers": None, "remove_headers": None}
    given = {name.replace("_", "-"): value for name, value in given.items()}
    return policies.policy_config("response_headers", options | {"response_headers": given})


def test_a_cache_policy_has_its_times_and_its_key():
    config = policies.policy_config("cache", CACHE)
    key = config["ParametersInCacheKeyAndForwardedToOrigin"]

    assert (config["MinTTL"], config["DefaultTTL"], config["MaxTTL"]) == (0, 60, 60)
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert key["QueryStringsConfig"] == {
        "QueryStringBehavior": "whitelist",
        "QueryStrings": {"Quantity": 2, "Items": ["a", "b"]},
    }


def test_an_origin_request_policy_may_name_what_is_left_out():
    options = {"name": "p", "comment": "", "headers": {"all_but": ["Host"]}, "cookies": "all",
               "query_strings": "all"}  # fmt: skip
    config = policies.policy_config("origin_request", options)

    assert config["HeadersConfig"] == {
        "HeaderBehavior": "allExcept",
        "Headers": {"Quantity": 1, "Items": ["Host"]},
    }


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("Content_Security_Policy", "sandbox", "ContentSecurityPolicy",
         {"ContentSecurityPolicy": "sandbox"}),
        ("X_Content_Type_Options", "nosniff", "ContentTypeOptions", {}),
        ("X_Frame_Options", "deny", "FrameOptions", {"FrameOption": "DENY"}),
        ("referrer_policy", "same-origin", "ReferrerPolicy", {"ReferrerPolicy": "same-origin"}),
        ("Strict_Transport_Security", "max-age=60; includeSubDomains", "StrictTransportSecurity",
         {"AccessControlMaxAgeSec": 60, "IncludeSubdomains": True, "Preload": False}),
    ],
)  # fmt: skip
def test_headers_go_where_cloudfront_wants_them(name, value, key, expected):
    config = headers(**{name: value})

    assert config["SecurityHeadersConfig"] == {key: {"Override": True, **expected}}
    assert "CustomHeadersConfig" not in config


def test_default_headers_leave_alone_what_the_origin_says():
    options = {"name": "p", "comment": "", "remove_headers": None}
    options["response_headers"] = {"X-Content-Type-Options": "nosniff"}
    options["default_headers"] = {"Cache-Control": "no-store", "Referrer-Policy": "origin"}
    config = policies.policy_config("response_headers", options)

    assert config["CustomHeadersConfig"]["Items"] == [
        {"Header": "Cache-Control", "Value": "no-store", "Override": False}
    ]
    assert config["SecurityHeadersConfig"] == {
        "ContentTypeOptions": {"Override": True},
        "ReferrerPolicy": {"Override": False, "ReferrerPolicy": "origin"},
    }


def test_other_headers_are_custom_ones_in_whatever_order():
    config = headers(Retry_After="300", Cross_Origin_Resource_Policy="cross-origin")
    there = copy.deepcopy(config) | {"RemoveHeadersConfig": {"Quantity": 0}}
    there["CustomHeadersConfig"]["Items"].reverse()

    assert [each["Header"] for each in config["CustomHeadersConfig"]["Items"]] == [
        "Cross-Origin-Resource-Policy",
        "Retry-After",
    ]
    assert policies.comparable(there) == policies.comparable(config)
    assert policies.comparable(headers(Retry_After="1")) != policies.comparable(config)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: headers(X_Content_Type_Options="sniff"), "nosniff"),
        (lambda: headers(Strict_Transport_Security="soon"), "max-age"),
        (lambda: policies.policy_config("cache", CACHE | {"max_ttl": 1}), "must not decrease"),
        (lambda: policies.policy_config("cache", CACHE | {"cookies": {}}), "cookies needs"),
        (lambda: policies.policy_config("cache", CACHE | {"cookies": {"only": []}}), "cookies"),
    ],
)
def test_what_is_unclear_is_refused(make, said):
    with pytest.raises(policies.Unclear, match=said):
        make()
