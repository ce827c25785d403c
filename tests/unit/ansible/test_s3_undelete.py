"""library/s3_undelete.py, against S3's answers."""

from datetime import UTC, datetime

import pytest

from tests.unit.ansible.aws import Failed, stubbed

SINCE = "20260101T031700Z"


def marker(key, hour, minute=0, latest=True):
    return {
        "Key": key, "VersionId": f"{key}-{hour}", "IsLatest": latest,
        "LastModified": datetime(2026, 1, 1, hour, minute, tzinfo=UTC),
    }  # fmt: skip


@pytest.fixture
def s3():
    client, stubber = stubbed("s3")
    yield client, stubber
    stubber.assert_no_pending_responses()


def there(stubber, *markers):
    stubber.add_response(
        "list_object_versions", {"DeleteMarkers": list(markers)},
        {"Bucket": "pictures", "Prefix": "media/"},
    )  # fmt: skip


def deleted(stubber, *keys, answer=None):
    objects = [{"Key": key, "VersionId": version} for key, version in keys]
    stubber.add_response(
        "delete_objects", answer or {},
        {"Bucket": "pictures", "Delete": {"Objects": objects, "Quiet": True}},
    )  # fmt: skip


def undelete(run, client, **options):
    given = {"bucket": "pictures", "prefix": "media/", "since": SINCE} | options
    return run("s3_undelete", client, **given)


def test_what_was_deleted_since_then_is_there_again(run, s3):
    client, stubber = s3
    there(
        stubber, marker("media/new", 4), marker("media/old", 2), marker("media/clock", 3, 14),
        marker("media/written-again", 5, latest=False),
    )  # fmt: skip
    deleted(stubber, ("media/new", "media/new-4"), ("media/clock", "media/clock-3"))
    found = undelete(run, client)

    assert (found["changed"], found["undeleted"]) == (True, 2)


def test_where_nothing_was_deleted_nothing_changes(run, s3):
    client, stubber = s3
    there(stubber)

    assert undelete(run, client) == {
        "changed": False, "undeleted": 0, "diff": {"before": {"deleted": []},
                                                  "after": {"deleted": []}},
    }  # fmt: skip


def test_in_check_mode_it_only_says_what_it_would_do(run, s3):
    client, stubber = s3
    there(stubber, marker("media/new", 4))
    found = undelete(run, client, check_mode=True)

    assert found["changed"]
    assert found["diff"]["before"] == {"deleted": ["media/new"]}


def test_what_s3_does_not_bring_back_is_named(run, s3):
    client, stubber = s3
    there(stubber, marker("media/new", 4))
    errors = [{"Key": "media/new", "Message": "Access Denied"}]
    deleted(stubber, ("media/new", "media/new-4"), answer={"Errors": errors})

    with pytest.raises(Failed, match="media/new: Access Denied"):
        undelete(run, client)


@pytest.mark.parametrize("since", ["", "yesterday", "2026-01-01"])
def test_a_moment_that_is_none_is_refused(run, s3, since):
    with pytest.raises(Failed, match="is no moment"):
        undelete(run, s3[0], since=since)
