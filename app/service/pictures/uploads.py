"""Making, restyling and deleting pictures: everything that writes, with no HTTP in it.

Whoever adds or removes the files of an original holds the lock on its row meanwhile, so an upload
and a deletion of the same picture at the same moment cannot leave a picture without bytes.
"""

import secrets
from dataclasses import dataclass, field
from hashlib import sha256

import mustache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from service.errors import Problem
from service.pictures import originals, previews, workbench
from service.pictures.models import Original, Picture, Result

ATTEMPTS = 3


@dataclass
class Work:
    """What was worked out for one original and style: rows to be, and files by name."""

    original: Original
    result: Result
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, stem: str, data: bytes, extension: str) -> str:
        """Another file; returns its name."""
        name = f"{stem}.{extension}"
        self.files[name] = data
        return name


def hashed(secret: str) -> str:
    """What the database keeps of a secret: enough to recognise it, useless to a thief."""
    return sha256(secret.encode()).hexdigest() if secret else ""


def work_out(data: bytes, style: str, original: Original | None = None) -> Work:
    """Put the mustaches on. Takes its time, so never call it inside a transaction.

    `data` is an upload, or what is kept of it as `original`.
    """
    # Previews of a large picture take as much memory as its mustaches.
    with workbench.one_at_a_time():
        made = workbench.mustachify(data, style)
        work = Work(original or Original(sha256=sha256(data).hexdigest()), Result(style=style))
        if original is None:
            keep_original(work, data, made)
        keep_result(work, made)
        return work


def keep_original(work: Work, data: bytes, made: mustache.Result) -> None:
    original = work.original
    stem = f"{original.sha256}/original"
    published, kind = originals.published(data)
    original.content_type = originals.CONTENT_TYPES[kind]
    original.size = len(published)
    original.file = work.add(f"{stem}-{sha256(published).hexdigest()[:16]}", published, kind)
    original.preview = original.file.name
    if previews.is_needed(kind, made.width, made.height):
        original.preview = work.add(f"{stem}-preview", *previews.preview(published))


def keep_result(work: Work, made: mustache.Result) -> None:
    result = work.result
    result.original_id = work.original.sha256
    stem = f"{work.original.sha256}/{result.style}-{sha256(made.data).hexdigest()[:16]}"
    result.content_type, result.width, result.height = made.content_type, made.width, made.height
    result.faces = [face.as_dict() for face in made.faces]
    result.file = work.add(stem, made.data, made.extension)
    result.preview = result.file.name
    shown = made.data
    if previews.is_needed(made.extension, made.width, made.height):
        shown, extension = previews.preview(made.data)
        result.preview = work.add(f"{stem}-preview", shown, extension)
    result.thumbnail = work.add(
        f"{stem}-thumbnail", *previews.thumbnail(shown, made.width, result.faces)
    )


def find(digest: str, style: str) -> Result | None:
    return Result.objects.filter(original_id=digest, style=style).first()


def keep(work: Work) -> Result:
    """Save rows and files; a row that is there already wins. Call it inside a transaction."""
    if lock(work.original.sha256) is None:
        if not work.original._state.adding:  # it was there, and was deleted meanwhile
            raise Problem(404)
        work.original.save(force_insert=True)
    result = find(work.original.sha256, work.result.style)
    if result is None:
        work.result.save(force_insert=True)
        result = work.result
    for name, data in work.files.items():
        if not default_storage.exists(name):
            default_storage.save(name, ContentFile(data))
    return result


def lock(digest: str) -> Original | None:
    return Original.objects.select_for_update().filter(sha256=digest).first()


def create(data: bytes, style: str, *, owner: str = "", listed: bool = True) -> tuple[Picture, str]:
    """Put the mustaches on and keep the picture.

    Returns the picture and the token that may delete it. `owner` is the visitor's own secret.
    """
    token = secrets.token_urlsafe(24)
    digest = sha256(data).hexdigest()
    work = None
    for attempt in range(ATTEMPTS):
        if work is None and find(digest, style) is None:
            work = work_out(data, style)
        try:
            with transaction.atomic():
                result = keep(work) if work else lock(digest) and find(digest, style)
                if result is None:  # deleted since we looked
                    continue
                picture = Picture(
                    result=result,
                    listed=listed,
                    owner_hash=hashed(owner),
                    token_hash=hashed(token),
                )
                picture.save(force_insert=True)
            return picture, token
        except IntegrityError:  # the same picture, uploaded by someone else at this very moment
            if attempt == ATTEMPTS - 1:
                raise
    raise RuntimeError(f"{digest} is uploaded and deleted all the time")


def restyle(picture: Picture, style: str) -> None:
    """Show the picture with another style at the same address."""
    digest = picture.result.original_id
    work = None
    if find(digest, style) is None:
        with picture.result.original.file.open() as file:
            work = work_out(file.read(), style, picture.result.original)
    put_on(picture, style, work)


def put_on(picture: Picture, style: str, work: Work | None) -> None:
    digest = picture.result.original_id
    with transaction.atomic():
        result = keep(work) if work else lock(digest) and find(digest, style)
        # Nothing of this stays if the picture was deleted meanwhile.
        if not Picture.objects.filter(pk=picture.pk).update(result=result):
            raise Problem(404)
    picture.result = result


def delete(picture: Picture) -> None:
    """Delete the picture, and all bytes that no other picture shows."""
    with transaction.atomic():
        original = lock(picture.result.original_id)
        if original is None:  # deleted by someone else, with the last of its pictures
            raise Problem(404)
        picture.delete()
        drop_unshown(original)


def drop_unshown(original: Original) -> None:
    """Delete what no picture shows of an original that the caller has locked."""
    names: set[str] = set()
    for result in original.results.filter(pictures=None):
        names |= {result.file.name, result.preview.name, result.thumbnail.name}
        result.delete()
    if not original.results.exists():
        names |= {original.file.name, original.preview.name}
        original.delete()
    for name in names:
        default_storage.delete(name)


def sweep() -> int:
    """Delete the originals that no picture shows; returns how many there were."""
    swept = 0
    unshown = Original.objects.exclude(results__pictures__isnull=False)
    for digest in list(unshown.values_list("sha256", flat=True)):
        with transaction.atomic():
            original = lock(digest)
            if original and not Picture.objects.filter(result__original=original).exists():
                drop_unshown(original)
                swept += 1
    return swept
