"""Copies of deleted files at a CDN."""

import pytest
from django.utils import timezone
from service.pictures import cdn, files, marks, sweeping, uploads
from service.pictures.models import DeletedFile
from service.pictures.records import records

pytestmark = pytest.mark.django_db


class Background:
    """Does it at once."""

    def submit(self, do, *arguments):
        do(*arguments)


class Edge:
    """A client of CloudFront that notes what it is to forget."""

    def __init__(self):
        self.forgotten, self.batches, self.away = set(), [], False

    def create_invalidation(self, DistributionId, InvalidationBatch):
        if self.away:
            raise ConnectionError("nobody there")
        assert DistributionId == "E1"
        paths = InvalidationBatch["Paths"]
        assert paths["Quantity"] == len(paths["Items"])
        self.batches.append(InvalidationBatch["CallerReference"])
        self.forgotten |= set(paths["Items"])


@pytest.fixture
def edge(monkeypatch, settings):
    found = Edge()
    settings.CDN_DISTRIBUTION = "E1"
    monkeypatch.setattr(cdn, "client", lambda: found)
    monkeypatch.setattr(cdn, "background", Background)
    return found


@pytest.fixture
def deleted(face, edge):
    """The addresses of a picture that was deleted."""
    picture, _ = uploads.create(face, "walrus")
    names = records.remove(picture.public_id)
    files.delete(names)
    return {files.url(name) for name in names}


def test_what_is_deleted_is_forgotten_by_exact_addresses(deleted, edge):
    assert len(deleted) == 3
    assert edge.forgotten == deleted
    assert all(path.startswith("/media/") and "*" not in path for path in deleted)


def test_without_a_cdn_nobody_is_told(face, edge, settings):
    settings.CDN_DISTRIBUTION = ""
    picture, _ = uploads.create(face, "walrus")
    files.delete(records.remove(picture.public_id))

    assert edge.batches == []


def test_what_it_was_not_told_it_is_told_by_the_sweep(face, edge, caplog):
    edge.away = True
    picture, _ = uploads.create(face, "walrus")
    names = records.remove(picture.public_id)
    files.delete(names)
    assert "keeps 3 deleted files until the next sweep" in caplog.text

    edge.away = False
    sweeping.sweep()
    assert edge.forgotten == {files.url(name) for name in names}


def test_marks_stay_until_it_answers(deleted, edge):
    DeletedFile.objects.update(deleted=timezone.now() - 2 * marks.LAST)
    edge.away = True
    sweeping.sweep()
    assert DeletedFile.objects.count() == 3

    edge.away = False
    sweeping.sweep()
    assert DeletedFile.objects.count() == 0


def test_each_request_is_one_of_its_own(deleted, edge):
    sweeping.sweep()
    assert len(edge.batches) == len(set(edge.batches)) == 2


def test_what_waits_was_never_served(edge):
    cdn.forget(["incoming/0123"])
    assert edge.batches == []
