"""What is known about pictures, without their bytes: one protocol, whatever keeps the rows.

    Picture (one upload, has the permalink) -> Result (original + style) -> Original (by sha256)

The same original uploaded twice is one Original; with the same style it is one Result, worked out
once. Every file belongs to one row: a row that was removed and comes again brings files of its own.

`Records` asks for nothing that a key-value store cannot do: rows by their key, pages of pictures by
who shows them and after an id (ids sort by time), and changes of a few rows, all of them or none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from service.pictures import styles


@dataclass(frozen=True)
class Original:
    """A picture as uploaded. Its files live under its sha256."""

    sha256: str
    file: str
    preview: str  # what pages show; often the file itself
    content_type: str
    size: int

    @property
    def files(self) -> frozenset[str]:
        return frozenset((self.file, self.preview))


@dataclass(frozen=True)
class Result:
    """An original with mustaches of one style."""

    original: Original
    style: str
    file: str
    preview: str  # what pages show; often the file itself
    thumbnail: str
    content_type: str
    width: int
    height: int
    faces: list[dict]  # as in the API

    @property
    def files(self) -> frozenset[str]:
        return frozenset((self.file, self.preview, self.thumbnail))

    @property
    def style_title(self) -> str:
        return styles.title(self.style)

    @property
    def caption(self) -> str:
        return self.style_title if self.faces else "No face"

    @property
    def description(self) -> str:
        """For people who do not see the picture."""
        if not self.faces:
            return "A picture in which no face was found"
        count = len(self.faces)
        return f"{count} face{pluralize(count)} with the {self.style_title} mustache"

    @property
    def extension(self) -> str:
        return PurePath(self.file).suffix


@dataclass(frozen=True)
class Picture:
    """One upload by one visitor."""

    id: UUID  # version 7: sorts by time
    public_id: str
    result: Result
    listed: bool  # shown in the gallery
    owner_hash: str
    token_hash: str
    created: datetime

    def get_absolute_url(self) -> str:
        return reverse("picture", args=[self.public_id])


@dataclass(frozen=True)
class Page:
    """Pictures, newest first, and the id after which the next page begins, if there is one."""

    pictures: list[Picture]
    last: UUID | None


class Vanished(Exception):
    """A row that was to be shown was removed meanwhile; look again."""


class Records(Protocol):
    def get(self, public_id: str) -> Picture | None: ...

    def gallery(self, after: UUID | None, size: int) -> Page:
        """What is listed."""

    def owned(self, owner_hash: str, after: UUID | None, size: int) -> Page:
        """What one visitor uploaded."""

    def original(self, sha256: str) -> Original | None: ...

    def result(self, sha256: str, style: str) -> Result | None: ...

    def add(self, picture: Picture, brought: frozenset[str]) -> Picture:
        """Save the picture, and its result and original unless they are there; returns it as saved.

        A row that is there wins. One that is not is saved only if its files are among `brought`,
        those that the caller has put into the store for this; else Vanished is raised.
        """

    def show(self, public_id: str, result: Result, brought: frozenset[str]) -> Picture | None:
        """Let the picture show another result of its original, which is saved as in `add`.

        None if there is no such picture.
        """

    def set_listed(self, public_id: str, listed: bool) -> None:
        """Put the picture into the gallery or take it out."""

    def remove(self, public_id: str) -> frozenset[str] | None:
        """Remove the picture, and what no other picture shows of its original.

        Returns the files of the rows that went; None if there is no such picture.
        """

    def sweep(self) -> frozenset[str]:
        """Remove results and originals that no picture shows; returns their files."""

    def files(self, sha256: str) -> frozenset[str]:
        """All files of an original and its results."""

    def pictures(self) -> Iterator[Picture]:
        """All of them, oldest first."""

    def originals(self) -> Iterator[tuple[Original, list[Result]]]:
        """All of them by sha256, each with its results by style."""


def configured() -> Records:
    from service.pictures.records.copied import Copied

    kept = Copied(import_string(settings.RECORDS)())
    if not (settings.ROWS_FROZEN or settings.ROWS_FREEZER):
        return kept
    from service.pictures.records.frozen import Freezable, Frozen

    if settings.ROWS_FROZEN:
        return Frozen(kept)
    return Freezable(kept, settings.ROWS, settings.ROWS_FREEZER)


records: Records = SimpleLazyObject(configured)
