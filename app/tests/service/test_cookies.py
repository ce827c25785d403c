"""__Host- names under HTTPS, and sessions that began under the names before."""

import pytest
from django.conf import settings as configured
from django.test import Client
from service.sessions.engine import SessionStore

pytestmark = pytest.mark.django_db
NAMES = {"SESSION_COOKIE_NAME": "mustache_session", "CSRF_COOKIE_NAME": "mustache_csrf"}


@pytest.fixture
def https(settings):
    for setting, name in NAMES.items():
        setattr(settings, setting, f"__Host-{name}")
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True


@pytest.fixture
def session() -> SessionStore:
    session = SessionStore()
    session["owner"] = "a secret"
    session.save()
    return session


def test_a_session_of_the_name_before_goes_on(https, session):
    client = Client()
    client.cookies["mustache_session"] = session.session_key
    client.cookies["mustache_csrf"] = "a" * 32
    answer = client.get("/mine", secure=True)
    cookie = answer.cookies["__Host-mustache_session"]
    assert cookie.value == session.session_key
    assert (cookie["path"], cookie["domain"], cookie["secure"]) == ("/", "", True)
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert cookie["max-age"] == configured.SESSION_COOKIE_AGE
    assert answer.cookies["__Host-mustache_csrf"].value == "a" * 32
    for name in NAMES.values():
        assert answer.cookies[name]["max-age"] == 0
    assert answer.wsgi_request.session["owner"] == "a secret"
    assert answer.headers["Cache-Control"] == "private, no-store"
    # The second visit finds nothing to do; the test's browser keeps what has ended.
    for name in NAMES.values():
        del client.cookies[name]
    again = client.get("/mine", secure=True)
    assert not again.cookies
    assert again.wsgi_request.session["owner"] == "a secret"


def test_a_form_that_was_open_meanwhile_is_taken(https, no_face):
    client = Client(enforce_csrf_checks=True)
    client.cookies["mustache_csrf"] = "a" * 32
    form = {"csrfmiddlewaretoken": "a" * 32}
    origin = {"Origin": "https://testserver"}
    assert client.post("/", form, headers=origin, secure=True).status_code == 400  # no picture
    assert Client(enforce_csrf_checks=True).post("/", form, secure=True).status_code == 403


def test_the_new_name_wins(https, session):
    """A neighbour of the domain can write the old one."""
    client = Client()
    client.cookies["__Host-mustache_session"] = session.session_key
    client.cookies["mustache_session"] = "b" * 32
    answer = client.get("/mine", secure=True)
    assert answer.wsgi_request.session["owner"] == "a secret"
    assert answer.cookies["mustache_session"]["max-age"] == 0
    assert "__Host-mustache_session" not in answer.cookies


def test_without_https_nothing_is_renamed(client, session):
    client.cookies["mustache_session"] = session.session_key
    answer = client.get("/mine")
    assert answer.wsgi_request.session["owner"] == "a secret"
    assert not answer.cookies
