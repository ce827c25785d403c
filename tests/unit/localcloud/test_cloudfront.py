"""CloudFront over the API, with an edge that only takes note of its configuration."""

import copy
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client, watch_during

from localcloud.services.cloudfront import haproxy
from localcloud.services.cloudfront.distributions import Distributions
from localcloud.services.cloudfront.edge import Edge

DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CONFIG = {
    "CallerReference": "1",
    "Comment": "",
    "Enabled": True,
    "Origins": {
        "Quantity": 1,
        "Items": [
            {
                "Id": "site",
                "DomainName": "origin.example",
                "CustomOriginConfig": {
                    "HTTPPort": 80,
                    "HTTPSPort": 443,
                    "OriginProtocolPolicy": "http-only",
                },
            }
        ],
    },
    "DefaultCacheBehavior": {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": DISABLED,
    },
}


@pytest.fixture
def configured(monkeypatch):
    """Every haproxy.cfg that the edge got, the newest last."""
    texts = []

    def take(self, text, certificates):
        texts.append(text)
        if not self.appliances.cloud.storage.sizes.get(self.host.id):
            self.appliances.cloud.storage.create(self.host.id, self.host.size)

    monkeypatch.setattr(Edge, "start", take)
    monkeypatch.setattr(Edge, "configure", take)
    return texts


@pytest.fixture
def cloudfront(cloud, configured):
    return client("cloudfront")


@pytest.fixture
def create(cloudfront):
    """CreateDistribution with a config that ``change`` has altered."""

    def make(change=lambda config: None):
        config = copy.deepcopy(CONFIG)
        change(config)
        return cloudfront.create_distribution(DistributionConfig=config)

    return make


def default(**options):
    return lambda config: config["DefaultCacheBehavior"].update(options)


def origin(**options):
    return lambda config: config["Origins"]["Items"][0].update(options)


def top(**options):
    return lambda config: config.update(options)


def listed(*entries):
    return {"Quantity": len(entries), "Items": list(entries)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (default(TargetOriginId="gone"), "NoSuchOrigin"),
        (default(CachePolicyId="gone"), "NoSuchCachePolicy"),
        (default(OriginRequestPolicyId="gone"), "NoSuchOriginRequestPolicy"),
        (default(ResponseHeadersPolicyId="gone"), "NoSuchResponseHeadersPolicy"),
        (
            default(FunctionAssociations=listed({"FunctionARN": "a", "EventType": "b"})),
            "CloudFront functions",
        ),
        (
            default(
                LambdaFunctionAssociations=listed({"LambdaFunctionARN": "a", "EventType": "b"})
            ),
            "Lambda@Edge",
        ),
        (default(TrustedKeyGroups={"Enabled": True, **listed("k")}), "signed URLs"),
        (default(AllowedMethods=listed("GET", "POST")), "AllowedMethods"),
        (origin(DomainName="127.0.0.1"), "not a DNS name"),
        (origin(DomainName="localhost"), "not a DNS name"),
        (origin(OriginPath="no-slash"), "OriginPath"),
        (
            origin(CustomHeaders=listed({"HeaderName": "x", "HeaderValue": "a\nb"})),
            "value of one line",
        ),
        (origin(OriginAccessControlId="gone"), "NoSuchOriginAccessControl"),
        (top(Aliases=listed("a.example")), "InvalidViewerCertificate"),
        (top(WebACLId="arn:aws:wafv2:x"), "no WAF"),
        (
            top(Restrictions={"GeoRestriction": {"RestrictionType": "blacklist", **listed("DE")}}),
            "geographic",
        ),
        (top(DefaultRootObject="/index.html"), "InvalidDefaultRootObject"),
        (
            top(
                CustomErrorResponses=listed(
                    {"ErrorCode": 404, "ResponsePagePath": "/a.html", "ErrorCachingMinTTL": 1}
                )
            ),
            "go together",
        ),
        (top(Logging={"Enabled": True, "IncludeCookies": False, "Bucket": "x", "Prefix": ""}),
         "does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_left(cloud, cloudfront, create, change, says):
    with pytest.raises(ClientError, match=re.escape(says)):
        create(change)
    assert cloudfront.list_distributions()["DistributionList"]["Quantity"] == 0
    assert list(cloud.service(Distributions).hosts()) == []


def test_legacy_cache_settings_are_refused(cloudfront):
    config = copy.deepcopy(CONFIG)
    del config["DefaultCacheBehavior"]["CachePolicyId"]
    config["DefaultCacheBehavior"] |= {
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        "MinTTL": 0,
    }
    with pytest.raises(ClientError, match="set CachePolicyId"):
        cloudfront.create_distribution(DistributionConfig=config)


def test_what_nothing_stands_behind_is_refused(cloudfront):
    config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    with pytest.raises(ClientError, match="has no functions"):
        cloudfront.create_function(Name="f", FunctionConfig=config, FunctionCode=b"f")
    config = {"CallerReference": "1", "Name": "k", "EncodedKey": "k"}
    with pytest.raises(ClientError, match="has no public keys"):
        cloudfront.create_public_key(PublicKeyConfig=config)


def test_the_edge_comes_with_the_first_distribution_and_goes_with_the_last(
    cloud, cloudfront, create
):
    made = create()
    assert [host.id for host in cloud.service(Distributions).hosts()] == ["edge-1"]
    identity = made["Distribution"]["Id"]
    config = cloudfront.get_distribution_config(Id=identity)
    config["DistributionConfig"]["Enabled"] = False
    etag = cloudfront.update_distribution(
        Id=identity, IfMatch=config["ETag"], DistributionConfig=config["DistributionConfig"]
    )["ETag"]
    cloud.backend("cloudfront", "aws").distributions[identity].deployed = 0.0
    cloudfront.delete_distribution(Id=identity, IfMatch=etag)
    assert list(cloud.service(Distributions).hosts()) == []
    assert cloud.storage.sizes == {}


def test_the_watch_starts_no_edge_that_is_being_removed(
    cloud, cloudfront, create, configured, monkeypatch
):
    made = create(lambda config: config.update(Enabled=False))
    cloud.backend("cloudfront", "aws").distributions[made["Distribution"]["Id"]].deployed = 0.0
    before = len(configured)
    watched = watch_during(cloud.service(Distributions), cloud.storage, monkeypatch)
    cloudfront.delete_distribution(Id=made["Distribution"]["Id"], IfMatch=made["ETag"])
    assert watched == ["edge-1"]
    assert len(configured) == before
    assert cloud.storage.sizes == {}


def test_distributions_made_at_once_have_one_edge(cloud, cloudfront, create, monkeypatch):
    started = []

    def slow(self, text, certificates):
        started.append(self.host.address)
        time.sleep(0.2)

    monkeypatch.setattr(Edge, "start", slow)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda n: create(lambda c: c.update(CallerReference=n)), ["1", "2"]))
    assert len(started) == 1
    assert len(cloudfront.list_distributions()["DistributionList"]["Items"]) == 2


def test_one_reference_makes_one_distribution(create):
    create()
    with pytest.raises(ClientError, match="DistributionAlreadyExists"):
        create()


def test_a_policy_in_use_is_not_deleted_and_a_change_reaches_the_edge(
    cloudfront, create, configured
):
    config = {
        "Name": "mine",
        "MinTTL": 0,
        "DefaultTTL": 5,
        "MaxTTL": 10,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": listed("Accept")},
            "CookiesConfig": {"CookieBehavior": "whitelist", "Cookies": listed("lang")},
            "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": listed("q")},
        },
    }
    made = cloudfront.create_cache_policy(CachePolicyConfig=config)
    identity = made["CachePolicy"]["Id"]
    create(default(CachePolicyId=identity))
    text = configured[-1]
    for part in ("url_param(q)", "req.hdr(accept)", "req.cook(lang)", "x-lc-max 10s"):
        assert part in text
    with pytest.raises(ClientError, match="CachePolicyInUse"):
        cloudfront.delete_cache_policy(Id=identity, IfMatch=made["ETag"])
    with pytest.raises(ClientError, match="PreconditionFailed"):
        cloudfront.update_cache_policy(Id=identity, IfMatch="E1", CachePolicyConfig=config)
    cloudfront.update_cache_policy(
        Id=identity, IfMatch=made["ETag"], CachePolicyConfig={**config, "MaxTTL": 20}
    )
    assert "x-lc-max 20s" in configured[-1]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"Name": "mine", "MinTTL": 9, "DefaultTTL": 5, "MaxTTL": 10}, "InvalidArgument"),
        ({"Name": "Managed-CachingDisabled", "MinTTL": 0}, "CachePolicyAlreadyExists"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(cloudfront, config, says):
    with pytest.raises(ClientError, match=says):
        cloudfront.create_cache_policy(CachePolicyConfig=config)


def test_managed_policies_are_listed_and_fixed(cloudfront):
    rows = cloudfront.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]
    names = {row["CachePolicy"]["CachePolicyConfig"]["Name"] for row in rows}
    assert {"Managed-CachingOptimized", "Managed-CachingDisabled"} <= names
    with pytest.raises(ClientError, match="IllegalUpdate"):
        cloudfront.delete_cache_policy(Id=OPTIMIZED, IfMatch="E23ZP02F085DFQ")


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("/static/*", "/static/a/b.css", "/astatic/a"),
        ("*.jpg", "/a/b.jpg", "/a/b.jpgx"),
        ("/a?c", "/abc", "/abbc"),
        ("/a.b", "/a.b", "/axb"),
        ("images/*", "/images/1", "/x/images/1"),
    ],
)
def test_path_patterns(pattern, matching, other):
    expression = haproxy.expression(pattern)
    assert re.match(expression, matching)
    assert not re.match(expression, other)


def test_a_half_made_edge_is_gone_after_a_crash_and_made_again(make_cloud, cloud, create):
    create()
    cloud.backend("cloudfront", "aws").edge.ready = False
    cloud.save()
    again = make_cloud(storage=cloud.storage)
    assert "removed edge edge-1: it was half made" in again.adopted
    assert [host.id for host in again.service(Distributions).hosts()] == ["edge-1"]
