"""Rate limits, counted in the database, in a cache and in DynamoDB."""

import pytest
from django.core.cache import cache
from django.db import OperationalError
from service.errors import Problem
from service.ratelimit import limits
from service.ratelimit.models import Count

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["database", "cache", "dynamodb"])
def store(request, settings):
    settings.COUNTERS = request.param
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
    if request.param == "cache":
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
                "LOCATION": request.node.name,
            }
        }
    return request.param


def test_counts_per_key(store):
    assert [limits.hit("a", 10, 60, now=0)[0] for _ in range(3)] == [1, 2, 3]
    assert limits.hit("b", 10, 60, now=0)[0] == 1


def test_the_window_slides(store):
    for _ in range(10):
        limits.hit("a", 10, 60, now=59)
    assert limits.hit("a", 10, 60, now=60)[0] == pytest.approx(11)
    assert limits.hit("a", 10, 60, now=90)[0] == pytest.approx(2 + 5)
    assert limits.hit("a", 10, 60, now=180)[0] == 1


@pytest.mark.parametrize("allowed", [1, 2, 30])
@pytest.mark.parametrize("start", [0, 20.5, 59.5])
@pytest.mark.parametrize("extra", [0, 1, 100])
def test_who_waits_as_told_is_let_in_and_who_comes_earlier_is_not(allowed, start, extra):
    now = 6000 + start
    for _ in range(allowed + extra):
        limits.hit("a", allowed, 60, now)
    used, wait = limits.hit("a", allowed, 60, now)
    assert used > allowed
    assert limits.hit("a", allowed, 60, now + wait)[0] <= allowed
    for _ in range(allowed + extra):
        limits.hit("b", allowed, 60, now)
    _, wait = limits.hit("b", allowed, 60, now)
    assert limits.hit("b", allowed, 60, now + wait - 2)[0] > allowed


def test_who_waits_within_the_window_is_told_so():
    for _ in range(10):
        limits.hit("a", 10, 60, now=59)
    used, wait = limits.hit("a", 10, 60, now=60)
    assert used > 10
    assert wait == 12  # of ten hits two have slid away
    assert limits.hit("a", 10, 60, now=72)[0] <= 10


def test_what_costs_more_fills_the_limit_sooner(store):
    assert limits.hit("a", 100, 60, now=0, cost=40)[0] == 40
    assert limits.hit("a", 100, 60, now=0, cost=40)[0] == 80
    used, wait = limits.hit("a", 100, 60, now=0, cost=40)
    assert used == 120
    assert limits.hit("a", 100, 60, now=wait, cost=40)[0] <= 100


def test_what_costs_more_than_is_allowed_is_let_in_alone(store):
    assert limits.hit("a", 100, 60, now=0, cost=500)[0] == 100
    assert limits.hit("a", 100, 60, now=0)[0] > 100


def test_for_a_cache_that_is_away_the_database_counts(settings, monkeypatch, rf):
    def fail(*arguments, **options):
        raise ConnectionError("away")

    settings.COUNTERS, settings.UPLOAD_RATE = "cache", (1, 60)
    monkeypatch.setattr(cache, "add", fail)
    limits.check("upload", rf.post("/"))
    with pytest.raises(Problem, match="more than 1 in 60"):
        limits.check("upload", rf.post("/"))
    monkeypatch.setattr(Count, "add", fail_as_database)
    limits.check("upload", rf.get("/"))  # reading goes on
    with pytest.raises(OperationalError):
        limits.check("upload", rf.post("/"))


def test_where_rows_are_in_dynamodb_that_counts_for_a_cache_that_is_away(
    settings, monkeypatch, dynamodb, rf
):
    def fail(*arguments, **options):
        raise ConnectionError("away")

    settings.ROWS, settings.COUNTERS, settings.UPLOAD_RATE = "dynamodb", "cache", (1, 60)
    monkeypatch.setattr(cache, "add", fail)
    monkeypatch.setattr(Count, "add", fail_as_database)
    limits.check("upload", rf.post("/"))
    with pytest.raises(Problem, match="more than 1 in 60"):
        limits.check("upload", rf.post("/"))


def fail_as_database(*arguments):
    raise OperationalError("away")


def test_old_counts_are_swept():
    limits.hit("a", 10, 60, now=0)
    limits.hit("b", 10, 60, now=600)
    assert list(Count.objects.values_list("key", flat=True)) == ["b"]


def test_uploads_are_limited_by_client(client, settings, face):
    settings.UPLOAD_RATE = (2, 60)
    # A body without a picture counts as well.
    for address, path in (("192.0.2.3", "/api/pictures"), ("192.0.2.1", "/")):
        codes = [client.post(path, {}, REMOTE_ADDR=address).status_code for _ in range(3)]
        assert codes == [400, 400, 429]
    assert client.post("/", {}, REMOTE_ADDR="192.0.2.2").status_code == 400
    page = client.post("/", {}, REMOTE_ADDR="192.0.2.1")
    assert "One at a time" in page.content.decode()
    assert int(page.headers["Retry-After"]) > 0


def test_an_ipv6_visitor_counts_by_his_network(client, settings):
    settings.UPLOAD_RATE = (1, 60)
    assert client.post("/", {}, REMOTE_ADDR="2001:db8::1").status_code == 400
    assert client.post("/", {}, REMOTE_ADDR="2001:db8::ffff").status_code == 429
    assert client.post("/", {}, REMOTE_ADDR="2001:db8:0:1::1").status_code == 400


def test_reading_goes_on_when_nothing_can_be_counted(client, settings, monkeypatch):
    settings.UPLOAD_RATE = settings.FETCH_RATE = (1, 60)

    def fail(*args):
        raise OperationalError("read-only")

    monkeypatch.setattr(Count, "add", fail)
    assert client.get("/mustachify?src=http://10.0.0.1/").status_code == 403
    response = client.post("/", {})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "10"
