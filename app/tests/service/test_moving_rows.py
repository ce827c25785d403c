"""Records from the database to DynamoDB and back, with what happens meanwhile."""

import fcntl
import io
import json

import pytest
from django.core.management import CommandError, call_command
from service import dynamodb as words
from service.errors import StoreUnavailable
from service.pictures.records import moving, records
from service.pictures.records.dynamodb import DynamoRecords
from service.pictures.records.frozen import Frozen
from service.pictures.records.sql import SqlRecords
from tests.service.test_records import add, original, result

pytestmark = pytest.mark.django_db

STORES = {"database": SqlRecords, "dynamodb": DynamoRecords}


@pytest.fixture(params=["dynamodb", "database"])
def ways(request, settings, dynamodb):
    """The source, the target and its name."""
    [source] = STORES.keys() - {request.param}
    settings.ROWS = source
    return STORES[source](), STORES[request.param](), request.param


def fill(store) -> list:
    """Three originals, with results that several, one and none show."""
    made = [add(store), add(store, listed=False, owner_hash="o" * 64)]
    made += [add(store, result(of=original(letter * 64)), owner_hash="o" * 64) for letter in "bc"]
    made += [store.show(made[-1].public_id, chevron := result("chevron", original("c" * 64)),
                        chevron.files)]  # fmt: skip
    return [*made[:-2], made[-1]]


def command(name: str, *arguments: str) -> dict:
    out = io.StringIO()
    call_command(name, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def same(one, other) -> bool:
    assert list(one.pictures()) == list(other.pictures())
    assert list(one.originals()) == list(other.originals())
    assert one.gallery(None, 9) == other.gallery(None, 9)
    assert one.owned("o" * 64, None, 9) == other.owned("o" * 64, None, 9)
    return True


def test_everything_is_there_and_works_on(ways):
    source, target, to = ways
    made = fill(source)
    assert command("move_rows", "--to", to)["seen"] == 4
    assert same(source, target)
    said = command("compare_rows")
    assert said["different"] == 0
    assert said["database"] == said["dynamodb"]
    assert said["database"]["pictures"] == 4
    assert said["database"]["originals"] == 3
    # Counts too: each store frees the same.
    for picture in made:
        assert source.remove(picture.public_id) == target.remove(picture.public_id)
    assert not list(target.originals())


def test_a_second_run_brings_what_changed(ways):
    source, target, to = ways
    made = fill(source)
    command("move_rows", "--to", to)
    again = command("move_rows", "--to", to)
    assert again.pop("records") == command("compare_rows")["database"]
    assert again | {"seconds": 0} == {
        "to": to, "frozen": False, "seconds": 0, "seen": 4, "written": 0, "deleted": 0,
        "different": 0,
    }  # fmt: skip
    source.remove(made[2].public_id)
    source.set_listed(made[0].public_id, False)
    source.show(made[1].public_id, pencil := result("pencil"), pencil.files)
    added = add(source, owner_hash="o" * 64)
    with pytest.raises(CommandError, match="differ"):
        command("compare_rows")
    command("move_rows", "--to", to)
    assert same(source, target)
    assert command("compare_rows")["different"] == 0
    assert target.get(added.public_id) == added
    assert target.get(made[2].public_id) is None


def test_a_run_that_was_cut_goes_on(ways, monkeypatch):
    source, target, to = ways
    fill(source)
    with monkeypatch.context() as patch:
        patch.setattr(moving, "BATCH", 1)
        left = iter([None])
        name = "write_many" if to == "dynamodb" else "transact"

        def cut(table, writes):
            writes = list(writes)
            write(table, writes[: len(writes) // 2])
            raise StoreUnavailable("cut")

        def cut_rows(self, bundle):
            next(left, StoreUnavailable) is None or (_ for _ in ()).throw(StoreUnavailable("cut"))
            insert(self, bundle)

        write, insert = words.write_many, moving.Copy.insert
        if name == "write_many":
            patch.setattr(words, "write_many", cut)
        else:
            patch.setattr(moving.Copy, "insert", cut_rows)
        with pytest.raises(CommandError, match="goes on from here"):
            command("move_rows", "--to", to)
    assert 0 < len(list(target.originals())) + len(list(target.pictures())) < 7
    command("move_rows", "--to", to)
    assert same(source, target)
    assert command("compare_rows")["different"] == 0


@pytest.mark.parametrize("lost", ["count", "index", "picture"])
def test_comparing_sees_what_only_dynamodb_has(settings, dynamodb, lost):
    settings.ROWS = "database"
    made = fill(SqlRecords())
    command("move_rows", "--to", "dynamodb")
    if lost == "count":
        key = {"pk": {"S": f"original#{'a' * 64}"}, "sk": {"S": "result#walrus"}}
        item = dynamodb.get_item(TableName="rows", Key=key)["Item"]
        dynamodb.put_item(TableName="rows", Item=item | {"shown_by": {"N": "7"}})
    elif lost == "index":
        key = {"pk": {"S": "gallery"}, "sk": {"S": made[0].id.hex}}
        dynamodb.delete_item(TableName="rows", Key=key)
    else:
        key = {"pk": {"S": f"picture#{made[0].public_id}"}, "sk": {"S": "picture"}}
        dynamodb.delete_item(TableName="rows", Key=key)
    with pytest.raises(CommandError, match="1 records differ"):
        command("compare_rows")
    command("move_rows", "--to", "dynamodb")
    assert command("compare_rows")["different"] == 0


def test_what_did_not_come_through_is_seen(ways, monkeypatch):
    source, _, to = ways
    fill(source)
    write, insert = words.write_many, moving.Copy.insert
    monkeypatch.setattr(words, "write_many", lambda table, all: write(table, list(all)[1:]))
    monkeypatch.setattr(moving.Copy, "insert", lambda self, bundle: (
        insert(self, bundle) if bundle.original.sha256[0] != "b" else None
    ))  # fmt: skip
    with pytest.raises(CommandError, match="1 records differ"):
        command("move_rows", "--to", to)


def test_a_file_freezes_the_store_that_it_names_when_writes_have_ended(
    settings, client, face, monkeypatch, tmp_path
):
    freezer = tmp_path / "frozen"
    freezer.touch()
    settings.ROWS_FREEZER = freezer
    freezable = records._setupfunc()
    monkeypatch.setattr(records, "_wrapped", freezable)
    made = add(freezable)
    freezer.write_text("dynamodb")
    freezable.set_listed(made.public_id, False)

    freezer.write_text("database")
    assert freezable.get(made.public_id).listed is False
    refused = client.post("/api/pictures", {"image": io.BytesIO(face), "style": "walrus"})
    assert refused.status_code == 503
    with pytest.raises(StoreUnavailable, match="being moved"):
        freezable.remove(made.public_id)

    freezer.write_text("")
    with freezer.open() as other, freezable.writing(), pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with freezer.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    freezer.unlink()
    with pytest.raises(StoreUnavailable, match="ROWS_FREEZER"):
        freezable.sweep()


def test_nothing_is_made_what_it_is_itself(dynamodb, settings):
    with pytest.raises(CommandError, match="in use"):
        command("move_rows", "--to", settings.ROWS)
    settings.ROWS_TABLE = ""
    with pytest.raises(CommandError, match="ROWS_TABLE is empty"):
        command("move_rows", "--to", "dynamodb")


def test_frozen_records_are_read_and_not_changed(settings, client, face, monkeypatch):
    made = add(SqlRecords())
    settings.ROWS_FROZEN = True
    frozen = records._setupfunc()
    assert isinstance(frozen, Frozen)
    monkeypatch.setattr(records, "_wrapped", frozen)
    assert frozen.get(made.public_id) == made
    assert client.get(f"/p/{made.public_id}").status_code == 200
    refused = client.post("/api/pictures", {"image": io.BytesIO(face), "style": "walrus"})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    for write in (frozen.sweep, lambda: frozen.remove(made.public_id)):
        with pytest.raises(StoreUnavailable):
            write()
    assert SqlRecords().get(made.public_id) == made
