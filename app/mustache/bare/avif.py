"""AVIF and HEIC: how their colours are described."""

from __future__ import annotations

from mustache.bare.boxes import boxes, inside
from mustache.bare.parts import Bare


def walk(data: bytes) -> Bare:
    return Bare(data, code_points=code_points(data))


def code_points(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of the file's colours, by the numbers of ISO 23091-2.

    The pictures in one file are parts of one (tiles, transparency), so the first description is
    that of all.
    """
    place = inside(data, (b"meta", b"iprp", b"ipco"), 0, len(data))
    for name, start, end in boxes(data, *place) if place else ():
        if name == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 11:
            return int.from_bytes(data[start + 4 : start + 6]), int.from_bytes(
                data[start + 6 : start + 8]
            )
    return None
