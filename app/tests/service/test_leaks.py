"""No page of one visitor reaches another, through a cache that goes by Cache-Control alone.

The cache knows addresses and no cookies, as a CDN does; `Vary` means nothing to it. Two visitors
with sessions and pictures of their own ask for every address that the resolver knows, one after
the other.
"""

import re
from dataclasses import dataclass, field

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.middleware.csrf import _does_token_match as belongs_to
from django.test import Client
from service import caching
from service.pictures.records import records
from tests.service.test_caching import ROUTES, filled

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


OFFER = re.compile(r'name="policy" value="[^"]+"')


@dataclass
class SharedCache:
    """Keeps what everybody may keep, and gives it to whoever comes."""

    kept: dict = field(default_factory=dict)

    def get(self, visitor: Client, path: str):
        if path not in self.kept:
            answer = visitor.get(path)
            rules = answer.headers["Cache-Control"]
            if not re.search(r"private|no-store|no-cache", rules) and "max-age" in rules:
                self.kept[path] = answer
            return answer
        return self.kept[path]


def visitor(face: bytes) -> tuple[Client, str]:
    """Somebody with a session, a cookie and an unlisted picture, and the picture's id."""
    client = Client(enforce_csrf_checks=True)
    token = TOKEN.search(client.get("/").content.decode())[1]
    image = SimpleUploadedFile("me.jpg", face, "image/jpeg")
    form = {"csrfmiddlewaretoken": token, "style": "walrus", "unlisted": "on", "image": image}
    answer = client.post("/", form)
    assert answer.status_code == 303, answer.content
    return client, answer.headers["Location"].rpartition("/")[2]


def leaks(mine: Client, other: Client, paths: list[str]) -> list[str]:
    """Paths at which ``other`` gets what is mine, of a cache that I have warmed."""
    cache, found = SharedCache(), []
    for path in paths:
        cache.get(mine, path)
        got, own = cache.get(other, path), other.get(path)
        secret = other.cookies["mustache_csrf"].value
        strange = [token for token in TOKEN.findall(text(got)) if not belongs_to(token, secret)]
        same = TOKEN.sub("", text(got)) == TOKEN.sub("", text(own))
        if strange or not same or (path in cache.kept and got.cookies):
            found.append(path)
    return found


def text(answer) -> str:
    """Its body, without what is different at every look: error pages name the request, and each
    form for a picture that is sent before has a key of its own."""
    body = OFFER.sub("", answer.getvalue().decode("latin-1"))
    return body.replace(answer.headers.get("X-Request-Id", "\0"), "")


@pytest.fixture
def two(face, other_face):
    (mine, first), (other, second) = visitor(face), visitor(other_face)
    pictures = [records.get(first), records.get(second)]
    paths = {filled(route, picture) for _, route in ROUTES for picture in pictures}
    # These say what time it is, or how much was asked of the process: they differ at every look.
    paths -= {"/info", "/metrics", "/readyz"}
    return mine, other, sorted(paths)


def test_nobody_gets_what_is_anothers(two):
    assert leaks(*two) == []


@pytest.mark.parametrize("path", ["/", "/mine", "/p/"])
def test_a_view_that_is_wrongly_shared_is_noticed(two, monkeypatch, path):
    """What the middleware refuses by itself; where it would not, this does see it."""
    before = caching.CachingMiddleware.__call__

    def call(self, request):
        response = before(self, request)
        if request.path == path or (path == "/p/" and re.fullmatch(r"/p/[^/]+", request.path)):
            response["Cache-Control"] = "public, max-age=60"
        return response

    monkeypatch.setattr(caching.CachingMiddleware, "__call__", call)
    mine, other, paths = two
    shared = [each for each in paths if each == path or path == "/p/" in each]
    assert leaks(mine, other, shared)
