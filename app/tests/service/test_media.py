"""The bytes of pictures over HTTP."""

import pytest
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from service.pictures import files, media, uploads
from service.pictures.models import Picture

pytestmark = pytest.mark.django_db


@pytest.fixture
def name(face, any_storage) -> str:
    return uploads.create(face, "handlebar")[0].result.file


@pytest.fixture
def path(name) -> str:
    return files.url(name)


def test_served_for_ever(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, s-maxage=60, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "Cookie" not in response.headers.get("Vary", "")


def test_conditional(client, path):
    etag = client.get(path).headers["ETag"]
    response = client.get(path, headers={"If-None-Match": etag})
    assert response.status_code == 304
    assert not response.content
    assert response.headers["ETag"] == etag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=10-", 10, None), ("bytes=-5", -5, None),
     ("bytes=0-99999999", 0, None), ("bytes=-99999999", 0, None)],
)  # fmt: skip
def test_ranges(client, path, asked, start, stop):
    whole = client.get(path).content
    response = client.get(path, headers={"Range": asked})
    assert response.status_code == 206
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert response.content == whole[start:stop]
    assert response.headers["Content-Range"].endswith(f"/{len(whole)}")
    first, last = response.headers["Content-Range"].split()[1].split("/")[0].split("-")
    assert whole[int(first) : int(last) + 1] == response.content


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_ranges_outside(client, path, asked):
    response = client.get(path, headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["Content-Range"].startswith("bytes */")


@pytest.mark.parametrize(
    "asked",
    ["bytes=", "bytes=-", "bytes=5-2", "lines=1-2", "bytes=0-1,3-4", f"bytes=0-{'9' * 5000}",
     f"bytes={'9' * 5000}-"],
)  # fmt: skip
def test_ranges_that_are_none(client, path, asked):
    assert client.get(path, headers={"Range": asked}).status_code == 200


def test_if_range(client, path):
    etag = client.get(path).headers["ETag"]
    asked = {"Range": "bytes=0-1"}
    assert client.get(path, headers=asked | {"If-Range": etag}).status_code == 206
    assert client.get(path, headers=asked | {"If-Range": '"old"'}).status_code == 200


def test_head(client, path):
    response = client.head(path)
    assert int(response.headers["Content-Length"]) == len(client.get(path).content)
    assert not response.content


@pytest.mark.parametrize(
    "path",
    ["/media/x", "/media/../settings.py", f"/media/{'0' * 64}/original.jpg",
     f"/media/{'0' * 64}/../../etc/passwd", f"/media/{'0' * 64}/a.jpg%00"],
)  # fmt: skip
def test_other_names(client, path):
    assert client.get(path).status_code == 404


def test_a_large_file_is_read_as_the_reader_takes_it(client, name, path, monkeypatch):
    whole = files.read(name)
    monkeypatch.setattr(media, "AT_ONCE", 1000)
    assert len(whole) > 3000
    response = client.get(path)
    pieces = list(response.streaming_content)
    assert [len(piece) for piece in pieces[:-1]] == [1000] * (len(whole) // 1000)
    assert b"".join(pieces) == whole
    assert int(response.headers["Content-Length"]) == len(whole)
    part = client.get(path, headers={"Range": "bytes=10-2509"})
    assert b"".join(part.streaming_content) == whole[10:2510]


def test_deleted_while_it_is_read(client, name, path, monkeypatch):
    monkeypatch.setattr(media, "AT_ONCE", 1000)
    content = iter(client.get(path).streaming_content)
    next(content)
    files.delete([name])
    # Cut, which the reader sees by Content-Length.
    with pytest.raises(FileNotFoundError):
        list(content)


def test_no_more_is_read_than_asked_for(client, face, django_assert_num_queries):
    path = files.url(uploads.create(face, "handlebar")[0].result.file)
    etag = client.get(path).headers["ETag"]
    for headers in ({"If-None-Match": etag}, {"Range": "bytes=99999999-"}):
        with django_assert_num_queries(1) as queries:
            client.get(path, headers=headers)
        assert '"data"' not in queries.captured_queries[0]["sql"]
    with django_assert_num_queries(2) as queries:
        assert client.get(path, headers={"Range": "bytes=10-19"}).status_code == 206
    assert 'SUBSTR("pictures_storedfile"."data", 11, 10)' in queries.captured_queries[1]["sql"]


def test_a_deleted_file_is_gone_for_those_who_know_it_too(client, name, path):
    etag = client.get(path).headers["ETag"]
    files.delete([name])
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 404
    assert client.head(path).status_code == 404


class Broken(InMemoryStorage):
    """A store that is out of reach, in words of its own."""

    def _open(self, *arguments):
        raise ConnectionResetError("no route to the store")

    _save = delete = exists = _open


def test_a_store_that_fails_is_unavailable(client, settings, face):
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": f"{__name__}.Broken"}}
    for answer in (
        client.get(f"/media/{'0' * 64}/original.jpg"),
        client.post("/api/pictures", {"image": SimpleUploadedFile("me.jpg", face)}),
    ):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    assert not Picture.objects.exists()
