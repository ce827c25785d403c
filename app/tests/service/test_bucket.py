"""Pictures in an S3 bucket: what is put there, and what becomes of requests when it fails."""

import io
from base64 import b64decode
from datetime import timedelta
from hashlib import sha256

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError
from django.core.files.storage import default_storage, storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from service.pictures import files, stores, sweeping, uploads
from service.pictures.bucket import IMPATIENCE, PATIENCE, BucketStorage
from service.pictures.models import DeletedFile, Original, Picture
from service.pictures.records import records

pytestmark = pytest.mark.django_db
NAME = f"{'0' * 64}/original-0123.jpg"


@pytest.fixture(autouse=True)
def in_the_bucket(bucket, use_stores):
    use_stores("s3")


def keys(bucket) -> set[str]:
    return {found.key for found in bucket.objects.all()}


@pytest.fixture
def answers(monkeypatch):
    """`answers(503, only="PutObject")`: what S3 says from now on; an exception is raised."""

    def answer(what: int | Exception, only: str = "", after: int = 0) -> list[str]:
        client, asked = default_storage.client, []
        real = client._make_api_call

        def call(operation, arguments):
            if only in operation:
                asked.append(operation)
                if len(asked) > after:
                    raise what if isinstance(what, Exception) else refusal(what, operation)
            return real(operation, arguments)

        monkeypatch.setattr(client, "_make_api_call", call)
        return asked

    return answer


def refusal(status: int, operation: str) -> ClientError:
    about = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(about, operation)


def test_keys_are_the_paths_of_the_addresses(bucket, face, client):
    picture, _ = uploads.create(face, "walrus")
    needed = picture.result.files | picture.result.original.files
    assert keys(bucket) == {files.url(name).lstrip("/") for name in needed}
    offer = client.post("/api/uploads").json()
    form = offer["fields"] | {"file": SimpleUploadedFile("me.jpg", face)}
    assert client.post(offer["url"], form).status_code == 204
    [waits] = keys(bucket) - {f"media/{name}" for name in needed}
    assert waits.startswith("incoming/")


def test_served_from_the_bucket_as_we_serve_it(bucket, face, client):
    picture, _ = uploads.create(face, "walrus")
    for name in picture.result.files | picture.result.original.files:
        ours = client.get(files.url(name))
        theirs = bucket.Object(f"media/{name}").get()
        assert ours.content == theirs["Body"].read()
        assert ours.headers["Content-Type"] == theirs["ContentType"]
        assert ours.headers["Cache-Control"] == theirs["CacheControl"]
        assert ours.headers.get("Content-Disposition") == theirs.get("ContentDisposition")
        about = theirs["ResponseMetadata"]["HTTPHeaders"]
        assert ours.headers["Last-Modified"] == about["last-modified"]


def test_what_waits_may_nobody_keep(bucket):
    files.put({"incoming/a": b"a picture"})
    assert bucket.Object("incoming/a").get()["CacheControl"] == "private, no-store"


def test_a_name_never_means_other_bytes(bucket):
    files.put({NAME: b"first"})
    files.put({NAME: b"second"})
    assert files.read(NAME) == b"first"


def test_someone_else_puts_it_at_this_very_moment(answers):
    asked = answers(409, only="PutObject")
    with pytest.raises(files.StoreUnavailable):
        files.put({NAME: b"bytes"})
    assert len(asked) == 3


def test_s3_is_told_the_checksum(bucket, answers, monkeypatch):
    told = []
    client = default_storage.client
    monkeypatch.setattr(client, "_make_api_call", lambda _, arguments: told.append(arguments))
    files.put({NAME: b"bytes"})
    assert told[0]["IfNoneMatch"] == "*"
    assert b64decode(told[0]["ChecksumSHA256"]) == sha256(b"bytes").digest()


def test_deleting_a_picture_removes_it_from_the_bucket(bucket, face, client):
    picture, token = uploads.create(face, "walrus")
    assert keys(bucket)
    answer = client.delete(
        f"/api/pictures/{picture.public_id}", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 204
    assert not keys(bucket)


def test_many_are_deleted_with_few_requests(bucket, answers):
    files.put({f"{'0' * 64}/{number}-0.jpg": b"x" for number in range(12)})
    asked = answers(503, only="DeleteObject", after=100)
    files.delete([f"{'0' * 64}/{number}-0.jpg" for number in range(12)])
    assert asked == ["DeleteObjects"]
    assert not keys(bucket)


def test_what_s3_does_not_delete_is_no_secret(monkeypatch):
    refused = {"Errors": [{"Key": f"media/{NAME}", "Code": "AccessDenied"}]}
    monkeypatch.setattr(default_storage.client, "_make_api_call", lambda *_: refused)
    with pytest.raises(files.StoreUnavailable, match="AccessDenied"):
        files.delete([NAME])


def test_others_files_are_left_alone(bucket, monkeypatch):
    monkeypatch.setattr(sweeping, "GRACE", timedelta(0))
    others = {"site/index.html", "media/logo.svg", "media/site/index.html"}
    for key in others:
        bucket.put_object(Key=key, Body=b"of someone else")
    call_command("sweep", stdout=io.StringIO())
    assert keys(bucket) == others


# --- When it fails -------------------------------------------------------------------------------
FAILURES = [503, 403, ConnectTimeoutError(endpoint_url="https://s3"), NoCredentialsError()]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_an_upload_is_refused_politely(bucket, client, face, answers, failure):
    answers(failure)
    answer = client.post("/api/pictures", {"image": SimpleUploadedFile("me.jpg", face)})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.json()["error"] == "unavailable"
    page = client.post("/", {"image": SimpleUploadedFile("me.jpg", face)})
    assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
    assert not Picture.objects.exists()
    assert not Original.objects.exists()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_nothing_is_half_written(bucket, client, face, answers, after):
    answers(503, only="PutObject", after=after)
    answer = client.post("/api/pictures", {"image": SimpleUploadedFile("me.jpg", face)})
    assert answer.status_code == 503
    assert not keys(bucket)
    assert not Original.objects.exists()


def test_pages_are_shown_meanwhile(client, face, answers):
    picture, _ = uploads.create(face, "walrus")
    asked = answers(503)
    for path in ("/", "/gallery", picture.get_absolute_url(), "/api/pictures", "/healthz"):
        assert client.get(path).status_code == 200
    assert not asked
    answer = client.get(files.url(picture.result.file))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_deletion_meanwhile_is_ended_later(bucket, client, face, answers, monkeypatch):
    picture, token = uploads.create(face, "walrus")
    answers(503)
    answer = client.delete(
        f"/api/pictures/{picture.public_id}", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 503
    assert records.get(picture.public_id) is None
    assert len(keys(bucket)) == 3
    monkeypatch.undo()
    call_command("sweep", stdout=io.StringIO())  # at once, for it is known to have been deleted
    assert not keys(bucket)


def test_ready_or_not(client, monkeypatch):
    assert client.get("/readyz").json()["degraded"] == {}

    def fail(operation, _):
        raise refusal(503, operation)

    monkeypatch.setattr(default_storage.impatient, "_make_api_call", fail)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["degraded"] == {"pictures": "ClientError"}


def test_a_bucket_that_is_away_costs_seconds():
    """Of two tries, each with its time to connect and to answer."""
    client = default_storage.client.meta.config
    assert (client.connect_timeout, client.read_timeout) == (1, 3)
    assert client.retries["total_max_attempts"] == PATIENCE.retries["total_max_attempts"] == 2
    ready = default_storage.impatient.meta.config
    assert (ready.connect_timeout, ready.read_timeout) == (1, 1)
    assert ready.retries["total_max_attempts"] == IMPATIENCE.retries["total_max_attempts"] == 1


def test_a_missing_bucket_is_not_a_missing_file(bucket, client, settings):
    path = files.url(NAME)
    assert client.get(path).status_code == 404
    bucket.delete()
    assert client.get(path).status_code == 503
    with pytest.raises(ClientError, match="NoSuchBucket"):
        list(stores.walk(storages["s3"]))


def test_one_client_for_all_threads(settings):
    store = BucketStorage(bucket_name="a", region_name="eu-central-1")
    assert store.client is store.client
    assert store.client.meta.region_name == "eu-central-1"
    assert store.enduring().client.meta.config.retries["total_max_attempts"] == 8


def test_marks_go_when_nobody_needs_them(face, monkeypatch):
    picture, _ = uploads.create(face, "walrus")
    uploads.delete(picture.public_id)
    assert DeletedFile.objects.count() == 3
    call_command("sweep", stdout=io.StringIO())
    assert DeletedFile.objects.count() == 3
    monkeypatch.setattr("service.pictures.marks.LAST", timedelta(0))
    call_command("sweep", stdout=io.StringIO())
    assert not DeletedFile.objects.exists()
