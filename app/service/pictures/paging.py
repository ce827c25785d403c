"""Pages of pictures, newest first, by cursor: they cost the same at the end of a long gallery."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from service.errors import Problem
from service.pictures.records import Page as Found
from service.pictures.records import Picture


@dataclass(frozen=True)
class Page:
    pictures: list[Picture]
    next: str | None


def encode(last: UUID) -> str:
    return urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode(cursor: str) -> UUID:
    try:
        last = UUID(bytes=urlsafe_b64decode(cursor + "=="))
    except ValueError:
        last = None
    if last is None or encode(last) != cursor:
        raise Problem(400, "This cursor is not one that a page returned.")
    return last


def page(find: Callable[[UUID | None, int], Found], cursor: str | None, size: int) -> Page:
    """`find` is a method of Records that finds a page."""
    found = find(decode(cursor) if cursor else None, size)
    return Page(found.pictures, encode(found.last) if found.last else None)
