"""The ladder's client must notice everything that can go wrong."""

import time
from itertools import count

import pytest

from tests.ladder.client import Client, Pace, Traffic, open_site
from tests.ladder.log import FAILED, OK, READ, REFUSED, WRITE
from tests.unit.ladder.fake import FakeSite


@pytest.fixture
def fake():
    fake = FakeSite()
    yield fake
    fake.close()


@pytest.fixture
def client(fake):
    client = Client(open_site(fake.url))
    yield client
    fake.fault = lambda method, path: None
    client.clean_up()


def last(client):
    return client.log.between()[-1]


def test_all_is_well(client):
    owner = client.start_session()
    upload = client.upload()
    client.read_original(upload)
    client.read_mustached(upload)
    client.read_page("/gallery")
    assert client.read_own(owner)
    assert {request.outcome for request in client.log.between()} == {OK}
    assert client.lost() == []


@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [
        ("drop", FAILED, None),
        ("refuse", REFUSED, 503),
        ("unavailable", FAILED, 503),
        ("error", FAILED, 500),
    ],
)
def test_a_write_that_is_not_taken_is_not_acknowledged(fake, client, fault, outcome, status):
    fake.fault = lambda method, path: fault
    assert client.upload() is None
    assert (last(client).kind, last(client).outcome, last(client).status) == (
        WRITE,
        outcome,
        status,
    )
    assert last(client).detail or outcome == REFUSED
    assert client.uploads == []


@pytest.mark.parametrize("fault", ["drop", "refuse", "unavailable", "error"])
def test_a_read_that_is_not_served_is_noticed(fake, client, fault):
    fake.fault = lambda method, path: fault
    client.read_page("/")
    assert last(client).kind == READ
    assert last(client).outcome == (REFUSED if fault == "refuse" else FAILED)


def test_a_lost_upload_is_noticed(fake, client):
    client.upload()
    fake.fault = lambda method, path: "lose"
    lost = client.upload()
    fake.fault = lambda method, path: None
    assert client.lost() == [f"upload {lost.id} is gone (404)"]


def test_other_bytes_are_noticed_while_reading_and_at_the_end(fake, client):
    upload = client.upload()
    fake.fault = lambda method, path: "corrupt"
    client.read_original(upload)
    assert last(client).detail == f"wrong bytes of {upload.id}"
    assert last(client).outcome == FAILED
    assert client.lost() == [f"upload {upload.id} has other bytes"]


def test_bytes_that_are_gone_are_noticed(fake, client):
    upload = client.upload()
    fake.fault = lambda method, path: "error" if path.startswith("/media/") else None
    assert client.lost() == [f"upload {upload.id} has no bytes (500)"]


def test_one_that_was_worked_on_twice_is_noticed(fake, client):
    fake.pictures["old"] = b"of somebody else"
    for fault in (None, "twice", "drop", None):
        fake.fault = lambda method, path, fault=fault: fault
        client.upload()
    assert client.lost() == []
    assert client.twice() == ["an upload is there 2 times"]


def test_one_that_nobody_answered_may_be_there_once(fake, client):
    uploads = [client.upload() for _ in range(3)]
    client.sent.add("of one that is not there")
    assert client.twice() == []
    client.uploads.clear()
    assert client.twice() == []
    fake.fault = lambda method, path: "error"
    assert client.twice() == ["the gallery cannot be read (500)"]
    assert len(uploads) == 3


def test_a_forgotten_session_is_noticed(fake, client):
    owner = client.start_session()
    fake.fault = lambda method, path: "forget"
    assert not client.read_own(owner)
    assert last(client).detail == "session forgotten"
    assert client.lost() == ["visitor 1 is not remembered (200)"]


def test_a_site_that_refuses_the_first_pictures_ends_it(fake, client):
    fake.fault = lambda method, path: "refuse" if path == "/api/pictures" else None
    with pytest.raises(RuntimeError, match="picture 1 of 2: 503"):
        client.settle(pictures=2, visitors=1, per_second=100)


def test_everything_brought_is_taken_away(fake, client):
    client.settle(pictures=3, visitors=2, per_second=200)
    assert len(fake.pictures) == 5
    client.clean_up()
    assert fake.pictures == {}


def test_traffic_reads_and_writes_until_it_is_stopped(fake, client):
    numbers = count()
    fake.fault = lambda method, path: "refuse" if next(numbers) % 7 == 3 else None
    traffic = Traffic(client, reads_per_second=100, writes_per_second=50)
    traffic.start()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        seen = {(request.kind, request.outcome) for request in client.log.between()}
        if seen == {(READ, OK), (READ, REFUSED), (WRITE, OK), (WRITE, REFUSED)}:
            break
        time.sleep(0.01)
    else:
        raise AssertionError(f"only {seen}")
    traffic.stop()
    requests = len(client.log.between())
    time.sleep(0.1)
    assert len(client.log.between()) == requests


def test_the_pace_does_not_make_up_for_lost_time():
    pace = Pace(10)
    assert pace.next() == 0
    assert 0.05 < pace.next() <= 0.1
    time.sleep(0.5)
    assert pace.next() == 0
    assert pace.next() > 0.05
