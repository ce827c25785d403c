"""The shared cache: a real Valkey with TLS and a token; dead, blackholed, failed over."""

import socket
import time

import pytest
from django.core.cache import cache
from service import health
from service import valkey as backend
from service.errors import StoreUnavailable
from service.ratelimit import limits
from service.ratelimit.models import Count
from tests.service.conftest import free_port, use_cache
from tests.service.valkey_server import Valkey, Way

pytestmark = pytest.mark.django_db


@pytest.fixture
def away(settings):
    """A cache where nobody answers."""
    with use_cache(settings, f"rediss://:token@127.0.0.1:{free_port()}/0"):
        yield


@pytest.fixture
def own(tmp_path, settings):
    """A Valkey of its own, for what is done to it."""
    server = Valkey(tmp_path)
    server.start()
    with use_cache(settings, server.url()):
        yield server
    server.stop()


def test_what_is_put_is_found(valkey):
    assert cache.add("a", 1) is True
    assert cache.add("a", 2) is False
    assert cache.incr("a", 5) == 6
    cache.set("b", {"c": [None, True, "d"]}, 60)
    assert cache.get_many(["a", "b", "x"]) == {"a": 6, "b": {"c": [None, True, "d"]}}
    assert "a" in cache
    assert cache.touch("b", 60) is True
    assert cache.set_many({"e": 1, "f": 2}, 60) == []
    assert cache.delete("e") is True
    cache.delete_many(["a", "b"])
    assert cache.get("a", "nothing") == "nothing"
    assert cache.get_or_set("g", 7) == 7
    with valkey.client() as client:
        assert client.get("mustache:1:g") == b"7"
        assert 0 < client.ttl("mustache:1:f") <= 60
    with pytest.raises(ValueError, match="not found"):
        cache.incr("nothing")


def test_nothing_is_unpickled(valkey):
    cache.set("a", {"b": "c"})
    with valkey.client() as client:
        assert client.get("mustache:1:a") == b'{"b":"c"}'
    with pytest.raises(TypeError, match="JSON"):
        cache.set("a", object())


@pytest.mark.parametrize("wrong", ["certificate", "name", "token"])
def test_whoever_is_not_the_cache_gets_nothing(valkey, settings, wrong):
    url = {
        "certificate": valkey.url().partition("?")[0],
        "name": valkey.url().replace("127.0.0.1", "localhost"),
        "token": valkey.url(token="another"),
    }[wrong]
    with use_cache(settings, url):
        cache.set("a", 1)
        assert cache.get("a") is None
        with pytest.raises(backend.AWAY):
            cache.check()
    with valkey.client() as client:
        assert client.keys("*") == []


def test_while_it_is_away_nothing_is_an_error(away, client):
    assert cache.add("a", 1) is False
    cache.set("a", 1)
    assert cache.get("a", "nothing") == "nothing"
    assert cache.get_many(["a"]) == {}
    assert cache.set_many({"a": 1}) == ["a"]
    assert cache.touch("a") is cache.delete("a") is cache.has_key("a") is cache.clear() is False
    assert cache.get_or_set("a", 7) == 7
    cache.delete_many(["a"])
    cache.insist({"a": 1}, 60)
    with pytest.raises(StoreUnavailable):
        cache.incr("a")
    for path in ("/", "/gallery", "/mine", "/api/pictures"):
        assert client.get(path).status_code == 200


def test_readyz_says_that_it_is_degraded(away, client):
    cache.get("a")  # known to be away already
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert list(answer.json()["degraded"]) == ["cache"]
    assert answer.json()["failed"] == {}


def test_readyz_of_one_that_answers(valkey, client):
    assert client.get("/readyz").json()["degraded"] == {}


@pytest.fixture
def silent(settings):
    """A cache that takes connections and says nothing."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=100) as server,
        use_cache(settings, f"redis://127.0.0.1:{server.getsockname()[1]}/0", seconds=0.5),
    ):
        yield


def test_not_every_request_waits_for_one_that_is_silent(silent, monkeypatch):
    start = time.monotonic()
    cache.get("a")
    assert time.monotonic() - start > 0.4
    asked = []
    monkeypatch.setattr(backend, "PAUSE", 3600)
    cache._cache.failed(TimeoutError())
    monkeypatch.setattr(cache._cache, "get_client", lambda *args, **options: asked.append(1))
    assert [cache.get("a") for _ in range(50)] == [None] * 50
    assert asked == []


def test_one_at_a_time_tries_again(silent, monkeypatch):
    monkeypatch.setattr(backend, "PAUSE", 0.0)
    cache.get("a")
    monkeypatch.setattr(backend, "PAUSE", 3600)
    client = cache._cache
    assert [client.is_worth_trying() for _ in range(5)] == [True, False, False, False, False]


def test_it_comes_back(own, monkeypatch):
    monkeypatch.setattr(backend, "PAUSE", 0.0)
    cache.set("a", 1)
    own.stop()
    assert cache.get("a") is None
    own.start()
    cache.set("a", 2)
    assert cache.get("a") == 2
    assert health.cached() is None


def test_a_kept_connection_that_was_cut_is_not_an_outage(valkey):
    cache.set("a", 1)
    with valkey.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert cache.get("a") == 1


def test_after_a_failover_it_writes_to_the_new_primary(valkey, settings):
    """The kept connection leads to a replica now, which answers READONLY; the name does not."""
    other = Valkey(valkey.home)  # with the same certificate
    other.start()
    way = Way(valkey.port)
    try:
        with use_cache(settings, valkey.url(port=way.port)):
            cache.set("a", 1)
            with valkey.client() as client:
                client.replicaof("127.0.0.1", other.port)
            way.leads_to = other.port
            cache.set("a", 2)
            cache.set_many({"b": 3}, 60)
            cache.add("c", 4)
            assert cache.incr("c") == 5
        with other.client() as client:
            values = client.mget("mustache:1:a", "mustache:1:b", "mustache:1:c")
        assert values == [b"2", b"3", b"5"]
    finally:
        way.close()
        with valkey.client() as client:
            client.replicaof("NO", "ONE")
        other.stop()


def test_rate_limits_are_counted_in_it(valkey, settings):
    settings.COUNTERS = "cache"
    assert [limits.hit("a", 10, 60, now=0)[0] for _ in range(3)] == [1, 2, 3]
    assert Count.objects.count() == 0


def test_rate_limits_hold_while_it_is_away(away, settings, client):
    settings.COUNTERS, settings.UPLOAD_RATE = "cache", (2, 60)
    assert [client.post("/", {}).status_code for _ in range(3)] == [400, 400, 429]
