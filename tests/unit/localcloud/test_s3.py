"""Buckets begin as AWS's do, and conditional writes hold."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def s3(api):
    client = api.client("s3")
    client.create_bucket(Bucket="new")
    return client


def code(call, **options):
    with pytest.raises(ClientError) as caught:
        call(**options)
    return caught.value.response["Error"]["Code"]


def test_a_new_bucket_is_closed_and_encrypted(s3):
    block = s3.get_public_access_block(Bucket="new")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert len(block) == 4
    rules = s3.get_bucket_ownership_controls(Bucket="new")["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    s3.delete_bucket_encryption(Bucket="new")
    [rule] = s3.get_bucket_encryption(Bucket="new")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.put_object(Bucket="new", Key="a", Body=b"x")["ServerSideEncryption"] == "AES256"


def test_acls_are_refused(s3):
    refused = "AccessControlListNotSupported"
    assert code(s3.put_bucket_acl, Bucket="new", ACL="public-read") == refused
    assert code(s3.put_object, Bucket="new", Key="a", Body=b"", ACL="public-read") == refused
    s3.put_object(Bucket="new", Key="a", Body=b"", ACL="bucket-owner-full-control")
    assert code(s3.put_object_acl, Bucket="new", Key="a", ACL="public-read") == refused
    assert code(s3.create_bucket, Bucket="open", ACL="public-read") == (
        "InvalidBucketAclWithObjectOwnership"
    )


def test_public_acls_are_blocked_until_that_is_taken_off(s3):
    s3.put_bucket_ownership_controls(
        Bucket="new", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    assert code(s3.put_bucket_acl, Bucket="new", ACL="public-read") == "AccessDenied"
    s3.delete_public_access_block(Bucket="new")
    s3.put_bucket_acl(Bucket="new", ACL="public-read")


def test_who_pays_is_kept(s3):
    assert s3.get_bucket_request_payment(Bucket="new")["Payer"] == "BucketOwner"
    s3.put_bucket_request_payment(Bucket="new", RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket="new")["Payer"] == "Requester"


def test_an_object_is_written_once(s3):
    first = s3.put_object(Bucket="new", Key="a", Body=b"x", IfNoneMatch="*")
    assert code(s3.put_object, Bucket="new", Key="a", Body=b"y", IfNoneMatch="*") == (
        "PreconditionFailed"
    )
    assert code(s3.put_object, Bucket="new", Key="a", Body=b"y", IfMatch='"0"') == (
        "PreconditionFailed"
    )
    s3.put_object(Bucket="new", Key="a", Body=b"yes", IfMatch=first["ETag"])
    assert s3.get_object(Bucket="new", Key="a", Range="bytes=-2")["Body"].read() == b"es"
    assert code(s3.get_object, Bucket="new", Key="a", IfMatch=first["ETag"]) == "PreconditionFailed"


def test_a_list_of_versions_goes_on_after_its_page_was_deleted(s3):
    s3.put_bucket_versioning(Bucket="new", VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "b", "c"):
        for body in (b"1", b"2"):
            s3.put_object(Bucket="new", Key=key, Body=body)
    s3.delete_object(Bucket="new", Key="b")
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket="new", PaginationConfig={"PageSize": 3}
    )
    deleted = 0
    for page in pages:
        for each in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(Bucket="new", Key=each["Key"], VersionId=each["VersionId"])
            deleted += 1
    assert deleted == 7
    s3.delete_bucket(Bucket="new")


def test_keys_come_in_pages_of_their_order(s3):
    names = [f"pictures/{number:02}" for number in range(12)]
    for name in [*reversed(names), "a", "z", "pictures/gone"]:
        s3.put_object(Bucket="new", Key=name, Body=b"")
    s3.delete_object(Bucket="new", Key="pictures/gone")
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket="new", Prefix="pictures/", PaginationConfig={"PageSize": 5}
        )
    )
    assert [len(page["Contents"]) for page in pages] == [5, 5, 2]
    assert [each["Key"] for page in pages for each in page["Contents"]] == names
    after = s3.list_objects_v2(Bucket="new", StartAfter="pictures/09")
    assert [each["Key"] for each in after["Contents"]] == [*names[10:], "z"]
    assert s3.list_objects_v2(Bucket="new", MaxKeys=0)["KeyCount"] == 0
    assert code(s3.list_objects_v2, Bucket="new", ContinuationToken="x") == "InvalidArgument"


def test_a_deleted_key_of_a_versioned_bucket_is_in_no_page(s3):
    s3.put_bucket_versioning(Bucket="new", VersioningConfiguration={"Status": "Enabled"})
    for name in ("here", "gone"):
        s3.put_object(Bucket="new", Key=name, Body=b"")
    s3.delete_object(Bucket="new", Key="gone")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="new")["Contents"]] == ["here"]
