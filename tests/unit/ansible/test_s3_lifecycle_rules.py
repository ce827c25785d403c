"""library/s3_lifecycle_rules.py, against S3's answers."""

import pytest

from tests.unit.ansible.aws import Failed, stubbed

RULE = {
    "id": "dumps",
    "prefix": "dumps/",
    "expiration_days": 30,
    "noncurrent_days": None,
    "abort_upload_days": 1,
}
AS_S3_HAS_IT = {
    "ID": "dumps",
    "Filter": {"Prefix": "dumps/"},
    "Status": "Enabled",
    "Expiration": {"Days": 30},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}


@pytest.fixture
def s3():
    client, stubber = stubbed("s3")
    yield client, stubber
    stubber.assert_no_pending_responses()


def there(stubber, *rules):
    stubber.add_response(
        "get_bucket_lifecycle_configuration", {"Rules": list(rules)}, {"Bucket": "shop"}
    )


def put(stubber):
    wanted = {"Bucket": "shop", "LifecycleConfiguration": {"Rules": [AS_S3_HAS_IT]}}
    stubber.add_response("put_bucket_lifecycle_configuration", {}, wanted)


def keep(run, client, **options):
    return run("s3_lifecycle_rules", client, bucket="shop", rules=[RULE], **options)


def test_the_first_rules_of_a_bucket(run, s3):
    client, stubber = s3
    stubber.add_client_error("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
    put(stubber)
    assert keep(run, client)["changed"]


def test_rules_that_are_there(run, s3):
    client, stubber = s3
    there(stubber, AS_S3_HAS_IT)
    assert not keep(run, client)["changed"]


@pytest.mark.parametrize(
    "change",
    [{"ID": "other"}, {"Status": "Disabled"}, {"Expiration": {"Days": 3}}],
    ids=["another one", "one that is off", "other days"],
)
def test_rules_that_differ_are_replaced(run, s3, change):
    client, stubber = s3
    there(stubber, AS_S3_HAS_IT | change)
    put(stubber)
    assert keep(run, client)["changed"]


def test_check_mode_announces_rules_for_a_bucket_to_come(run, s3):
    client, stubber = s3
    stubber.add_client_error("get_bucket_lifecycle_configuration", "NoSuchBucket")
    assert keep(run, client, check_mode=True)["changed"]


def test_without_the_bucket_it_fails(run, s3):
    client, stubber = s3
    stubber.add_client_error("get_bucket_lifecycle_configuration", "NoSuchBucket")
    with pytest.raises(Failed, match="Cannot keep the rules of shop"):
        keep(run, client)
