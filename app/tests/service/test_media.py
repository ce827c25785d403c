"""The bytes of pictures over HTTP."""

import pytest
from service.pictures import uploads

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(face) -> str:
    return uploads.create(face, "handlebar")[0].result.file.url


def test_served_for_ever(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, s-maxage=60, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "Cookie" not in response.headers.get("Vary", "")


def test_conditional(client, path, django_assert_num_queries):
    etag = client.get(path).headers["ETag"]
    with django_assert_num_queries(1) as queries:
        response = client.get(path, headers={"If-None-Match": etag})
    assert response.status_code == 304
    assert not response.content
    assert '"data"' not in queries.captured_queries[0]["sql"]
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
