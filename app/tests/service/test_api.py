"""The JSON API and /mustachify. test_schema.py holds it against its own description."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from mustache.formats import KINDS
from service import fetch
from service.errors import Problem
from service.pictures.models import Picture, StoredFile

pytestmark = pytest.mark.django_db


def post(client, picture: bytes, **fields):
    return client.post("/api/pictures", {"image": SimpleUploadedFile("me", picture), **fields})


def test_post_answers_as_documented(client, face):
    response = post(client, face, style="walrus")
    assert response.status_code == 201
    answer = response.json()
    assert set(answer) == {
        "id", "url", "original_url", "mustached_url", "style", "width", "height", "faces", "token",
    }  # fmt: skip
    assert (answer["style"], answer["width"], answer["height"]) == ("walrus", 256, 256)
    (one,) = answer["faces"]
    assert set(one) == {
        "box", "right_eye", "left_eye", "nose", "mouth_right", "mouth_left", "roll_degrees",
        "score", "mustache",
    }  # fmt: skip
    assert set(one["mustache"]) == {"center", "width", "angle_degrees"}
    x, y, w, h = one["box"]
    assert x < one["right_eye"][0] < one["left_eye"][0] < x + w  # hers, so right comes first
    assert y < one["right_eye"][1] < one["mustache"]["center"][1] < one["mouth_left"][1] < y + h
    for name in ("original_url", "mustached_url"):
        assert answer[name].startswith("http://testserver/media/")
        assert client.get(answer[name]).status_code == 200
    assert client.get(answer["original_url"]).content == face
    assert not client.cookies


def test_get_is_what_post_said_without_the_token(client, face):
    made = post(client, face).json()
    token = made.pop("token")
    response = client.get(f"/api/pictures/{made['id']}")
    assert response.json() == made
    assert token not in response.content.decode()


def test_default_style_is_any(client, face):
    styles = {style["name"] for style in client.get("/api/styles").json()["styles"]}
    assert len(styles) >= 8
    assert post(client, face).json()["style"] in styles
    assert post(client, face, style="random").json()["style"] in styles


def test_list_pages_by_cursor(client, face):
    made = [post(client, face).json()["id"] for _ in range(5)]
    post(client, face, unlisted="true")
    first = client.get("/api/pictures?limit=2").json()
    second = client.get("/api/pictures", {"limit": 2, "cursor": first["next"]}).json()
    third = client.get("/api/pictures", {"limit": 2, "cursor": second["next"]}).json()
    pages = [first, second, third]
    assert [p["id"] for page in pages for p in page["pictures"]] == made[::-1]
    assert third["next"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=%C3%A9", "cursor=LTE"]
)
def test_bad_lists(client, query):
    response = client.get(f"/api/pictures?{query}")
    assert response.status_code == 400
    assert set(response.json()) == {"error", "detail"}


def test_delete_with_the_token(client, face):
    made = post(client, face).json()
    path = f"/api/pictures/{made['id']}"
    assert client.delete(path).status_code == 401
    assert client.delete(path, headers={"Authorization": "Bearer no"}).status_code == 403
    assert Picture.objects.exists()
    right = {"Authorization": f"Bearer {made['token']}"}
    assert client.delete(path, headers=right).status_code == 204
    assert client.delete(path, headers=right).status_code == 404
    assert not StoredFile.objects.exists()


def test_delete_with_the_session_needs_csrf(face):
    client = Client(enforce_csrf_checks=True)
    page = client.get("/").content.decode()
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)[1]
    form = {"image": SimpleUploadedFile("me.jpg", face), "csrfmiddlewaretoken": token}
    client.post("/", form)
    path = f"/api/pictures/{Picture.objects.get().public_id}"
    assert client.delete(path).status_code == 403
    assert Client().delete(path, headers={"X-CSRFToken": token}).status_code == 401
    assert client.delete(path, headers={"X-CSRFToken": token}).status_code == 204


def test_errors_have_one_shape(client, face, settings):
    settings.MAX_UPLOAD_BYTES = 100_000
    cases = [
        (client.post("/api/pictures", {}), 400, "bad_request"),
        (post(client, b"hello"), 415, "unsupported_picture"),
        (post(client, b""), 415, "unsupported_picture"),
        (post(client, face, style="bogus"), 404, "not_found"),
        (post(client, b"x" * 100_001), 413, "too_large"),
        (post(client, b"x" * 300_000), 413, "too_large"),
        (client.get("/api/pictures/AAAAAAAAAAAAAAAA"), 404, "not_found"),
        (client.get("/api/nothing"), 404, "not_found"),
    ]
    for response, status, error in cases:
        assert response.status_code == status
        assert response.json()["error"] == error
        assert response.json()["detail"]
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize("verb", ["put", "patch", "delete"])
def test_other_methods(client, verb):
    response = getattr(client, verb)("/api/pictures")
    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "POST"]
    assert response.json()["error"] == "method_not_allowed"


def test_every_kind_that_mustachify_answers_is_described(client):
    schema = client.get("/api/openapi.json").json()
    described = schema["paths"]["/mustachify"]["get"]["responses"]["200"]["content"]
    assert set(described) == {kind.content_type for kind in KINDS.values()}


def test_docs_describe_every_operation(client):
    page = client.get("/api/docs").content.decode()
    schema = client.get("/api/openapi.json").json()
    for path, methods in schema["paths"].items():
        assert path in page
        for operation in methods.values():
            assert operation["summary"] in page


# --- /mustachify ------------------------------------------------------------------------------
@pytest.fixture
def source(monkeypatch):
    """What the next fetch brings, or raises."""

    def set_to(answer):
        def fetched(url):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(fetch, "fetch", fetched)

    return set_to


def test_mustachify(client, source, face):
    source(face)
    response = client.get("/mustachify?src=http://x.example/a.jpg&style=walrus")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Mustache-Faces"] == "1"
    assert response.headers["X-Mustache-Style"] == "walrus"
    assert response.content.startswith(b"\xff\xd8")
    assert not Picture.objects.exists()
    again = client.get(
        "/mustachify?src=http://x.example/a.jpg&style=walrus",
        headers={"If-None-Match": response.headers["ETag"]},
    )
    assert again.status_code == 304


def test_mustachify_without_a_face_changes_nothing(client, source, no_face):
    source(no_face)
    response = client.get("/mustachify?src=http://x.example/a.jpg")
    assert response.headers["X-Mustache-Faces"] == "0"
    assert response.content == no_face


@pytest.mark.parametrize(
    ("query", "answer", "status"),
    [
        ("", b"", 400),
        ("src=ftp://x.example/", None, 400),
        ("src=http://x.example/&style=bogus", b"", 404),
        ("src=http://169.254.169.254/latest/meta-data/", None, 403),
        ("src=http://localhost:8000/", None, 403),
        ("src=http://x.example/", Problem(413), 413),
        ("src=http://x.example/", b"no picture", 415),
        ("src=http://x.example/", Problem(502), 502),
        ("src=http://x.example/", Problem(504), 504),
    ],
)
def test_mustachify_failures(client, source, query, answer, status):
    if answer is not None:
        source(answer)
    response = client.get(f"/mustachify?{query}")
    assert response.status_code == status
    assert set(response.json()) == {"error", "detail"}


def test_mustachify_is_limited(client, source, settings, face):
    source(face)
    settings.FETCH_RATE = (2, 60)
    path = "/mustachify?src=http://x.example/a.jpg"
    codes = [client.get(path).status_code for _ in range(2)]
    response = client.get(path)
    assert [*codes, response.status_code] == [200, 200, 429]
    assert 1 <= int(response.headers["Retry-After"]) <= 120
