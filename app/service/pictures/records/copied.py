"""Records that keep copies, in the shared cache, of what pages ask for again and again: single
pictures, and the gallery's first pages. Of what one visitor owns, there is none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from service import copies
from service.pictures.records import Original, Page, Picture, Records, Result

# Releases whose records have other columns share the marks, so that each hears of the other's
# changes while hosts switch one by one, but not the copies.
FORMAT = sha256(
    repr([each.name for kind in (Original, Result, Picture) for each in fields(kind)]).encode()
).hexdigest()[:8]
GALLERY = "gallery"


def of(public_id: str) -> str:
    return f"picture:{public_id}"


def packed(picture: Picture) -> dict:
    return asdict(picture) | {"id": picture.id.hex, "created": picture.created.isoformat()}


def unpacked(row: dict) -> Picture:
    original = Original(**row["result"]["original"])
    result = Result(**row["result"] | {"original": original})
    created = datetime.fromisoformat(row["created"])
    return Picture(**row | {"id": UUID(row["id"]), "result": result, "created": created})


class Copied:
    def __init__(self, records: Records):
        self.records = records

    def __getattr__(self, name: str):
        return getattr(self.records, name)

    def get(self, public_id: str) -> Picture | None:
        def load() -> dict | None:
            picture = self.records.get(public_id)
            return picture and packed(picture)

        row = copies.read(f"{FORMAT}:{of(public_id)}", [of(public_id)], load)
        return row and unpacked(row)

    def gallery(self, after: UUID | None, size: int) -> Page:
        if after:  # seldom asked for, and there are as many as pictures
            return self.records.gallery(after, size)

        def load() -> dict:
            page = self.records.gallery(None, size)
            return {"rows": list(map(packed, page.pictures)), "last": page.last and page.last.hex}

        row = copies.read(f"{FORMAT}:{GALLERY}:{size}", [GALLERY], load)
        return Page(list(map(unpacked, row["rows"])), row["last"] and UUID(row["last"]))

    def add(self, picture: Picture, brought: frozenset[str]) -> Picture:
        with changing(*[GALLERY] * picture.listed):
            return self.records.add(picture, brought)

    def show(self, public_id: str, result: Result, brought: frozenset[str]) -> Picture | None:
        with changing(of(public_id)):
            picture = self.records.show(public_id, result, brought)
        if picture and picture.listed:
            copies.changed(GALLERY)
        return picture

    def set_listed(self, public_id: str, listed: bool) -> None:
        with changing(of(public_id), GALLERY):
            self.records.set_listed(public_id, listed)

    def remove(self, public_id: str) -> frozenset[str] | None:
        with changing(of(public_id), GALLERY):
            return self.records.remove(public_id)


@contextmanager
def changing(*things: str) -> Iterator[None]:
    """Whether it fails or not: a commit of which nobody heard is one all the same."""
    try:
        yield
    finally:
        copies.changed(*things)
