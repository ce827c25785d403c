"""The module s3_website: what it asks of S3."""

import pytest

from tests.unit.ansible.aws import Failed, stubbed

RULES = [
    {"prefix": "old/", "to": "new/", "host": None, "protocol": None, "code": 301},
    {"prefix": "away/", "to": None, "host": "example.com", "protocol": "https", "code": 302},
]
CONFIG = {
    "IndexDocument": {"Suffix": "index.html"},
    "ErrorDocument": {"Key": "404.html"},
    "RoutingRules": [
        {
            "Condition": {"KeyPrefixEquals": "old/"},
            "Redirect": {"ReplaceKeyPrefixWith": "new/", "HttpRedirectCode": "301"},
        },
        {
            "Condition": {"KeyPrefixEquals": "away/"},
            "Redirect": {
                "HostName": "example.com", "Protocol": "https", "HttpRedirectCode": "302",
            },
        },
    ],
}  # fmt: skip
GIVEN = {"bucket": "guide", "error": "404.html", "redirects": RULES}


@pytest.fixture
def s3():
    client, stubber = stubbed("s3")
    yield client, stubber
    stubber.assert_no_pending_responses()


def there(stubber, config=CONFIG):
    stubber.add_response("get_bucket_website", config, {"Bucket": "guide"})


def missing(stubber, code="NoSuchWebsiteConfiguration"):
    stubber.add_client_error("get_bucket_website", code)


def test_a_bucket_becomes_a_website(run, s3):
    client, stubber = s3
    missing(stubber)
    stubber.add_response(
        "put_bucket_website", {}, {"Bucket": "guide", "WebsiteConfiguration": CONFIG}
    )
    assert run("s3_website", client, **GIVEN)["changed"]


def test_it_stays_one(run, s3):
    client, stubber = s3
    there(stubber)
    assert not run("s3_website", client, **GIVEN)["changed"]


def test_the_order_of_redirects_means_something(run, s3):
    client, stubber = s3
    there(stubber)
    given = GIVEN | {"redirects": RULES[::-1]}
    result = run("s3_website", client, check_mode=True, **given)

    assert result["changed"]
    assert result["diff"]["before"] == CONFIG


def test_check_mode_announces_it_for_a_bucket_to_come(run, s3):
    client, stubber = s3
    missing(stubber, "NoSuchBucket")
    assert run("s3_website", client, check_mode=True, **GIVEN)["changed"]


def test_it_is_none_any_more(run, s3):
    client, stubber = s3
    there(stubber)
    stubber.add_response("delete_bucket_website", {}, {"Bucket": "guide"})
    assert run("s3_website", client, bucket="guide", state="absent")["changed"]
    missing(stubber, "NoSuchBucket")
    assert not run("s3_website", client, bucket="guide", state="absent")["changed"]


def test_a_bucket_that_there_is_not(run, s3):
    client, stubber = s3
    missing(stubber, "NoSuchBucket")
    with pytest.raises(Failed, match="Cannot keep the website of guide"):
        run("s3_website", client, **GIVEN)
