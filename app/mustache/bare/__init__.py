"""A file with nothing in it but its picture, found by walking its structure.

What is kept is listed, what is dropped is not: comments, positions, thumbnails, whatever a camera,
a program or the next standard puts into a file or behind its end. So nothing of it can decide
whether or how a picture is read: decoders see what is left. What says how the numbers are meant
(colours, which side is up) is read here, and believed only if it is whole.
"""

from __future__ import annotations

from collections.abc import Callable

from mustache.bare import avif, gif, jpeg, png, tiff, webp
from mustache.bare.kinds import kind_of
from mustache.bare.parts import Bare, Broken
from mustache.errors import Truncated

__all__ = ["Bare", "bare", "kind_of", "taken_apart"]

WALKS: dict[str, Callable[[bytes], Bare]] = {
    "JPEG": jpeg.walk,
    "PNG": png.walk,
    "GIF": gif.walk,
    "WEBP": webp.walk,
    "TIFF": tiff.walk,
    "AVIF": avif.walk,
    "HEIF": avif.walk,
}


def taken_apart(data: bytes, kind: str) -> Bare:
    """What is in a file of this kind; Truncated when there is no whole picture in it."""
    walk = WALKS.get(kind)
    if walk is None:
        return Bare(data)
    try:
        return walk(data)
    except Broken as error:
        raise Truncated from error


def bare(data: bytes, kind: str) -> bytes | None:
    """The picture alone, as a file; None where we cannot take it apart."""
    try:
        return taken_apart(data, "JPEG" if kind == "MPO" else kind).file
    except Truncated:
        return None
