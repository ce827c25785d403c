"""Nobody keeps an answer unless its view says so, at any address and with any outcome.

The addresses are those that the resolver knows: a new one is met here without being named.
"""

import re

import pytest
from django.conf import settings as configured
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLResolver, get_resolver
from service import caching
from service.pictures import files, uploads
from service.pictures.records import Picture, records

pytestmark = pytest.mark.django_db

NOBODY = "private, no-store"
MEDIA = "public, max-age=31536000, s-maxage=60, immutable"
# All that anybody but the visitor may keep.
SHARED = {"media": MEDIA, "gallery": "public, max-age=0, s-maxage=5"}


@pytest.fixture
def picture(face) -> Picture:
    return uploads.create(face, "walrus")[0]


def routes(resolver: URLResolver = None, before: str = ""):
    """All patterns, as the name of the view and the route to it."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        else:
            yield pattern.name, route


ROUTES = sorted(set(routes()), key=str)


def filled(route: str, picture: Picture) -> str:
    """An address of the route, of what is there where we know something."""
    values = {
        "<id:public_id>": picture.public_id,
        "{public_id}": picture.public_id,
        "<file:name>": picture.result.file,
        "<slug:name>": "walrus",
    }
    for part, value in values.items():
        route = route.replace(part, value)
    route = re.sub(r"\(\?P<\w+>[^)]*\)", "auth", route)
    return "/" + re.sub(r"<[^>]*>", "1", route).strip("^$").replace("\\", "")


def test_all_addresses_are_known():
    names = {name for name, _ in ROUTES}
    assert {"home", "picture", "media", "info", "metrics", "login"} <= names
    assert len(ROUTES) > 25


@pytest.mark.parametrize("method", ["get", "head", "post", "delete", "options"])
def test_every_address_says_who_may_keep_it(client, picture, method):
    for name, route in ROUTES:
        path = filled(route, picture)
        answer = getattr(client, method)(path)
        expected = SHARED.get(name, NOBODY) if answer.status_code == 200 else NOBODY
        assert answer.headers["Cache-Control"] == expected, (path, answer.status_code)
        assert answer.status_code < 500, path
        picture = records.get(picture.public_id) or picture


@pytest.mark.parametrize("method", ["get", "head"])
def test_for_an_operator_as_well(client, picture, method):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    for name, route in ROUTES:
        answer = getattr(client, method)(filled(route, picture))
        expected = SHARED.get(name, NOBODY) if answer.status_code == 200 else NOBODY
        assert answer.headers["Cache-Control"] == expected, (route, answer.status_code)


def test_what_is_not_there(client, picture):
    for _, route in ROUTES:
        path = filled(route, picture).rstrip("/") + "-not"
        answer = client.get(path)
        if answer.status_code == 404:
            assert answer.headers["Cache-Control"] == NOBODY, path


def test_errors_differ_by_what_is_accepted(client):
    for path in ("/nothing", "/p/0000000000000000", f"/media/{'0' * 64}/original.jpg"):
        page, program = client.get(path), client.get(path, headers={"Accept": "application/json"})
        assert page.headers["Content-Type"].startswith("text/html")
        assert program.headers["Content-Type"] == "application/json"
        for answer in (page, program):
            assert "Accept" in answer.headers["Vary"]
            assert answer.headers["Cache-Control"] == NOBODY


def test_a_deleted_picture_is_gone_for_who_has_a_copy(client, picture):
    address = files.url(picture.result.file)
    etag = client.get(address).headers["ETag"]
    again = client.get(address, headers={"If-None-Match": etag})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, MEDIA)
    uploads.delete(picture.public_id)
    for condition in ({"If-None-Match": etag}, {"If-None-Match": "*"}, {"Range": "bytes=0-9"}, {}):
        gone = client.get(address, headers=condition)
        assert (gone.status_code, gone.headers["Cache-Control"]) == (404, NOBODY)
        assert "ETag" not in gone.headers


def test_a_range_that_is_not_there_is_not_kept(client, picture):
    answer = client.get(files.url(picture.result.file), headers={"Range": "bytes=99999999-"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (416, NOBODY)


@pytest.mark.parametrize(
    ("style", "kept"), [("walrus", "public, max-age=600"), ("random", NOBODY), ("beard", NOBODY)]
)
def test_a_fetched_picture(client, face, monkeypatch, style, kept):
    monkeypatch.setattr("service.fetch.fetch", lambda src: face)
    address = f"/mustachify?src=http://x.example/&style={style}"
    answer = client.get(address)
    assert answer.headers["Cache-Control"] == kept
    if style == "walrus":
        again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.headers["Cache-Control"]) == (304, kept)


def test_what_comes_before_any_view(client, settings, monkeypatch):
    settings.SECURE_SSL_REDIRECT = True
    answers = [Client().get("/gallery")]
    settings.SECURE_SSL_REDIRECT = False
    answers += [client.get("/gallery", headers={"Host": "evil.example"})]
    answers += [client.get("/gallery", headers={"CDN-Loop": "testserver"})]
    answers += [client.post("/", headers={"Content-Length": "99999999"})]
    answers += [client.get("/healthz"), client.get("/readyz"), client.get("/static/nothing.css")]
    answers += [Client(enforce_csrf_checks=True).post("/", {})]

    def fail(*args):
        raise OperationalError("away")

    monkeypatch.setattr("service.pictures.paging.page", fail)
    answers += [client.get("/gallery")]
    assert [answer.status_code for answer in answers[:3]] == [301, 400, 508]
    assert answers[-1].status_code == 503
    assert {answer.headers["Cache-Control"] for answer in answers} == {NOBODY}


def test_an_error_of_ours(settings, monkeypatch):
    monkeypatch.setattr("service.pictures.paging.page", lambda *arguments: 1 / 0)
    answer = Client(raise_request_exception=False).get("/gallery")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (500, NOBODY)


def ruled(view) -> str:
    return caching.CachingMiddleware(view)(RequestFactory().get("/")).headers["Cache-Control"]


@caching.briefly
def for_everybody(request) -> HttpResponse:
    return HttpResponse("the same")


def test_a_view_that_says_it_itself_is_not_heard():
    """A header is not a declaration: a library's view may bring one."""
    assert ruled(for_everybody) == SHARED["gallery"]
    assert ruled(lambda _: HttpResponse(headers={"Cache-Control": "public"})) == NOBODY


def test_an_answer_to_one_visitor_is_not_shared_by_mistake():
    def with_cookie(request):
        answer = for_everybody(request)
        answer.set_cookie("a", "b")
        return answer

    def by_cookie(request):
        answer = for_everybody(request)
        answer.headers["Vary"] = "Accept-Encoding, Cookie"
        return answer

    assert ruled(with_cookie) == ruled(by_cookie) == NOBODY


def test_it_stands_outside_of_all_that_answers():
    """Only what never answers itself may stand before it."""
    before = configured.MIDDLEWARE[
        : configured.MIDDLEWARE.index("service.caching.CachingMiddleware")
    ]
    assert before == ["service.edge.EdgeMiddleware", "service.middleware.RequestMiddleware"]


def test_head_says_what_get_says(client, picture):
    for _, route in ROUTES:
        path = filled(route, picture)
        get, head = client.get(path), client.head(path)
        assert head.status_code == get.status_code, path
        assert head.headers.get("Content-Type") == get.headers.get("Content-Type"), path
        assert head.content == b"", path


def test_other_methods_are_told_which_there_are(client, picture):
    for _, route in ROUTES:
        for method in ("options", "trace", "patch"):
            answer = getattr(client, method)(filled(route, picture))
            if answer.status_code == 405:
                allowed = answer.headers["Allow"].split(", ")
                assert ("GET" in allowed) == ("HEAD" in allowed), route
