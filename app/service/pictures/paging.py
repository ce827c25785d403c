"""Pages of pictures, newest first, by cursor: they cost the same at the end of a long gallery."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from django.db.models import QuerySet

from service.errors import Problem
from service.pictures.models import Picture


@dataclass
class Page:
    pictures: list[Picture]
    next: str | None


def encode(key: int) -> str:
    return urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def decode(cursor: str) -> int:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        raise Problem(400, "This cursor is not one that a page returned.")
    return int(text)


def page(pictures: QuerySet[Picture], cursor: str | None, size: int) -> Page:
    """One query, no bytes."""
    pictures = pictures.select_related("result__original").order_by("-id")
    if cursor:
        pictures = pictures.filter(id__lt=decode(cursor))
    found = list(pictures[: size + 1])
    more = len(found) > size
    return Page(found[:size], encode(found[size - 1].id) if more else None)
