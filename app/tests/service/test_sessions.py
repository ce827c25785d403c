"""What every store of sessions holds to, and Django's sessions over each, and over two at once."""

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DjangosOwn
from django.test import Client
from service import copies, sessions
from service.errors import StoreUnavailable
from service.sessions import BATCH, GONE, STORES, Kept, both
from service.sessions import dynamodb as of_dynamodb
from service.sessions.engine import SessionStore
from tests.service.conftest import free_port, use_cache
from tests.service.memory_sessions import MemorySessions
from tests.service.test_settings import GOOD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def committed(monkeypatch):
    """What the cache is told after a commit it is told at once: no test commits."""
    monkeypatch.setattr(copies.transaction, "on_commit", lambda tell: tell())


HOUR = 3600
LATER = int(time.time()) + 10 * HOUR
PAIRS = [(one, other) for one in STORES for other in STORES if one != other]


def kept(number: int = 1, data: str = "data", expires: int = LATER) -> Kept:
    return Kept(f"{number:032d}", data, expires)


def needed(request, *names: str) -> None:
    for name, fixture in (("dynamodb", "dynamodb"), ("elasticache", "valkey")):
        if name in names:
            request.getfixturevalue(fixture)


@pytest.fixture(params=[*STORES, "memory"])
def single(request):
    needed(request, request.param)
    return MemorySessions() if request.param == "memory" else sessions.store(request.param)


@pytest.fixture(params=[*STORES, "memory", "both"])
def store(request):
    needed(request, request.param)
    if request.param == "both":
        return both.Both(MemorySessions(), MemorySessions())
    return MemorySessions() if request.param == "memory" else sessions.store(request.param)


@pytest.fixture(params=[*((name, "") for name in STORES), *PAIRS], ids=" ".join)
def configured(request, settings):
    needed(request, *request.param)
    settings.SESSION_STORE, settings.SESSION_STORE_SECOND = request.param
    return request.param


# --- Stores -------------------------------------------------------------------------------------
def test_a_session_comes_back_as_it_was_put(store):
    assert store.get(kept().key) is None
    assert store.add(kept())
    for _ in range(2):
        assert store.get(kept().key) == kept()
    assert not store.add(kept(data="other"))
    assert store.get(kept().key).data == "data"


def test_only_what_is_there_is_replaced(store):
    assert not store.replace(kept())
    store.add(kept())
    assert store.replace(kept(data="new"))
    assert store.get(kept().key).data == "new"


def test_only_what_was_seen_is_replaced(single):
    single.add(kept(data="old"))
    assert not single.replace(kept(data="new"), seen=kept(data="older"))
    assert single.get(kept().key).data == "old"
    assert single.replace(kept(data="new"), seen=kept(data="old"))
    assert single.get(kept().key).data == "new"
    single.bury(kept().ended())
    assert not single.replace(kept(), seen=kept().ended())


def test_over_a_gravestone_nothing_comes_back(store):
    store.add(kept())
    store.bury(kept().ended())
    assert store.get(kept().key).gone
    assert not store.add(kept())
    assert not store.replace(kept())
    assert store.get(kept().key) == kept().ended()


def test_a_gravestone_may_come_first(store):
    store.bury(kept().ended())
    assert not store.add(kept())
    assert store.get(kept().key).gone


def test_what_is_expired_is_not_there(store):
    store.add(kept(expires=int(time.time())))
    assert store.get(kept().key) is None
    assert not store.replace(kept())
    assert store.add(kept(data="new"))
    assert store.get(kept().key).data == "new"
    store.clear_expired()
    assert store.get(kept().key).data == "new"


def test_all_in_batches(single):
    put = [kept(number) for number in range(BATCH + 20)]
    for each in put:
        single.add(each)
    single.bury(put[0].ended())
    single.add(kept(5000, expires=int(time.time()) - 1))
    found = [each for batch in single.all() for each in batch]
    assert sorted(found) == sorted([put[0].ended(), *put[1:]])
    assert all(len(batch) <= BATCH for batch in single.all())
    wanted = [each.key for each in put[:BATCH]]
    assert single.get_many(wanted).keys() == set(wanted)
    assert single.get_many([]) == {}
    assert single.about_how_many() >= len(put)


# --- Django's sessions over them ----------------------------------------------------------------
def test_a_visitors_session(configured):
    session = SessionStore()
    session["owner"] = "a secret"
    session.save()
    for _ in range(2):
        again = SessionStore(session.session_key)
        assert dict(again.items()) == {"owner": "a secret"}
    again["more"] = 1
    again.save()
    assert SessionStore(session.session_key)["more"] == 1
    assert SessionStore().exists(session.session_key)


def test_an_ended_session_stays_so(configured):
    session = SessionStore()
    session.create()
    late = SessionStore(session.session_key)
    late["a"] = 1  # read before, saved after
    session.flush()
    with pytest.raises(UpdateError):
        late.save()
    for name in filter(None, configured):
        assert sessions.store(name).get_many([late.session_key])[late.session_key].gone
    again = SessionStore(late.session_key)
    assert dict(again.items()) == {}
    assert again.session_key is None
    assert not SessionStore().exists(late.session_key)


def test_two_sessions_never_share_a_key(configured, monkeypatch):
    session = SessionStore()
    session.create()
    keys = iter([session.session_key, "b" * 32])
    monkeypatch.setattr(SessionStore, "_get_new_session_key", lambda self: next(keys))
    other = SessionStore()
    other.create()
    assert other.session_key == "b" * 32


def test_an_operator_logs_in_and_out(configured):
    get_user_model().objects.create_superuser("operator", password="a long one")
    client = Client()
    form = {"username": "operator", "password": "a long one", "next": "/admin/"}
    assert client.post("/admin/login/", form).status_code == 302
    cookie = client.cookies["mustache_session"].value
    assert client.get("/admin/").status_code == 200
    assert client.post("/admin/logout/").status_code == 200
    thief = Client()
    thief.cookies["mustache_session"] = cookie
    assert thief.get("/admin/").status_code == 302


def test_data_is_as_django_keeps_it(configured):
    """So that the release before, and whoever comes, reads what the other wrote."""
    session = SessionStore()
    session["owner"] = "a secret"
    session.save()
    row = sessions.store(configured[0]).get(session.session_key)
    assert DjangosOwn().decode(row.data) == {"owner": "a secret"}
    assert SessionStore().decode(DjangosOwn().encode({"a": 1})) == {"a": 1}


@pytest.mark.parametrize("cookie", ["x", "a" * 31, "A" * 32, "é" * 32, "a" * 4000, "a" * 32 + "\n"])
def test_what_we_never_gave_is_not_looked_for(dynamodb, settings, monkeypatch, cookie):
    settings.SESSION_STORE = "dynamodb"
    monkeypatch.setattr(of_dynamodb.DynamoDB, "get", None)
    assert SessionStore(cookie).get("owner") is None
    assert SessionStore(cookie).session_key is None


# --- Trouble ------------------------------------------------------------------------------------
@pytest.fixture
def broken(dynamodb, settings, monkeypatch):
    """DynamoDB cannot be reached; the visitor has a session there."""
    settings.SESSION_STORE = "dynamodb"
    session = SessionStore()
    session["owner"] = "a secret"
    session.save()

    def fail(*arguments, **options):
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(dynamodb, "_make_api_call", fail)
    client = Client()
    client.cookies["mustache_session"] = session.session_key
    return client, monkeypatch


def test_a_page_that_needs_the_session_is_503_and_the_session_is_not_lost(broken):
    client, monkeypatch = broken
    answer = client.get("/mine")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "mustache_session" not in answer.cookies
    assert client.get("/gallery").status_code == 200  # which needs none
    assert Client().get("/mine").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["failed"]) == (503, {"sessions": "StoreUnavailable"})
    monkeypatch.undo()
    assert client.get("/mine").wsgi_request.session["owner"] == "a secret"


def test_a_session_that_cannot_be_written_is_503(broken, face):
    client = Client()
    assert client.post("/api/pictures", {"image": as_file(face)}).status_code == 201  # needs none
    answer = client.post("/", {"image": as_file(face)})
    assert answer.status_code == 503
    assert "mustache_session" not in answer.cookies


def as_file(data: bytes):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile("me.jpg", data)


def test_dynamodb_that_is_busy(dynamodb, monkeypatch):
    store, calls = sessions.store("dynamodb"), dynamodb._make_api_call
    store.add(kept())

    def unread(name, parameters):
        answer = calls(name, parameters)
        if name == "BatchGetItem" and next(left):
            return answer | {"Responses": {}, "UnprocessedKeys": parameters["RequestItems"]}
        return answer

    monkeypatch.setattr(dynamodb, "_make_api_call", unread)
    left = iter([True, False])
    assert store.get_many([kept().key]) == {kept().key: kept()}
    left = iter([True] * 10)
    with pytest.raises(StoreUnavailable, match="unread"):
        store.get_many([kept().key])


@pytest.mark.parametrize("call", ["all", "about_how_many"])
def test_every_error_of_dynamodb_is_told(broken, call):
    with pytest.raises(StoreUnavailable):
        list(getattr(sessions.store("dynamodb"), call)())


def test_a_dead_cache_ends_no_session(settings, valkey):
    settings.SESSION_STORE = "elasticache"
    session = SessionStore()
    session["owner"] = "a secret"
    session.save()
    with use_cache(settings, f"redis://127.0.0.1:{free_port()}/0"):
        again = SessionStore(session.session_key)
        assert again["owner"] == "a secret"
        assert SessionStore().exists(session.session_key)
        again["more"] = 1
        again.save()
        assert SessionStore(session.session_key)["more"] == 1
        again.flush()
        assert not SessionStore().exists(session.session_key)


def test_a_copy_of_a_session_expires_with_it(valkey, monkeypatch):
    store = sessions.store("elasticache")
    store.add(kept())
    assert store.get(kept().key) == kept()
    monkeypatch.setattr(sessions, "time", SimpleNamespace(time=lambda: LATER))
    assert store.get(kept().key) is None


def test_a_reader_slower_than_a_logout_does_not_undo_it(settings, valkey, monkeypatch):
    settings.SESSION_STORE = "elasticache"
    session = SessionStore()
    session["owner"] = "a secret"
    session.save()
    rows = sessions.database.Database
    read = rows.get

    def slow(self, key):
        found = read(self, key)
        monkeypatch.setattr(rows, "get", read)
        SessionStore(key).flush()
        return found

    monkeypatch.setattr(rows, "get", slow)
    assert SessionStore(session.session_key)["owner"] == "a secret"
    assert SessionStore(session.session_key).get("owner") is None


# --- Settings -----------------------------------------------------------------------------------
@pytest.mark.parametrize("store", ["database", "dynamodb"])
def test_boto3_comes_only_when_it_is_asked_for(store):
    script = (
        "import sys, django; django.setup(); import service.sessions as s; s.current(); "
        "from service.sessions.engine import SessionStore; SessionStore(); "
        "print(any(name.split('.')[0] in ('boto3', 'botocore') for name in sys.modules))"
    )
    environment = {"SESSION_STORE": store, "SESSION_TABLE": "t", "AWS_REGION": "us-east-1",
                   "DJANGO_SETTINGS_MODULE": "service.settings"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], env=GOOD | environment, check=True, timeout=60,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(store == "dynamodb")


def test_a_gravestone_has_no_data():
    assert kept().ended().gone
    assert not kept().gone
    assert kept().ended().data == GONE
    assert kept().ended().expires > kept().expires
