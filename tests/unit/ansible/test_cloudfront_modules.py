"""What the modules of CloudFront ask, and what they say when AWS answers with an error."""

from datetime import UTC, datetime

import pytest

from tests.unit.ansible.aws import Failed, stubbed

ID = "E2QWRUHAPOMQZL"
ARN = f"arn:aws:cloudfront::123456789012:distribution/{ID}"
DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ORIGIN = {
    "id": "site", "domain_name": "lb.example.com", "bucket": False, "access_control": None,
    "path": "", "headers": {"X-CDN-Secret": "one"}, "protocol": "https-only", "http_port": 80,
    "https_port": 443, "tls_protocols": ["TLSv1.2"], "read_timeout": 30, "keepalive_timeout": 5,
    "connection_attempts": 3, "connection_timeout": 10,
}  # fmt: skip
BEHAVIOUR = {
    "origin": "site", "viewer_protocol": "redirect-to-https", "methods": "all",
    "cached_methods": "read", "compress": True, "cache_policy": DISABLED,
    "origin_request_policy": None, "response_headers_policy": None,
}  # fmt: skip
SHOP = {"name": "shop", "comment": "the shop", "tags": {"Project": "shop"}}
GIVEN = SHOP | {"origins": [ORIGIN], "default_behavior": BEHAVIOUR}
CONFIG = {
    "CallerReference": "shop", "Comment": "the shop", "Enabled": True,
    "PriceClass": "PriceClass_All",
    "Origins": {"Quantity": 1, "Items": [{
        "Id": "site", "DomainName": "lb.example.com", "OriginPath": "",
        "CustomHeaders": {"Quantity": 1, "Items": [
            {"HeaderName": "X-CDN-Secret", "HeaderValue": "one"}]},
        "ConnectionAttempts": 3, "ConnectionTimeout": 10, "OriginAccessControlId": "",
        "CustomOriginConfig": {
            "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only",
            "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
            "OriginReadTimeout": 30, "OriginKeepaliveTimeout": 5,
        },
    }]},
    "DefaultCacheBehavior": {
        "TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https", "Compress": True,
        "AllowedMethods": {
            "Quantity": 7,
            "Items": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
            "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
        },
        "CachePolicyId": DISABLED,
    },
}  # fmt: skip
TAGS = {"Project": "shop", "Name": "shop"}


@pytest.fixture
def cloudfront():
    client, stubber = stubbed("cloudfront")
    yield client, stubber
    stubber.assert_no_pending_responses()


def distribution(status="Deployed", **changes):
    return {
        "Id": ID, "ARN": ARN, "Status": status, "DomainName": "d1.cloudfront.net",
        "LastModifiedTime": datetime(2026, 1, 1, tzinfo=UTC), "InProgressInvalidationBatches": 0,
        "DistributionConfig": CONFIG | changes,
    }  # fmt: skip


def listed(stubber, *arns):
    items = [
        {
            "Id": arn.rpartition("/")[2], "ARN": arn, "Status": "Deployed", "Comment": "the shop",
            "LastModifiedTime": datetime(2026, 1, 1, tzinfo=UTC), "DomainName": "d1.cloudfront.net",
            "Aliases": {"Quantity": 0}, "Origins": CONFIG["Origins"],
            "DefaultCacheBehavior": CONFIG["DefaultCacheBehavior"],
            "CacheBehaviors": {"Quantity": 0}, "CustomErrorResponses": {"Quantity": 0},
            "PriceClass": "PriceClass_All", "Enabled": True, "ViewerCertificate": {},
            "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
            "WebACLId": "", "HttpVersion": "http2", "IsIPV6Enabled": True, "Staging": False,
        }
        for arn in arns
    ]  # fmt: skip
    page = {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": len(items)}
    stubber.add_response(
        "list_distributions", {"DistributionList": page | ({"Items": items} if items else {})}, {}
    )


def tagged(stubber, tags=TAGS, arn=ARN):
    found = [{"Key": key, "Value": value} for key, value in tags.items()]
    stubber.add_response(
        "list_tags_for_resource", {"Tags": {"Items": found}}, {"Resource": arn}
    )  # fmt: skip


def shows(stubber, status="Deployed", etag="TAG1", **changes):
    found = {"Distribution": distribution(status, **changes), "ETag": etag}
    stubber.add_response("get_distribution", found, {"Id": ID})


def there(stubber, **changes):
    listed(stubber, ARN)
    tagged(stubber)
    shows(stubber, **changes)


# cloudfront_distribution


def test_one_is_made_with_its_tags_and_awaited(run, cloudfront):
    client, stubber = cloudfront
    listed(stubber)
    expected = {
        "DistributionConfig": CONFIG,
        "Tags": {"Items": [{"Key": key, "Value": "shop"} for key in ("Name", "Project")]},
    }
    stubber.add_response(
        "create_distribution_with_tags",
        {"Distribution": distribution("InProgress"), "ETag": "TAG1"},
        {"DistributionConfigWithTags": expected},
    )
    shows(stubber, "InProgress")
    shows(stubber)
    result = run("cloudfront_distribution", client, **GIVEN)

    assert result["changed"]
    assert (result["id"], result["arn"], result["status"]) == (ID, ARN, "Deployed")
    assert "'one'" not in str(result)


def test_the_same_again_changes_nothing(run, cloudfront):
    client, stubber = cloudfront
    there(stubber)
    shows(stubber)
    assert not run("cloudfront_distribution", client, **GIVEN)["changed"]


def test_a_run_after_one_that_was_cut_off_waits_too(run, cloudfront):
    client, stubber = cloudfront
    there(stubber, status="InProgress")
    shows(stubber, "InProgress")
    shows(stubber)
    assert not run("cloudfront_distribution", client, **GIVEN)["changed"]


def test_a_change_is_made_to_what_was_looked_at(run, cloudfront):
    client, stubber = cloudfront
    there(stubber, etag="TAG7")
    stubber.add_response(
        "update_distribution",
        {"Distribution": distribution("InProgress"), "ETag": "TAG8"},
        {"Id": ID, "IfMatch": "TAG7", "DistributionConfig": CONFIG | {"IsIPV6Enabled": True}},
    )
    shows(stubber, IsIPV6Enabled=True)
    result = run("cloudfront_distribution", client, **GIVEN, ipv6=True)

    assert result["changed"]
    assert result["diff"]["after"]["IsIPV6Enabled"] is True


def test_check_mode_announces_a_change_and_makes_none(run, cloudfront):
    client, stubber = cloudfront
    there(stubber)
    result = run("cloudfront_distribution", client, check_mode=True, **GIVEN, ipv6=True)

    assert result["changed"]
    assert result["domain_name"] == "d1.cloudfront.net"


def test_somebody_who_changed_it_meanwhile_is_not_overwritten(run, cloudfront):
    client, stubber = cloudfront
    there(stubber)
    stubber.add_client_error("update_distribution", "PreconditionFailed", "not what you saw")
    with pytest.raises(Failed, match=r"Cannot keep the distribution shop.*not what you saw"):
        run("cloudfront_distribution", client, **GIVEN, ipv6=True)


def test_edges_that_do_not_get_it_in_time(run, cloudfront):
    client, stubber = cloudfront
    there(stubber, status="InProgress")
    shows(stubber, "InProgress")
    with pytest.raises(Failed, match=f"has the distribution shop .{ID} is InProgress"):
        run("cloudfront_distribution", client, **GIVEN, wait_timeout=0)


def test_a_policy_that_there_is_not(run, cloudfront):
    client, stubber = cloudfront
    stubber.add_response(
        "list_cache_policies", {"CachePolicyList": {"MaxItems": 100, "Quantity": 0}}, {}
    )
    behaviour = BEHAVIOUR | {"cache_policy": "CachingEnabled"}
    with pytest.raises(Failed, match="There is no cache policy CachingEnabled"):
        run("cloudfront_distribution", client, **SHOP, origins=[ORIGIN], default_behavior=behaviour)


def test_a_strangers_distribution_is_left_alone(run, cloudfront):
    client, stubber = cloudfront
    listed(stubber, ARN)
    tagged(stubber, {"Name": "theirs"})
    assert not run("cloudfront_distribution", client, **SHOP, state="absent")["changed"]


def test_one_is_disabled_and_awaited_before_it_is_deleted(run, cloudfront):
    client, stubber = cloudfront
    there(stubber)
    stubber.add_response(
        "update_distribution",
        {"Distribution": distribution("InProgress", Enabled=False), "ETag": "TAG2"},
        {"Id": ID, "IfMatch": "TAG1", "DistributionConfig": CONFIG | {"Enabled": False}},
    )
    shows(stubber, "InProgress", "TAG2", Enabled=False)
    shows(stubber, "Deployed", "TAG2", Enabled=False)
    stubber.add_client_error("delete_distribution", "DistributionNotDisabled")
    stubber.add_response("delete_distribution", {}, {"Id": ID, "IfMatch": "TAG2"})
    assert run("cloudfront_distribution", client, **SHOP, state="absent")["changed"]


def test_what_is_disabled_already_is_deleted(run, cloudfront):
    client, stubber = cloudfront
    there(stubber, Enabled=False)
    shows(stubber, Enabled=False)
    stubber.add_client_error("delete_distribution", "NoSuchDistribution")
    assert run("cloudfront_distribution", client, **SHOP, state="absent")["changed"]


# cloudfront_origin_access_control

CONTROL = {
    "Name": "shop", "Description": "", "OriginAccessControlOriginType": "s3",
    "SigningBehavior": "always", "SigningProtocol": "sigv4",
}  # fmt: skip


def controls(stubber, *found):
    page = {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": len(found)}
    items = [{"Id": "E1", **each} for each in found]
    stubber.add_response(
        "list_origin_access_controls", {"OriginAccessControlList": page | {"Items": items}}, {}
    )


def control(stubber, **changes):
    controls(stubber, CONTROL | changes)
    stubber.add_response(
        "get_origin_access_control",
        {
            "OriginAccessControl": {"Id": "E1", "OriginAccessControlConfig": CONTROL | changes},
            "ETag": "TAG",
        },
        {"Id": "E1"},
    )


def test_a_control_is_made(run, cloudfront):
    client, stubber = cloudfront
    controls(stubber)
    stubber.add_response(
        "create_origin_access_control",
        {"OriginAccessControl": {"Id": "E1"}},
        {"OriginAccessControlConfig": CONTROL},
    )
    result = run("cloudfront_origin_access_control", client, name="shop")
    assert (result["changed"], result["id"]) == (True, "E1")


def test_a_control_stays_and_is_changed(run, cloudfront):
    client, stubber = cloudfront
    control(stubber)
    assert not run("cloudfront_origin_access_control", client, name="shop")["changed"]
    control(stubber, SigningBehavior="never")
    stubber.add_response(
        "update_origin_access_control",
        {},
        {"Id": "E1", "IfMatch": "TAG", "OriginAccessControlConfig": CONTROL},
    )
    assert run("cloudfront_origin_access_control", client, name="shop")["changed"]


def test_a_control_cannot_become_one_of_another_kind(run, cloudfront):
    client, stubber = cloudfront
    control(stubber, OriginAccessControlOriginType="lambda")
    with pytest.raises(Failed, match="shop is for lambda and cannot become one for s3"):
        run("cloudfront_origin_access_control", client, name="shop")


def test_a_control_that_is_still_in_use_is_deleted_a_little_later(run, cloudfront):
    client, stubber = cloudfront
    control(stubber)
    stubber.add_client_error("delete_origin_access_control", "OriginAccessControlInUse")
    stubber.add_response("delete_origin_access_control", {}, {"Id": "E1", "IfMatch": "TAG"})
    assert run("cloudfront_origin_access_control", client, name="shop", state="absent")["changed"]


# cloudfront_policy

POLICY = {"kind": "response_headers", "name": "shop", "response_headers": {"Retry-After": "300"}}
POLICY_CONFIG = {
    "Name": "shop", "Comment": "",
    "CustomHeadersConfig": {"Quantity": 1, "Items": [
        {"Header": "Retry-After", "Value": "300", "Override": True}]},
}  # fmt: skip


def policies(stubber, *configs, asked=None, **page):
    rows = [
        {
            "Type": "custom",
            "ResponseHeadersPolicy": {
                "Id": config["Name"],
                "LastModifiedTime": datetime(2026, 1, 1, tzinfo=UTC),
                "ResponseHeadersPolicyConfig": config,
            },
        }
        for config in configs
    ]
    listed = {"MaxItems": 100, "Quantity": len(rows), "Items": rows, **page}
    stubber.add_response(
        "list_response_headers_policies", {"ResponseHeadersPolicyList": listed}, asked or {}
    )


def policy(stubber, config=POLICY_CONFIG):
    policies(stubber, config)
    stubber.add_response(
        "get_response_headers_policy",
        {
            "ResponseHeadersPolicy": {
                "Id": "shop",
                "LastModifiedTime": datetime(2026, 1, 1, tzinfo=UTC),
                "ResponseHeadersPolicyConfig": config,
            },
            "ETag": "TAG",
        },
        {"Id": "shop"},
    )


def test_a_policy_is_looked_for_on_every_page_and_made(run, cloudfront):
    client, stubber = cloudfront
    policies(stubber, {"Name": "other"}, NextMarker="more")
    policies(stubber, {"Name": "another"}, asked={"Marker": "more"})
    stubber.add_response(
        "create_response_headers_policy",
        {
            "ResponseHeadersPolicy": {
                "Id": "P1",
                "LastModifiedTime": datetime(2026, 1, 1, tzinfo=UTC),
                "ResponseHeadersPolicyConfig": {"Name": "shop"},
            }
        },
        {"ResponseHeadersPolicyConfig": POLICY_CONFIG},
    )
    result = run("cloudfront_policy", client, **POLICY)
    assert (result["changed"], result["id"]) == (True, "P1")


def test_a_policy_stays_as_it_is(run, cloudfront):
    client, stubber = cloudfront
    policy(stubber)
    assert not run("cloudfront_policy", client, **POLICY)["changed"]


def test_check_mode_announces_what_a_policy_would_be(run, cloudfront):
    client, stubber = cloudfront
    policy(stubber, POLICY_CONFIG | {"Comment": "before"})
    result = run("cloudfront_policy", client, check_mode=True, **POLICY)

    assert result["changed"]
    assert result["diff"]["before"]["Comment"] == "before"


def test_a_policy_that_is_still_in_use_is_deleted_a_little_later(run, cloudfront):
    client, stubber = cloudfront
    policy(stubber)
    stubber.add_client_error("delete_response_headers_policy", "ResponseHeadersPolicyInUse")
    stubber.add_response("delete_response_headers_policy", {}, {"Id": "shop", "IfMatch": "TAG"})
    assert run("cloudfront_policy", client, **POLICY, state="absent")["changed"]


def test_a_policy_that_nothing_can_be_made_of_is_refused(run, cloudfront):
    client, _ = cloudfront
    given = POLICY | {"response_headers": {"X-Content-Type-Options": "sniff"}}
    with pytest.raises(Failed, match="shop: X-Content-Type-Options can be nosniff"):
        run("cloudfront_policy", client, **given)
