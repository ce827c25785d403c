"""Files that nothing needs and nobody deleted, and how to take a picture down."""

import io
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from service.pictures import files, sweeping, uploads
from service.pictures.models import Original, Picture
from service.pictures.records import records

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_grace(monkeypatch):
    monkeypatch.setattr(sweeping, "GRACE", timedelta(0))


def sweep() -> str:
    out = io.StringIO()
    call_command("sweep", stdout=out)
    return out.getvalue()


def left_behind(directory: str) -> set[str]:
    names = {f"{directory}/original-0123.jpg", f"{'0' * 64}/walrus-0123.png"}
    files.put(dict.fromkeys(names, b"left behind"))
    return names


def test_files_without_rows_go(face, any_storage, stored, no_grace):
    picture, _ = uploads.create(face, "walrus")
    needed = stored()
    left_behind(picture.result.original.sha256)
    assert len(stored()) == len(needed) + 2
    assert "Swept 2 files" in sweep()
    assert stored() == needed
    assert "Swept 0 files" in sweep()


def test_files_of_an_upload_that_goes_on_stay(any_storage, stored):
    names = left_behind("1" * 64)
    assert "Swept 0 files" in sweep()
    assert stored() == names


def test_what_is_not_ours_stays(any_storage, no_grace):
    default_storage.save("site/index.html", ContentFile(b"of someone else"))
    assert "Swept 0 files" in sweep()
    assert default_storage.exists("site/index.html")


def test_a_deletion_that_died_before_its_files_is_ended(face, any_storage, stored, no_grace):
    picture, _ = uploads.create(face, "walrus")
    records.remove(picture.public_id)
    assert len(stored()) == 3
    assert "Swept 3 files" in sweep()
    assert not stored()


def test_an_original_that_no_picture_shows_goes(face, stored):
    uploads.create(face, "walrus")
    Picture.objects.all().delete()  # what a change of style came to in an earlier release
    assert "Swept 3 files" in sweep()
    assert not stored()
    assert not Original.objects.exists()


def test_a_style_that_nobody_shows_any_more_goes(face, any_storage, stored):
    picture, _ = uploads.create(face, "walrus")
    shown = uploads.restyle(picture, "chevron")
    assert "Swept 2 files" in sweep()
    assert stored() == shown.result.files | shown.result.original.files


def test_takedown(client, face, stored):
    picture, _ = uploads.create(face, "walrus")
    call_command("takedown", picture.public_id, stdout=io.StringIO())
    assert client.get(picture.get_absolute_url()).status_code == 404
    assert not stored()
    with pytest.raises(CommandError, match="No picture has the id nobody"):
        call_command("takedown", "nobody", stdout=io.StringIO())
