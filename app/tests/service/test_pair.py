"""Two stores at once, while pictures move."""

import io
from datetime import timedelta
from typing import ClassVar

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, default_storage, storages
from django.core.management import call_command
from service.errors import StoreUnavailable
from service.pictures import files, marks, pair, stores, sweeping, uploads
from service.pictures.records import records

pytestmark = pytest.mark.django_db
NAME = f"{'0' * 64}/original-0123.jpg"


class Moody(InMemoryStorage):
    """A store that fails while `fails` says how. What has the same name is the same."""

    known: ClassVar[dict[str, dict]] = {}

    def __init__(self, name: str):
        super().__init__()
        self.fails: Exception | None = None
        self.asked = 0
        self.__dict__ = self.known.setdefault(name, self.__dict__)

    def answer(self, method: str, *arguments):
        self.asked += 1
        if self.fails:
            raise self.fails
        return getattr(super(), method)(*arguments)

    def _open(self, *arguments):
        return self.answer("_open", *arguments)

    def _save(self, *arguments):
        return self.answer("_save", *arguments)

    def delete(self, name):
        return self.answer("delete", name)

    def exists(self, name):
        return self.answer("exists", name)


AWAY = ConnectionResetError("no route to the store")


@pytest.fixture(autouse=True, params=["database", "s3"])
def first(request, settings, use_stores) -> str:
    Moody.known.clear()
    settings.PICTURE_STORES = {
        name: {"BACKEND": f"{__name__}.Moody", "OPTIONS": {"name": name}}
        for name in ("database", "s3")
    }
    settings.STORAGES = settings.STORAGES | settings.PICTURE_STORES
    use_stores(request.param, "s3" if request.param == "database" else "database")
    return request.param


@pytest.fixture
def one(first) -> Moody:
    """The store that reads ask first."""
    return storages[first]


@pytest.fixture
def other(first) -> Moody:
    return storages["s3" if first == "database" else "database"]


def held(store) -> set[str]:
    return {name for _, found in stores.walk(store) for name in found}


def test_what_is_new_goes_to_both(face, client, one, other):
    picture, _ = uploads.create(face, "walrus")
    needed = picture.result.files | picture.result.original.files
    assert held(one) == held(other) == needed
    assert stores.fetch(one, needed) == stores.fetch(other, needed)
    uploads.delete(picture.public_id)
    assert not held(one)
    assert not held(other)


def test_reads_fall_back_to_the_second(client, one, other):
    other.save(NAME, ContentFile(b"only here"))
    answer = client.get(files.url(NAME))
    assert answer.content == b"only here"
    assert client.get(files.url(NAME), headers={"Range": "bytes=5-"}).content == b"here"
    one.save(NAME, ContentFile(b"preferred"))
    assert client.get(files.url(NAME)).content == b"preferred"
    assert client.get(files.url(NAME.replace("original", "missing"))).status_code == 404


def test_what_was_deleted_is_not_read_where_it_was_left(client, one, other):
    files.put({NAME: b"bytes"})
    other.fails = AWAY
    with pytest.raises(StoreUnavailable):
        files.delete([NAME])
    assert not held(one)
    other.fails = None
    assert held(other) == {NAME}
    assert client.get(files.url(NAME)).status_code == 404
    # Nor while the first one is away.
    one.fails = AWAY
    assert client.get(files.url(NAME)).status_code == 404


@pytest.mark.parametrize("away", ["one", "other"])
def test_a_deletion_takes_it_from_whoever_answers(away, one, other):
    files.put({NAME: b"bytes"})
    broken, sound = (one, other) if away == "one" else (other, one)
    broken.fails = AWAY
    with pytest.raises(StoreUnavailable):
        files.delete([NAME])
    assert not held(sound)
    broken.fails = None
    sweep()
    assert not held(broken)


def sweep() -> None:
    call_command("sweep", stdout=io.StringIO())


def test_reads_do_without_the_first_for_a_while(client, one, other, monkeypatch):
    files.put({NAME: b"bytes"})
    one.fails = AWAY
    assert client.get(files.url(NAME)).content == b"bytes"
    asked = one.asked
    assert client.get(files.url(NAME)).content == b"bytes"
    assert one.asked == asked  # a store that is away keeps nobody waiting twice
    monkeypatch.setattr(pair, "AVOIDED_SECONDS", -1)
    default_storage.avoided.clear()
    client.get(files.url(NAME))
    assert one.asked > asked


def test_one_that_is_away_may_have_what_the_other_has_not(client, one, other):
    one.fails = AWAY
    assert client.get(files.url(NAME)).status_code == 503
    other.fails = AWAY
    one.fails = None
    assert client.get(files.url(NAME)).status_code == 503


@pytest.mark.parametrize("away", ["one", "other"])
def test_an_upload_needs_both_and_leaves_nothing(away, one, other):
    broken, sound = (one, other) if away == "one" else (other, one)
    broken.fails = AWAY
    with pytest.raises(StoreUnavailable):
        files.put({NAME: b"bytes"})
    assert not held(sound)
    broken.fails = None
    assert not held(broken)


def test_ready_only_with_both(client, one, other):
    assert client.get("/readyz").json()["degraded"] == {}
    other.fails = AWAY
    assert client.get("/readyz").json()["degraded"] == {"pictures": "ConnectionResetError"}


def test_sweeping_sees_both(face, one, other, monkeypatch):
    picture, _ = uploads.create(face, "walrus")
    needed = held(one)
    one.save(NAME, ContentFile(b"left behind"))
    other.save(NAME.replace("original", "other"), ContentFile(b"left behind"))
    monkeypatch.setattr(sweeping, "GRACE", timedelta(0))
    sweep()
    assert held(one) == held(other) == needed
    records.remove(picture.public_id)  # and then it died
    sweep()
    assert not held(one)
    assert not held(other)


def test_sweeping_reaches_a_store_that_is_not_in_use(face, first, one, other, use_stores):
    picture, _ = uploads.create(face, "walrus")
    use_stores(first)
    uploads.delete(picture.public_id)
    assert not held(one)
    assert len(held(other)) == 3
    sweep()
    assert not held(other)


def test_marks_stay_while_a_store_does_not_answer(first, other, use_stores, monkeypatch, caplog):
    files.put({NAME: b"bytes"})
    use_stores(first)
    files.delete([NAME])
    monkeypatch.setattr(marks, "LAST", timedelta(0))
    other.fails = AWAY
    sweep()
    assert "may still be in the store" in caplog.text
    assert marks.among([NAME]) == {NAME}
    other.fails = None
    sweep()
    assert not marks.among([NAME])
    assert not held(other)


def test_what_waits_may_come_again(one, other):
    for data in (b"first", b"second"):
        files.delete(["incoming/a"])
        files.put({"incoming/a": data})
        assert files.read("incoming/a") == data
    assert files.waiting() == ["incoming/a"]
    one.delete("incoming/a")
    assert files.waiting() == ["incoming/a"]
    assert files.read("incoming/a") == b"second"
