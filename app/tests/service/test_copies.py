"""Copies of what pages read: a warm page asks the database nothing, a change is seen at once."""

import re
from dataclasses import fields, replace

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from service import copies, environment
from service.pictures import files, uploads
from service.pictures.records import copied, records
from service.pictures.records.sql import SqlRecords
from tests.service.conftest import free_port, use_cache

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def picture(face):
    return uploads.create(face, "walrus", owner="a secret")[0]


@pytest.fixture(params=["dynamodb", "elasticache"])
def visitor(request, settings, valkey, picture) -> Client:
    """Who owns the picture. His session is not in the database, or is a copy."""
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
    settings.SESSION_STORE = request.param
    client = Client()
    session = client.session
    session["owner"] = "a secret"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


def gallery(client) -> list[str]:
    return re.findall(r'href="/p/([\w-]{16})"', client.get("/gallery").content.decode())


def test_warm_pages_ask_the_database_nothing(visitor, picture, django_assert_num_queries):
    for client in (visitor, Client()):
        pages = ["/", "/gallery", f"/p/{picture.public_id}"]
        pages += ["/api/pictures", f"/api/pictures/{picture.public_id}"]
        cold = [client.get(page).content for page in pages]
        with django_assert_num_queries(0):
            warm = [client.get(page) for page in pages]
        assert [answer.status_code for answer in warm] == [200] * 5
        for before, after in zip(cold, warm, strict=True):
            assert without_token(after.content) == without_token(before)


def without_token(page: bytes) -> bytes:
    return re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", page)


def test_what_is_one_visitors_is_no_others(visitor, picture):
    """Whoever comes first, the copies are what both see."""
    address = f"/p/{picture.public_id}"
    for client, own in ((visitor, True), (Client(), False), (visitor, True), (Client(), False)):
        assert (b"Delete for good" in client.get(address).content) is own
    assert picture.public_id.encode() in visitor.get("/mine").content
    assert picture.public_id.encode() not in Client().get("/mine").content


def test_nothing_secret_is_in_the_cache(visitor, picture, valkey):
    for page in ("/", "/mine", "/gallery", f"/p/{picture.public_id}"):
        visitor.get(page)
    key = visitor.cookies["mustache_session"].value
    with valkey.client() as client:
        names = client.keys("*")
        assert len(names) >= 3
        everything = b" ".join([*names, *client.mget(names)])
    assert key.encode() not in everything
    assert not [name for name in names if b"mine" in name or b"owned" in name]


def test_a_copy_is_what_was_saved(valkey, picture):
    for _ in range(2):
        assert records.get(picture.public_id) == picture
        assert records.gallery(None, 5).pictures == [picture]
        assert records.gallery(None, 5).last is None
    uploads.create(files.read(picture.result.original.file), "dali")
    for _ in range(2):
        assert records.gallery(None, 1).last == records.gallery(None, 1).pictures[0].id


def test_every_change_is_seen_at_once(valkey, picture, face):
    client, address = Client(), f"/p/{picture.public_id}"
    assert gallery(client) == [picture.public_id]
    assert b"Walrus" in client.get(address).content
    second, _ = uploads.create(face, "dali")
    assert gallery(client) == [second.public_id, picture.public_id]
    uploads.restyle(picture, "chevron")
    assert b"Chevron" in client.get(address).content
    assert b"Chevron" in client.get("/gallery").content
    records.set_listed(second.public_id, False)
    assert gallery(client) == [picture.public_id]
    uploads.delete(picture.public_id)
    assert gallery(client) == []
    assert client.get(address).status_code == 404
    assert client.get("/").context["latest"] == []


def test_a_picture_that_was_not_there_is_seen_once_it_is(valkey, picture):
    new = replace(picture, public_id="0" * 16, id=copied.UUID(int=picture.id.int + 1))
    assert records.get(new.public_id) is None
    records.add(new, frozenset())
    assert records.get(new.public_id) == new


def test_only_what_changes_is_read_again(valkey, picture, face, django_assert_num_queries):
    unlisted, _ = uploads.create(face, "dali", listed=False)
    for client in (Client(),) * 2:
        client.get("/gallery"), client.get(f"/p/{picture.public_id}")
    uploads.create(face, "english", listed=False)
    uploads.restyle(unlisted, "chevron")
    with django_assert_num_queries(0):
        Client().get("/gallery")
        Client().get(f"/p/{picture.public_id}")
    uploads.create(face, "english")
    with django_assert_num_queries(0):
        Client().get(f"/p/{picture.public_id}")
    with django_assert_num_queries(1):
        Client().get("/gallery")


def test_an_operator_who_hides_a_picture(valkey, picture, client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    assert gallery(Client()) == [picture.public_id]
    row = picture_row(picture)
    answer = client.post(f"/admin/pictures/picture/{row.pk}/change/", {})
    assert answer.status_code == 302
    assert gallery(Client()) == []
    client.post(f"/admin/pictures/picture/{row.pk}/delete/", {"post": "yes"})
    assert Client().get(f"/p/{picture.public_id}").status_code == 404


def picture_row(picture):
    from service.pictures.models import Picture

    return Picture.objects.get(public_id=picture.public_id)


def test_a_reader_slower_than_a_writer_leaves_nothing_wrong(valkey, picture, monkeypatch):
    read = SqlRecords.get

    def slow(self, public_id):
        found = read(self, public_id)
        monkeypatch.undo()
        uploads.restyle(picture, "chevron")  # between reading and keeping the copy
        return found

    monkeypatch.setattr(SqlRecords, "get", slow)
    assert records.get(picture.public_id).result.style == "walrus"
    assert records.get(picture.public_id).result.style == "chevron"


def test_what_is_rolled_back_was_never_so(valkey, picture):
    records.get(picture.public_id)
    with transaction.atomic():
        records.set_listed(picture.public_id, False)
        assert records.get(picture.public_id).listed is True  # as others see it
        transaction.set_rollback(True)
    assert records.get(picture.public_id).listed is True


def test_a_change_in_a_transaction_is_seen_after_the_commit(valkey, picture):
    records.get(picture.public_id)
    with transaction.atomic():
        records.set_listed(picture.public_id, False)
    assert records.get(picture.public_id).listed is False


def test_a_change_that_fails_may_have_happened(valkey, picture, monkeypatch):
    """The connection was lost as the database committed."""
    hide = SqlRecords.set_listed

    def lost(self, public_id, listed):
        hide(self, public_id, listed)
        raise ConnectionError

    records.get(picture.public_id)
    monkeypatch.setattr(SqlRecords, "set_listed", lost)
    with pytest.raises(ConnectionError):
        records.set_listed(picture.public_id, False)
    assert records.get(picture.public_id).listed is False


def test_copies_and_marks_end(valkey, picture):
    Client().get("/gallery")
    uploads.restyle(picture, "chevron")
    with valkey.client() as client:
        lasting = {name.decode(): client.ttl(name) for name in client.keys("*")}
    assert len(lasting) == 3
    for name, seconds in lasting.items():
        longest = copies.MARKS_LAST if "mark:" in name else copies.SECONDS
        assert longest - 10 < seconds <= longest
    assert copies.MARKS_LAST > 2 * copies.SECONDS


def test_a_release_with_other_columns_has_other_copies(valkey, picture, monkeypatch):
    """But hears of the changes of this one."""
    records.get(picture.public_id)
    monkeypatch.setattr(copied, "FORMAT", "another")
    assert records.get(picture.public_id).result.style == "walrus"
    monkeypatch.undo()
    uploads.restyle(picture, "chevron")
    monkeypatch.setattr(copied, "FORMAT", "another")
    assert records.get(picture.public_id).result.style == "chevron"


def test_the_format_is_that_of_the_columns():
    assert len(fields(copied.Picture)) == 7  # id, created and result are packed by hand
    assert re.fullmatch("[0-9a-f]{8}", copied.FORMAT)


@pytest.mark.parametrize("url", ["db://cache", "locmem://"])
def test_without_a_shared_cache_there_are_no_copies(settings, monkeypatch, picture, url):
    monkeypatch.setenv("CACHE_URL", url)
    settings.CACHES = {"default": environment.cache("CACHE_URL", "")}
    assert not copies.are_kept()
    records.get(picture.public_id)
    uploads.restyle(picture, "chevron")
    assert records.get(picture.public_id).result.style == "chevron"


def test_a_dead_cache_is_only_slower(settings, face):
    with use_cache(settings, f"redis://127.0.0.1:{free_port()}/0"):
        made, _ = uploads.create(face, "walrus")
        uploads.restyle(made, "chevron")
        for page in ("/", "/gallery", f"/p/{made.public_id}"):
            assert b"Chevron" in Client().get(page).content
        uploads.delete(made.public_id)
        assert gallery(Client()) == []
