"""What is kept of an upload, how often it is worked out, and what a deletion leaves."""

import io
import json
from contextlib import suppress
from hashlib import sha256
from zlib import crc32

import pytest
from django.core.management import call_command
from PIL import Image, ImageChops
from service.pictures import files, originals, previews, uploads, workbench
from service.pictures.models import Original, Picture, Result, StoredFile
from service.pictures.records.sql import SqlRecords

pytestmark = pytest.mark.django_db

ORIENTATION, MAKE, GPS = 0x0112, 0x010F, 0x8825


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def worked(monkeypatch) -> list[str]:
    """The styles that the core was asked for."""
    calls = []
    real = workbench.mustachify

    def noted(data, style, **options):
        calls.append(style)
        return real(data, style, **options)

    monkeypatch.setattr(workbench, "mustachify", noted)
    return calls


def test_same_bytes_and_style_are_worked_out_once(face, worked, stored):
    pictures = [uploads.create(face, "walrus")[0] for _ in range(3)]
    assert worked == ["walrus"]
    uploads.restyle(pictures[0], "chevron")
    second = uploads.restyle(pictures[1], "chevron")
    uploads.restyle(second, "walrus")
    assert worked == ["walrus", "chevron"]
    assert len({picture.public_id for picture in pictures}) == 3
    assert len(stored()) == 5  # the original, and two results with a thumbnail each


def test_files_live_under_the_hash_of_the_upload(face, any_storage, stored):
    picture, _ = uploads.create(face, "walrus")
    assert {name.partition("/")[0] for name in stored()} == {sha256(face).hexdigest()}
    assert files.read(picture.result.file) != files.read(picture.result.original.file) == face


def test_bytes_stay_while_another_picture_shows_them(face, any_storage, stored):
    first, _ = uploads.create(face, "walrus")
    second, _ = uploads.create(face, "chevron")
    uploads.delete(first.public_id)
    assert stored() == second.result.files | second.result.original.files
    uploads.delete(second.public_id)
    assert not stored()
    assert not Result.objects.exists()


def test_nothing_is_left_of_a_phones_picture(astronaut, client, any_storage, stored):
    """What is kept of it has other bytes than the upload: it must not count as another one."""
    picture, _ = uploads.create(encoded(astronaut, "JPEG", exif=phone_exif()), "walrus")
    uploads.restyle(picture, "chevron")
    addresses = {f"/media/{name}" for name in stored()}
    assert len(addresses) == 5
    assert {client.get(address).status_code for address in addresses} == {200}
    uploads.delete(picture.public_id)
    assert {client.get(address).status_code for address in addresses} == {404}
    assert not stored()
    assert not Original.objects.exists()


def test_a_picture_that_comes_again_has_other_addresses(face):
    first, _ = uploads.create(face, "walrus")
    uploads.delete(first.public_id)
    second, _ = uploads.create(face, "walrus")
    assert not first.result.files & second.result.files
    assert first.result.original.file != second.result.original.file


def deleting(picture):
    """A wrapper of `records.add` and `records.show`: the picture is deleted just before."""

    def wrapped(real):
        def late(*arguments):
            with suppress(uploads.Problem):
                uploads.delete(picture.public_id)
            return real(*arguments)

        return late

    return wrapped


def test_deleted_between_look_and_save(face, monkeypatch, worked, any_storage, stored):
    picture, _ = uploads.create(face, "walrus")
    monkeypatch.setattr(SqlRecords, "add", deleting(picture)(SqlRecords.add))
    again, _ = uploads.create(face, "walrus")
    assert worked == ["walrus", "walrus"]
    assert stored() == again.result.files | again.result.original.files


def test_original_deleted_while_another_style_is_worked_out(face, monkeypatch, stored):
    picture, _ = uploads.create(face, "walrus")
    monkeypatch.setattr(SqlRecords, "add", deleting(picture)(SqlRecords.add))
    other, _ = uploads.create(face, "chevron")
    assert files.read(other.result.original.file) == face
    assert stored() == other.result.files | other.result.original.files


def test_uploaded_by_another_meanwhile(face, monkeypatch, any_storage, stored):
    real, pictures = SqlRecords.add, []

    def late(*arguments):
        monkeypatch.setattr(SqlRecords, "add", real)
        pictures.append(uploads.create(face, "walrus")[0])
        return real(*arguments)

    monkeypatch.setattr(SqlRecords, "add", late)
    pictures.append(uploads.create(face, "walrus")[0])
    assert pictures[0].result == pictures[1].result
    assert stored() == pictures[0].result.files | pictures[0].result.original.files


@pytest.mark.parametrize("style", ["chevron", "walrus"])
def test_restyling_a_picture_that_was_just_deleted(face, style, any_storage, stored, monkeypatch):
    other, _ = uploads.create(face, "walrus")
    picture, _ = uploads.create(face, "pencil")
    monkeypatch.setattr(SqlRecords, "show", deleting(picture)(SqlRecords.show))
    with pytest.raises(uploads.Problem) as problem:
        uploads.restyle(picture, style)
    assert problem.value.status == 404
    assert stored() == other.result.files | other.result.original.files


def test_restyling_a_picture_that_is_deleted_while_it_is_worked_on(face, stored):
    picture, _ = uploads.create(face, "pencil")
    uploads.delete(picture.public_id)
    with pytest.raises(uploads.Problem) as problem:
        uploads.restyle(picture, "walrus")
    assert problem.value.status == 404
    assert not stored()


def test_deleting_a_picture_that_was_just_deleted(face):
    picture, _ = uploads.create(face, "walrus")
    uploads.delete(picture.public_id)
    with pytest.raises(uploads.Problem) as problem:
        uploads.delete(picture.public_id)
    assert problem.value.status == 404


def test_secrets_are_kept_as_hashes(face):
    picture, token = uploads.create(face, "walrus", owner="my secret")
    row = str(Picture.objects.values().get())
    assert token not in row
    assert "my secret" not in row
    assert picture.token_hash == sha256(token.encode()).hexdigest()


def phone_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "Phone"
    exif.get_ifd(GPS)[2] = (52.0, 30.0, 1.0)
    return exif


PHONES = {
    "baseline": {"kind": "JPEG", "quality": 85},
    "progressive": {"kind": "JPEG", "progressive": True, "comment": b"secret place"},
    "with a profile": {"kind": "JPEG", "icc_profile": b"\0" * 70_000},
    "restart markers": {"kind": "JPEG", "restart_marker_blocks": 4},
    "two pictures": {"kind": "MPO"},
    "png": {"kind": "PNG"},
    "webp": {"kind": "WEBP", "lossless": True},
    "tiff": {"kind": "TIFF"},
}


@pytest.mark.parametrize("name", PHONES)
def test_originals_lose_their_metadata_and_nothing_else(astronaut, name):
    options = dict(PHONES[name])
    exif = phone_exif()
    if options["kind"] == "MPO":
        options |= {"save_all": True, "append_images": [astronaut.resize((64, 64))]}
    data = encoded(astronaut, exif=exif, **options)
    assert b"Phone" in data
    kept, extension = originals.published(data)
    assert b"Phone" not in kept
    assert b"secret place" not in kept
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(kept)) as after:
        assert not dict(after.getexif().get_ifd(GPS))
        assert set(after.getexif()) <= {ORIENTATION, *range(0x0100, 0x0112), 0x0115, 0x0116,
                                        0x0117, 0x011C, 0x0153, 34675}  # fmt: skip
        assert getattr(after, "n_frames", 1) == 1
        assert after.info.get("icc_profile") == before.info.get("icc_profile")
        if extension == "jpg":
            assert after.getexif()[ORIENTATION] == 6
            assert not ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox()
        else:
            assert after.size == before.size[::-1]  # upright now


def late_text(image: Image.Image) -> bytes:
    png = encoded(image, "PNG")
    text = b"tEXtXMP\0secret place"
    chunk = (len(text) - 4).to_bytes(4) + text + crc32(text).to_bytes(4)
    return png[:-12] + chunk + png[-12:]


HIDDEN = {
    "text behind a PNG's pixels": late_text,
    "GIF comment": lambda image: encoded(image, "GIF", comment=b"secret place"),
    "behind a JPEG": lambda image: encoded(image, "JPEG") + b"secret place\xff\xd9",
    "JPEG without an end": lambda image: encoded(image, "JPEG")[:-2] + b"secret place",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_originals_hide_nothing(astronaut, name):
    data = HIDDEN[name](astronaut)
    assert b"secret place" in data
    kept, _ = originals.published(data)
    assert b"secret place" not in kept
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(kept)) as after:
        assert after.size == before.size


def test_a_clean_original_stays_as_it_is(face):
    assert originals.published(face) == (face, "jpg")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_previews_of_every_mode(astronaut, mode):
    if mode == "I;16":
        image = Image.new("I;16", astronaut.size, 40_000)
    else:
        image = astronaut.convert(mode)
        if mode in {"LA", "RGBA"}:
            image.putalpha(128)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    small, _ = previews.preview(encoded(image, kind), 100)
    with Image.open(io.BytesIO(small)) as preview:
        assert preview.size == (100, 100)
        assert preview.mode == ("RGBA" if mode == "LA" or mode == "RGBA" else "RGB")
        if mode == "I;16":
            assert abs(preview.getpixel((50, 50))[0] - 40_000 // 257) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3000, 2)])
def test_odd_shapes(kind, size):
    for mode in ("L", "RGB"):
        picture, _ = uploads.create(encoded(Image.new(mode, size, 120), kind), "walrus")
        with Image.open(files.opened(picture.result.thumbnail)) as thumbnail:
            assert thumbnail.size == previews.THUMBNAIL
        with Image.open(files.opened(picture.result.preview)) as preview:
            assert max(preview.size) <= 2048


def test_previews_are_upright_and_bare(astronaut):
    data = encoded(astronaut.resize((200, 100)), "JPEG", exif=phone_exif())
    small, extension = previews.preview(data, 50)
    with Image.open(io.BytesIO(small)) as preview:
        assert preview.size == (25, 50)
        assert extension == "jpg"
        assert not preview.getexif()


def test_pages_show_the_file_itself_unless_it_is_large_or_rare(astronaut, stored):
    small, _ = uploads.create(encoded(astronaut, "PNG"), "walrus")
    assert small.result.preview == small.result.file
    assert small.result.original.preview == small.result.original.file
    rare, _ = uploads.create(encoded(astronaut, "TIFF"), "walrus")
    assert rare.result.preview.endswith("-preview.jpg")
    large, _ = uploads.create(encoded(astronaut.resize((2100, 2100)), "JPEG"), "walrus")
    for name in (large.result.preview, large.result.original.preview):
        with Image.open(files.opened(name)) as preview:
            assert 1600 <= max(preview.size) <= 2000
    for picture in (large, rare, small):
        uploads.delete(picture.public_id)
    assert not stored()


@pytest.mark.parametrize("size", [(1000, 400), (400, 1000), (40, 50), (3, 200), (1, 1)])
@pytest.mark.parametrize("face", [None, [0, 0, 30, 40], [900, 300, 90, 99], [0, 0, 1000, 1000]])
def test_thumbnails_lie_within_the_picture(size, face):
    left, top, right, bottom = previews.around(face, size)
    assert 0 <= left < right <= size[0] + 1e-9
    assert 0 <= top < bottom <= size[1] + 1e-9
    assert (right - left) / (bottom - top) == pytest.approx(0.8)


def test_thumbnails_come_closer_to_a_small_face():
    left, top, right, bottom = previews.around([1500, 300, 100, 150], (3000, 2000))
    assert bottom - top == 600
    assert left < 1500 < 1600 < right
    assert top < 300 < 450 < bottom


def test_checksum_sees_every_change(face, no_face):
    def checksum() -> dict:
        out = io.StringIO()
        call_command("pictures_checksum", stdout=out)
        return json.loads(out.getvalue())

    uploads.create(face, "walrus")
    before = checksum()
    assert (before["count"], before["missing_files"]) == (1, [])
    assert checksum() == before
    stored = StoredFile.objects.first()
    StoredFile.objects.filter(name=stored.name).update(data=b"damaged")
    assert checksum()["sha256"] != before["sha256"]
    StoredFile.objects.filter(name=stored.name).update(data=stored.data)
    assert checksum() == before
    uploads.create(no_face, "walrus")
    assert checksum()["count"] == 2


def test_checksum_names_missing_files(face):
    uploads.create(face, "walrus")
    stored = StoredFile.objects.first()
    StoredFile.objects.filter(name=stored.name).delete()
    out = io.StringIO()
    with pytest.raises(Exception, match="files are missing"):
        call_command("pictures_checksum", stdout=out)
    assert json.loads(out.getvalue())["missing_files"] == [stored.name]


def test_seed(tmp_path, face):
    call_command("seed_pictures", "3", stdout=io.StringIO())
    assert Original.objects.count() == 3
    source = tmp_path / "me.jpg"
    source.write_bytes(face)
    call_command("seed_pictures", "2", "--from", str(source), stdout=io.StringIO())
    assert Original.objects.count() == 5
    assert Result.objects.order_by("-id")[0].faces
