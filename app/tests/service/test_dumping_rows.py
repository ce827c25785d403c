"""Records as a file, from each store into each."""

import gzip
import io
import json
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from service.pictures.records import dumping
from service.pictures.records.moving import SOURCES
from tests.service.test_moving_rows import STORES, fill, same

pytestmark = pytest.mark.django_db


@pytest.fixture
def dumped(settings, monkeypatch):
    """The bytes that dump_rows writes."""

    def dump(rows: str) -> bytes:
        out = io.BytesIO()
        settings.ROWS = rows
        monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
        call_command("dump_rows", stderr=io.StringIO())
        return out.getvalue()

    return dump


@pytest.fixture
def restored(settings, monkeypatch):
    def restore(rows: str, data: bytes) -> str:
        out = io.StringIO()
        settings.ROWS = rows
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        call_command("restore_rows", stdout=out)
        return out.getvalue()

    return restore


def everything(store: str) -> list:
    return sorted(SOURCES[store](), key=lambda bundle: bundle.original.sha256)


@pytest.mark.parametrize("source", STORES)
@pytest.mark.parametrize("target", STORES)
def test_a_dump_of_one_store_makes_any_store_what_that_was(
    dynamodb, dumped, restored, source, target
):
    made = fill(STORES[source]())
    data = dumped(source)
    before = everything(source)
    # What came and went since.
    if source == target:
        STORES[source]().remove(made[0].public_id)
    fill(STORES[target]())
    restored(target, data)
    assert everything(target) == before
    if source != target:
        assert same(STORES[source](), STORES[target]())
    assert "wrote 0 and deleted 0" in restored(target, data)


@pytest.mark.parametrize("lost", ["end", "half", "line", "format", "everything"])
def test_what_is_not_whole_changes_nothing(dynamodb, dumped, restored, lost):
    fill(STORES["dynamodb"]())
    data = dumped("dynamodb")
    lines = gzip.decompress(data).splitlines(keepends=True)
    broken = {
        "end": gzip.compress(b"".join(lines[:-1])),
        "half": data[: len(data) // 2],
        "line": gzip.compress(b"".join(lines[:1] + lines[2:])),
        "format": gzip.compress(json.dumps({"rows": "of others"}).encode()),
        "everything": b"PGDMP",
    }[lost]
    before = everything("dynamodb")
    with pytest.raises(CommandError, match="restored"):
        restored("dynamodb", broken)
    assert everything("dynamodb") == before


def test_a_dump_has_no_bytes_of_pictures(dynamodb, dumped):
    fill(STORES["database"]())
    first, *_, last = gzip.decompress(dumped("database")).splitlines()
    assert json.loads(first) == dumping.FORMAT
    assert json.loads(last) == {"originals": 3, "pictures": 4}
