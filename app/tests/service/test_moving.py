"""Pictures move from one store to the other and back: nothing is lost, nothing comes back."""

import io
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.files.storage import InMemoryStorage, storages
from django.core.management import CommandError, call_command
from django.utils import timezone
from service.pictures import files, marks, moving, stores, sweeping, uploads
from service.pictures.models import StoredFile
from service.pictures.records import Original, Picture, Result, records
from service.pictures.records.ids import new_public_id, uuid7

pytestmark = pytest.mark.django_db
TO_AND_FRO = pytest.mark.parametrize(
    ("source", "target"), [("database", "s3"), ("s3", "database")], ids=["up", "down"]
)
# The database and a bucket; and two of Django's own storages, that know nothing of ours.
EVERYWHERE = pytest.mark.parametrize("both_stores", ["real", "memory"], indirect=True)


class Memory(InMemoryStorage):
    """A store in memory that outlives a change of the settings."""


@pytest.fixture(autouse=True)
def both_stores(request, settings, monkeypatch) -> str:
    """Two stores in memory, unless the test asks for real ones."""
    monkeypatch.setattr(moving, "FILES", 2)
    kind = getattr(request, "param", "memory")
    if kind == "real":
        request.getfixturevalue("bucket")
        return kind
    roots = {}

    def remember(self, name: str):
        InMemoryStorage.__init__(self)
        self.__dict__ = roots.setdefault(name, self.__dict__)

    monkeypatch.setattr(Memory, "__init__", remember)
    settings.PICTURE_STORES = {
        name: {"BACKEND": f"{__name__}.Memory", "OPTIONS": {"name": name}}
        for name in ("database", "s3")
    }
    settings.STORAGES = settings.STORAGES | settings.PICTURE_STORES
    return kind


def upload(sha256: str = "") -> Picture:
    """One with its files and rows, without the work that mustaches are."""
    sha256 = sha256 or secrets.token_hex(32)
    first, shown, small = (
        f"{sha256}/{what}-{secrets.token_hex(8)}{end}.jpg"
        for what, end in (("original", ""), ("walrus", ""), ("walrus", "-thumbnail"))
    )
    original = Original(sha256, first, first, "image/jpeg", 50)
    result = Result(original, "walrus", shown, shown, small, "image/jpeg", 1, 1, [])
    data = {name: secrets.token_bytes(50) for name in (first, shown, small)}
    files.put(data)
    about = {"listed": True, "owner_hash": "", "token_hash": "", "created": timezone.now()}
    picture = Picture(uuid7(), new_public_id(), result, **about)
    return records.add(picture, frozenset(data))


def names(picture: Picture) -> frozenset[str]:
    return picture.result.files | picture.result.original.files


def held(alias: str) -> set[str]:
    return {name for _, found in stores.walk(storages[alias]) for name in found}


def command(name: str, **options) -> dict:
    out = io.StringIO()
    call_command(name, stdout=out, json=True, **options)
    return json.loads(out.getvalue().splitlines()[-1])


def checksum() -> dict:
    out = io.StringIO()
    call_command("pictures_checksum", stdout=out)
    return json.loads(out.getvalue())


@EVERYWHERE
@TO_AND_FRO
def test_all_the_way(source, target, use_stores, capfd):
    use_stores(source)
    pictures = [upload() for _ in range(5)]
    before = checksum()

    use_stores(source, target)
    pictures.append(upload())
    moved = command("move_pictures", to=target)
    assert (moved["from"], moved["files"], moved["bytes"]) == (source, 15, 750)
    assert "15 of about 15 files" in capfd.readouterr().err
    assert command("move_pictures", to=target)["files"] == 0
    found = command("compare_pictures")
    assert found["agree"] is True
    assert found["equal"] == found[source]["files"] == found[target]["files"] == 18

    use_stores(target, source)
    uploads.delete(pictures.pop().public_id)
    assert checksum() == before
    assert command("compare_pictures")["equal"] == 15

    use_stores(target)
    dropped = command("drop_pictures", source=source)
    assert (dropped["files"], dropped["kept"]) == (15, [])
    assert not held(source)
    assert checksum() == before
    assert command("drop_pictures", source=source)["files"] == 0


@TO_AND_FRO
def test_who_leaves_a_store_asks_only_for_what_is_in_it(source, target, use_stores):
    use_stores(source, target)
    upload()
    command("move_pictures", to=target)
    use_stores(target)
    upload()
    use_stores(target, source)

    with pytest.raises(CommandError, match=f"3 missing in {source}"):
        command("compare_pictures")
    assert command("compare_pictures", source=source)["agree"] is True

    storages[target].delete(min(held(source)))
    with pytest.raises(CommandError, match=f"1 missing in {target}"):
        command("compare_pictures", source=source)


@TO_AND_FRO
def test_there_and_back(source, target, use_stores):
    use_stores(source)
    pictures = [upload() for _ in range(3)]
    for here, there in ((source, target), (target, source)):
        use_stores(here, there)
        command("move_pictures", to=there)
        command("compare_pictures")
        use_stores(there, here)
        pictures.append(upload())
        uploads.delete(pictures.pop(0).public_id)
        use_stores(there)
        pictures.append(upload())
        uploads.delete(pictures.pop(0).public_id)
        if there == target:
            continue  # not dropped: the way back finds what was deleted since
        command("drop_pictures", source=here)
        assert not held(here)
    assert held(source) == set().union(*map(names, pictures))
    assert not checksum()["missing_files"]


# --- Meanwhile -----------------------------------------------------------------------------------
STEPS = ("walk", "fetch", "keep", "discard")


@contextmanager
def before_each_step(monkeypatch, do) -> Iterator[None]:
    """`do` is called before and after whatever is asked of a store, but not for what it asks."""
    busy = False

    def step() -> None:
        nonlocal busy
        if not busy:
            busy = True
            do()
            busy = False

    def watched(real):
        def asked(*arguments):
            step()
            answer = real(*arguments)
            step()
            return answer

        return asked

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(moving.stores, name, watched(getattr(stores, name)))
        yield


class Visitors:
    """They upload and delete while others are at work, and look at what they have."""

    def __init__(self, pictures: list[Picture], client):
        self.pictures, self.client = pictures, client
        self.gone: list[Picture] = []
        self.turn = 0

    def come(self) -> None:
        self.turn += 1
        if self.turn % 3 == 0:  # others' turns have an end as well
            self.act()

    def act(self) -> None:
        if self.turn % 9:
            # From the middle: what is being copied, was copied and will be.
            picture = self.pictures.pop(len(self.pictures) // 2)
            uploads.delete(picture.public_id)
            self.gone.append(picture)
        self.pictures.append(upload())
        self.look()

    def look(self) -> None:
        """At the pictures of now, and at those of before: the oldest and the newest of each."""
        for pictures, status in ((self.pictures, 200), (self.gone, 404)):
            for picture in (*pictures[:1], *pictures[-2:]):
                answer = self.client.get(files.url(picture.result.file))
                assert answer.status_code == status


@EVERYWHERE
@TO_AND_FRO
def test_visitors_upload_and_delete_meanwhile(source, target, use_stores, monkeypatch, client):
    use_stores(source)
    visitors = Visitors([upload() for _ in range(4)], client)
    use_stores(source, target)
    with before_each_step(monkeypatch, visitors.come):
        command("move_pictures", to=target)
        assert command("compare_pictures")["agree"] is True
    use_stores(target, source)
    visitors.act()
    command("compare_pictures")
    use_stores(target)
    visitors.look()
    with before_each_step(monkeypatch, visitors.come):
        assert command("drop_pictures", source=source)["kept"] == []
    assert len(visitors.gone) > 10
    assert held(target) == set().union(*map(names, visitors.pictures))
    assert not held(source)
    assert not checksum()["missing_files"]


class Cut(BaseException):
    """The end of the process, which nothing catches."""


class Scissors:
    def __init__(self, after: int):
        self.left = after

    def snip(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cut


@EVERYWHERE
@TO_AND_FRO
@pytest.mark.parametrize("step", ["move", "drop"])
def test_cut_anywhere_and_begun_again(source, target, step, use_stores, monkeypatch, both_stores):
    use_stores(source)
    pictures = [upload() for _ in range(3)]
    before = checksum()
    # At each step, and at fewer where one takes longer.
    stride = 23 if both_stores == "real" else 2 if step == "move" else 9
    for after in range(0, 200, stride):
        use_stores(source, target)
        if step == "drop":
            command("move_pictures", to=target)
            use_stores(target)
        try:
            with before_each_step(monkeypatch, Scissors(after).snip):
                if step == "move":
                    command("move_pictures", to=target)
                else:
                    command("drop_pictures", source=source)
            break
        except Cut:
            assert checksum() == before
        if step == "drop":
            command("drop_pictures", source=source)
            assert not held(source)
            use_stores(target, source)
            command("move_pictures", to=source)
            use_stores(source)
        else:
            doomed = upload()
            uploads.delete(doomed.public_id)
            pictures.append(upload())
            before = checksum()
    assert after > 5
    if step == "move":
        command("compare_pictures")
        assert held(source) == held(target) == set().union(*map(names, pictures))
    assert checksum() == before


@TO_AND_FRO
def test_deleted_between_the_copy_and_the_look_for_its_mark(
    source, target, use_stores, monkeypatch
):
    """And then the copy was cut off."""
    use_stores(source)
    picture = upload()
    use_stores(source, target)
    real = stores.keep

    def keep(store, data):
        uploads.delete(picture.public_id)
        real(store, data)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(moving.stores, "keep", keep)
        with pytest.raises(Cut):
            command("move_pictures", to=target)
    assert held(target)
    assert not held(source)
    command("move_pictures", to=target)
    assert not held(target)


@TO_AND_FRO
def test_what_an_earlier_time_left_does_not_come_back(source, target, use_stores, monkeypatch):
    """Even when its mark has gone by then."""
    use_stores(source, target)
    picture, stays = upload(), upload()
    use_stores(source)
    uploads.delete(picture.public_id)
    marks.DeletedFile.objects.all().delete()
    monkeypatch.setattr(moving, "GRACE", timedelta(0))
    use_stores(source, target)
    assert held(target) > held(source)
    command("move_pictures", to=target)
    assert held(target) == held(source) == names(stays)


def test_an_upload_that_goes_on_is_left_alone(use_stores):
    use_stores("database", "s3")
    name = f"{'1' * 64}/original-0123.jpg"
    stores.keep(storages["s3"], {name: b"the row comes later"})
    command("move_pictures", to="s3")
    assert held("s3") == {name}
    assert command("compare_pictures")["unneeded"] == 1


# --- What is refused -----------------------------------------------------------------------------
def test_a_move_needs_both_stores_in_use(use_stores, settings):
    use_stores("database")
    with pytest.raises(CommandError, match="PICTURE_STORE_SECOND is empty"):
        command("move_pictures", to="s3")
    settings.PICTURE_STORES = {"database": settings.PICTURE_STORES["database"]}
    with pytest.raises(CommandError, match="Example: PICTURE_BUCKET="):
        command("move_pictures", to="s3")


@pytest.mark.parametrize(("first", "second"), [("database", ""), ("s3", "database")])
def test_what_is_in_use_is_not_dropped(first, second, use_stores):
    use_stores(first, second)
    picture = upload()
    with pytest.raises(CommandError, match="database is in use"):
        command("drop_pictures", source="database")
    assert held("database") == names(picture)


def damage(alias: str, name: str, data: bytes) -> None:
    """Other bytes of the same length, behind our back."""
    store = storages[alias]
    if hasattr(store, "client"):
        store.client.put_object(**store.object(name), Body=data)
    elif hasattr(store, "files"):
        store.files.filter(name=name).update(data=data)
    else:
        stores.discard(store, [name])
        stores.keep(store, {name: data})


@EVERYWHERE
@TO_AND_FRO
def test_a_difference_is_seen(source, target, use_stores):
    use_stores(source, target)
    picture = upload()
    name = picture.result.file
    assert command("compare_pictures")["agree"] is True

    stores.discard(storages[target], [name])
    with pytest.raises(CommandError, match=f"1 missing in {target}, as {name}"):
        command("compare_pictures")
    stores.keep(storages[target], stores.fetch(storages[source], [name]))
    assert command("compare_pictures")["agree"] is True

    damage(target, name, b"x" * 50)  # as long as it was
    with pytest.raises(CommandError, match=f"1 different, as {name}"):
        command("compare_pictures")
    use_stores(target)
    with pytest.raises(CommandError, match="Nothing was deleted"):
        command("drop_pictures", source=source)
    assert held(source) == names(picture)


@TO_AND_FRO
def test_nothing_is_dropped_that_the_other_store_lacks(source, target, use_stores):
    use_stores(source)
    picture = upload()
    use_stores(target)
    with pytest.raises(CommandError, match="Nothing was deleted"):
        command("drop_pictures", source=source)
    assert held(source) == names(picture)


@pytest.mark.parametrize("both_stores", ["real"], indirect=True)
def test_what_is_damaged_in_the_database_is_not_copied(use_stores):
    use_stores("database")
    picture, sound = upload(), upload()
    StoredFile.objects.filter(name=picture.result.file).update(data=b"damaged")
    use_stores("database", "s3")
    with pytest.raises(CommandError, match=f"1 files are damaged.*{picture.result.file}"):
        command("move_pictures", to="s3")
    assert held("s3") == names(sound) | names(picture) - {picture.result.file}


def test_a_store_that_fails_ends_the_move_with_a_sentence(use_stores, monkeypatch):
    use_stores("database")
    upload()
    use_stores("database", "s3")

    def fail(*arguments):
        raise ConnectionResetError("no route to the store")

    monkeypatch.setattr(moving.stores, "keep", fail)
    with pytest.raises(CommandError, match="The same command goes on from here"):
        call_command("move_pictures", to="s3")


def test_sweeping_goes_on_while_pictures_move(use_stores, monkeypatch):
    monkeypatch.setattr(sweeping, "GRACE", timedelta(0))
    use_stores("database")
    pictures = [upload() for _ in range(3)]
    use_stores("database", "s3")
    with before_each_step(monkeypatch, sweeping.sweep):
        command("move_pictures", to="s3")
    assert held("s3") == held("database") == set().union(*map(names, pictures))
