"""What is made of one upload: the rows to be, and their files, which nobody has saved yet."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.pictures import originals, previews, workbench
from service.pictures.records import Original, Result

if TYPE_CHECKING:
    import mustache


@dataclass
class Files:
    """The files of one row: their names begin alike and are of this row alone."""

    stem: str
    data: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, sha256: str, what: str) -> Files:
        return cls(f"{sha256}/{what}-{secrets.token_hex(8)}")

    def add(self, data: bytes, extension: str, suffix: str = "") -> str:
        """Another file; returns its name."""
        name = f"{self.stem}{suffix}.{extension}"
        self.data[name] = data
        return name


@dataclass(frozen=True)
class Made:
    result: Result
    files: dict[str, bytes]


def make(data: bytes, style: str, sha256: str, original: Original | None) -> Made:
    """Put the mustaches on. Takes its time, so never call it inside a transaction.

    `data` is the upload with that digest, or what is kept of it as `original`.
    """
    # Previews of a large picture take as much memory as its mustaches.
    with workbench.turn.taken():
        made = workbench.mustachify(data, style, copies=previews.PREVIEW_SIDE)
        files = {}
        if original is None:
            original, files = of_upload(data, sha256, made)
        return of_result(original, style, made, files)


def of_upload(data: bytes, sha256: str, made: mustache.Result) -> tuple[Original, dict]:
    files = Files.of(sha256, "original")
    published, kind = originals.published(data)
    name = preview = files.add(published, kind)
    if previews.is_needed(kind, made.width, made.height):
        preview = files.add(*previews.of_original(made, published), "-preview")
    original = Original(sha256, name, preview, originals.CONTENT_TYPES[kind], len(published))
    return original, files.data


def of_result(original: Original, style: str, made: mustache.Result, others: dict) -> Made:
    files = Files.of(original.sha256, style)
    faces = [face.as_dict() for face in made.faces]
    name = preview = files.add(made.data, made.extension)
    shown = made.data
    if previews.is_needed(made.extension, made.width, made.height):
        shown, extension = previews.of_result(made)
        preview = files.add(shown, extension, "-preview")
    thumbnail = files.add(*previews.thumbnail_of(made, faces, shown), "-thumbnail")
    result = Result(
        original=original,
        style=style,
        file=name,
        preview=preview,
        thumbnail=thumbnail,
        content_type=made.content_type,
        width=made.width,
        height=made.height,
        faces=faces,
    )
    return Made(result, others | files.data)
