"""What every keeper of records holds to, and that the service asks for nothing besides."""

import io
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import RFC_4122

import pytest
from django.core.management import call_command
from service.pictures import files, uploads
from service.pictures.records import Original, Picture, Result, Vanished, records
from service.pictures.records.ids import new_public_id, uuid7, uuid7_of
from tests.service.memory_records import MemoryRecords

pytestmark = pytest.mark.django_db

KEEPERS = [
    "service.pictures.records.sql.SqlRecords",
    "service.pictures.records.dynamodb.DynamoRecords",
    "tests.service.memory_records.MemoryRecords",
]
NOBODY = frozenset()


@pytest.fixture(params=KEEPERS, ids=lambda path: path.rpartition(".")[2])
def keeper(request, settings, monkeypatch):
    settings.RECORDS = request.param
    if "Dynamo" in request.param:
        request.getfixturevalue("dynamodb")
    monkeypatch.setattr(records, "_wrapped", records._setupfunc())
    return records


def original(sha256: str = "a" * 64, token: str = "1") -> Original:
    name = f"{sha256}/original-{token}.jpg"
    return Original(sha256, name, name, "image/jpeg", 1000)


def result(style: str = "walrus", of: Original | None = None, token: str = "1") -> Result:
    of = of or original()
    name = f"{of.sha256}/{style}-{token}"
    faces = [{"box": [1.0, 2.0, 3.0, 4.0]}]
    return Result(of, style, f"{name}.jpg", f"{name}.jpg", f"{name}-thumbnail.jpg", "image/jpeg",
                  640, 480, faces)  # fmt: skip


def picture(shows: Result | None = None, **about) -> Picture:
    about = {"listed": True, "owner_hash": "", "token_hash": "t" * 64} | about
    now = datetime.now(UTC)
    return Picture(uuid7(), new_public_id(), shows or result(), created=now, **about)


def brought(shows: Result) -> frozenset[str]:
    return shows.files | shows.original.files


def add(keeper, shows: Result | None = None, **about) -> Picture:
    shows = shows or result()
    return keeper.add(picture(shows, **about), brought(shows))


def test_a_picture_comes_back_as_it_was_saved(keeper):
    saved = add(keeper, owner_hash="o" * 64, listed=False)
    assert keeper.get(saved.public_id) == saved
    assert keeper.result("a" * 64, "walrus") == saved.result
    assert keeper.original("a" * 64) == saved.result.original
    assert list(keeper.pictures()) == [saved]
    assert list(keeper.originals()) == [(saved.result.original, [saved.result])]


def test_what_is_not_there(keeper):
    assert keeper.get("nobody") is None
    assert keeper.result("b" * 64, "walrus") is None
    assert keeper.original("b" * 64) is None
    assert keeper.remove("nobody") is None
    assert keeper.show("nobody", result(), brought(result())) is None
    assert keeper.files("b" * 64) == NOBODY
    keeper.set_listed("nobody", True)
    assert not list(keeper.pictures())
    assert not list(keeper.originals())


def test_rows_that_are_there_win(keeper):
    first = add(keeper)
    late = result(of=original(token="2"), token="2")
    assert add(keeper, late).result == first.result
    other = add(keeper, result("chevron", original(token="2")))
    assert other.result.original == first.result.original
    assert keeper.files("a" * 64) == brought(first.result) | other.result.files


def test_nothing_is_saved_whose_files_are_not_brought(keeper):
    for files_of in (NOBODY, result().files, original().files):
        with pytest.raises(Vanished):
            keeper.add(picture(), files_of)
    assert not list(keeper.pictures())
    assert not list(keeper.originals())
    first = add(keeper)
    with pytest.raises(Vanished):
        keeper.show(first.public_id, result("chevron"), NOBODY)
    assert keeper.get(first.public_id) == first
    # What is there needs no files.
    assert keeper.add(picture(), NOBODY).result == first.result


def test_showing_another_style(keeper):
    first = add(keeper)
    other = add(keeper)
    shown = keeper.show(first.public_id, result("chevron"), result("chevron").files)
    assert shown == replace(first, result=result("chevron"))
    assert keeper.get(first.public_id) == shown
    assert keeper.get(other.public_id) == other
    # Until something is removed, going back costs nothing.
    assert keeper.show(other.public_id, result("chevron"), NOBODY).result == shown.result
    assert keeper.show(other.public_id, result("walrus"), NOBODY) == other


def test_removing_frees_what_nobody_shows(keeper):
    first, second = add(keeper), add(keeper)
    third = add(keeper, result("chevron"))
    keeper.show(second.public_id, result("pencil"), result("pencil").files)
    assert keeper.remove(first.public_id) == result("walrus").files
    assert keeper.get(first.public_id) is None
    assert keeper.remove(first.public_id) is None
    assert keeper.remove(second.public_id) == result("pencil").files
    assert keeper.remove(third.public_id) == brought(result("chevron"))
    assert keeper.original("a" * 64) is None
    assert keeper.files("a" * 64) == NOBODY


def test_removing_touches_no_other_original(keeper):
    other = add(keeper, result(of=original("b" * 64)))
    keeper.remove(add(keeper).public_id)
    assert keeper.get(other.public_id) == other
    assert keeper.files("b" * 64) == brought(other.result)


def test_sweeping_takes_what_nobody_shows(keeper):
    first = add(keeper)
    assert keeper.sweep() == NOBODY
    keeper.show(first.public_id, result("chevron"), result("chevron").files)
    assert keeper.sweep() == result("walrus").files
    assert keeper.sweep() == NOBODY
    assert keeper.result("a" * 64, "walrus") is None
    assert keeper.get(first.public_id).result == result("chevron")


def all_of(find) -> list[str]:
    ids, after = [], None
    while True:
        page = find(after, 2)
        ids += [found.public_id for found in page.pictures]
        assert len(page.pictures) <= 2
        after = page.last
        if after is None:
            return ids


def test_pages_go_newest_first_through_all_that_is_shown(keeper):
    made = [add(keeper, owner_hash="ab"[number % 2] * 64).public_id for number in range(5)]
    hidden = add(keeper, listed=False, owner_hash="a" * 64)
    assert all_of(keeper.gallery) == made[::-1]
    mine = all_of(lambda after, size: keeper.owned("a" * 64, after, size))
    assert mine == [hidden.public_id, *made[::-1][0::2]]
    keeper.set_listed(made[3], False)
    keeper.set_listed(hidden.public_id, True)
    keeper.remove(made[1])
    assert all_of(keeper.gallery) == [hidden.public_id, made[4], made[2], made[0]]


def test_a_page_stays_where_it_was_when_newer_pictures_come(keeper):
    made = [add(keeper).public_id for _ in range(4)]
    first = keeper.gallery(None, 2)
    add(keeper)
    keeper.remove(first.pictures[-1].public_id)
    second = keeper.gallery(first.last, 2)
    assert [found.public_id for found in second.pictures] == made[1::-1]


def test_ids_sort_by_time():
    before = time.time()
    made = [uuid7() for _ in range(1000)]
    assert made == sorted(set(made))
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert before - 1 < (made[0].int >> 80) / 1000 < time.time() + 1
    old = [uuid7_of(5, 7), uuid7_of(5, 8), uuid7_of(5, 1 << 63), uuid7_of(6, 0), made[0]]
    assert old == sorted(old)


def test_ids_sort_when_the_clock_goes_back(monkeypatch):
    first = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert first < uuid7() < uuid7()


def visit(client, face) -> None:
    """With a session, and counted."""
    client.post("/", {"image": io.BytesIO(face), "style": "walrus"})
    [mine] = set(re.findall(r"/p/[\w-]{16}", client.get("/mine").content.decode()))
    assert client.post(f"{mine}/delete").status_code == 303
    assert mine not in client.get("/mine").content.decode()


@pytest.mark.parametrize("kept", ["memory", "dynamodb"])
def test_the_whole_service_works_on_any_records(
    request, kept, settings, monkeypatch, client, face, stored, django_assert_num_queries
):
    """No view, no command reaches past the protocol: the database is not even asked."""
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    }
    settings.PICTURE_STORES = {}
    monkeypatch.setattr(records, "_wrapped", MemoryRecords())
    if kept == "dynamodb":
        request.getfixturevalue("dynamodb")
        settings.SESSION_STORE = settings.COUNTERS = "dynamodb"
        settings.UPLOAD_RATE = (100, 60)
        settings.RECORDS = settings.RECORDS_STORES["dynamodb"]
        monkeypatch.setattr(records, "_wrapped", records._setupfunc())
    with django_assert_num_queries(0):
        if kept == "dynamodb":
            visit(client, face)
        made, token = uploads.create(face, "walrus", owner="me")
        again, _ = uploads.create(face, "walrus")
        path = made.get_absolute_url()
        pages = ["/", "/gallery", path, "/api/pictures", f"/api/pictures/{made.public_id}"]
        for page in (*pages, files.url(made.result.file)):
            assert client.get(page).status_code == 200, page
        listed = client.get("/api/pictures?limit=1").json()
        assert [found["id"] for found in listed["pictures"]] == [again.public_id]
        older = client.get(f"/api/pictures?cursor={listed['next']}").json()
        assert [found["id"] for found in older["pictures"]] == [made.public_id]
        uploads.restyle(made, "chevron")
        assert re.search("Chevron", client.get(path).content.decode())
        out = io.StringIO()
        call_command("pictures_checksum", stdout=out)
        assert json.loads(out.getvalue())["count"] == 2
        call_command("sweep", stdout=io.StringIO())
        call_command("takedown", again.public_id, stdout=io.StringIO())
        deleted = client.delete(
            f"/api/pictures/{made.public_id}", headers={"Authorization": f"Bearer {token}"}
        )
        assert deleted.status_code == 204
    assert not stored()
