"""Records in the tables of models.py.

Whoever adds or removes rows of an original holds the lock on its row meanwhile, so an upload and a
deletion of the same picture at the same moment cannot leave one without the other.
"""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet

from service.pictures import models
from service.pictures.records import Original, Page, Picture, Result, Vanished

ATTEMPTS = 3
AT_A_TIME = 1000


def as_original(row: models.Original) -> Original:
    return Original(row.sha256, row.file.name, row.preview.name, row.content_type, row.size)


def as_result(row: models.Result) -> Result:
    return Result(
        original=as_original(row.original),
        style=row.style,
        file=row.file.name,
        preview=row.preview.name,
        thumbnail=row.thumbnail.name,
        content_type=row.content_type,
        width=row.width,
        height=row.height,
        faces=row.faces,
    )


def as_picture(row: models.Picture) -> Picture:
    return Picture(
        id=row.key,
        public_id=row.public_id,
        result=as_result(row.result),
        listed=row.listed,
        owner_hash=row.owner_hash,
        token_hash=row.token_hash,
        created=row.created,
    )


class SqlRecords:
    def get(self, public_id: str) -> Picture | None:
        row = whole().filter(public_id=public_id).first()
        return row and as_picture(row)

    def gallery(self, after: UUID | None, size: int) -> Page:
        return page(whole().filter(listed=True), after, size)

    def owned(self, owner_hash: str, after: UUID | None, size: int) -> Page:
        return page(whole().filter(owner_hash=owner_hash), after, size)

    def original(self, sha256: str) -> Original | None:
        row = models.Original.objects.filter(sha256=sha256).first()
        return row and as_original(row)

    def result(self, sha256: str, style: str) -> Result | None:
        row = results().filter(original_id=sha256, style=style).first()
        return row and as_result(row)

    def add(self, picture: Picture, brought: frozenset[str]) -> Picture:
        for attempt in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    result = saved(picture.result, brought)
                    models.Picture.objects.create(
                        key=picture.id,
                        public_id=picture.public_id,
                        result=result,
                        listed=picture.listed,
                        owner_hash=picture.owner_hash,
                        token_hash=picture.token_hash,
                        created=picture.created,
                    )
                return replace(picture, result=as_result(result))
            except IntegrityError:  # the same original, added by someone else at this very moment
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def show(self, public_id: str, result: Result, brought: frozenset[str]) -> Picture | None:
        with transaction.atomic():
            row = whole().filter(public_id=public_id, result__original=result.original.sha256)
            if lock(result.original.sha256) is None or not row.exists():
                return None
            models.Picture.objects.filter(public_id=public_id).update(result=saved(result, brought))
            return as_picture(row.get())

    def set_listed(self, public_id: str, listed: bool) -> None:
        models.Picture.objects.filter(public_id=public_id).update(listed=listed)

    def remove(self, public_id: str) -> frozenset[str] | None:
        with transaction.atomic():
            rows = models.Picture.objects.filter(public_id=public_id)
            sha256 = rows.values_list("result__original", flat=True).first()
            original = sha256 and lock(sha256)
            if original is None or not rows.delete()[0]:
                return None
            return drop_unshown(original)

    def sweep(self) -> frozenset[str]:
        files: frozenset[str] = frozenset()
        unshown = models.Result.objects.filter(pictures=None).values_list("original", flat=True)
        bare = models.Original.objects.filter(results=None).values_list("sha256", flat=True)
        for sha256 in {*unshown, *bare}:
            with transaction.atomic():
                if original := lock(sha256):
                    files |= drop_unshown(original)
        return files

    def files(self, sha256: str) -> frozenset[str]:
        rows = (
            models.Original.objects.filter(sha256=sha256).values_list("file", "preview"),
            models.Result.objects.filter(original_id=sha256).values_list(
                "file", "preview", "thumbnail"
            ),
        )
        return frozenset(name for table in rows for row in table for name in row)

    def pictures(self) -> Iterator[Picture]:
        return map(as_picture, whole().order_by("key").iterator())

    def originals(self) -> Iterator[tuple[Original, list[Result]]]:
        with_results = Prefetch("results", models.Result.objects.order_by("style"))
        rows = models.Original.objects.order_by("sha256").prefetch_related(with_results)
        for row in rows.iterator(chunk_size=AT_A_TIME):
            yield as_original(row), [as_result(result) for result in row.results.all()]


def whole() -> QuerySet[models.Picture]:
    """Pictures with all that is shown of them, in one query."""
    return models.Picture.objects.select_related("result__original")


def results() -> QuerySet[models.Result]:
    return models.Result.objects.select_related("original")


def page(rows: QuerySet[models.Picture], after: UUID | None, size: int) -> Page:
    rows = rows.order_by("-key")
    if after:
        rows = rows.filter(key__lt=after)
    found = [as_picture(row) for row in rows[: size + 1]]
    shown = found[:size]
    return Page(shown, shown[-1].id if len(found) > size else None)


def lock(sha256: str) -> models.Original | None:
    return models.Original.objects.select_for_update().filter(sha256=sha256).first()


def saved(result: Result, brought: frozenset[str]) -> models.Result:
    """The row of a result, there already or saved now, with that of its original, locked."""
    original = lock(result.original.sha256)
    if original is None:
        original = models.Original(**vars(result.original))
        save(original, result.original.files, brought)
    row = results().filter(original=original, style=result.style).first()
    if row is None:
        row = models.Result(**vars(result) | {"original": original})
        save(row, result.files, brought)
    return row


def save(row: models.Original | models.Result, files: frozenset[str], brought: frozenset[str]):
    if not files <= brought:
        raise Vanished(str(row))
    row.save(force_insert=True)


def drop_unshown(original: models.Original) -> frozenset[str]:
    """Delete what no picture shows of an original that is locked; returns the files of that."""
    files: frozenset[str] = frozenset()
    for row in results().filter(original=original, pictures=None):
        files |= as_result(row).files
        row.delete()
    if not original.results.exists():
        files |= as_original(original).files
        original.delete()
    return files
