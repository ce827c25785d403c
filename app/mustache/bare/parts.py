"""What is found in a file, whatever its kind."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MOST_PARTS = 200_000  # of a file; people's have some thousands, and each takes a microsecond
ORIENTATION = 0x0112


class Broken(ValueError):
    """The file ends, or makes no sense, before its picture is complete."""


@dataclass(slots=True)
class Bare:
    """pixels: the file that decoders read, without what could disturb them.

    file: the picture alone, fit to be published; None when the kind cannot be taken apart.
    profile: an ICC profile; orientation: as EXIF counts; colours: PNG chunks that say what the
    numbers mean, or (primaries, transfer) as ISO 23091-2 numbers them.
    is_open: a JPEG that lacks its end (whose pixels may yet be complete); scans: of a JPEG;
    is_lossless: a WebP; reach: columns and rows that a GIF's frames take; hidden_first: an APNG
    whose first picture is no frame.
    """

    pixels: bytes
    file: bytes | None = None
    profile: bytes | None = None
    orientation: int = 1
    colours: tuple[bytes, ...] = ()
    code_points: tuple[int, int] | None = None
    is_open: bool = False
    scans: int = 1
    is_lossless: bool = False
    reach: tuple[int, int] = (0, 0)
    hidden_first: bool = False


def profile_in(data: bytes) -> bytes | None:
    """The ICC profile that `data` is, if it is whole."""
    if len(data) < 132 or data[36:40] != b"acsp":
        return None
    size = int.from_bytes(data[:4])
    return data[:size] if 132 <= size <= len(data) else None


def orientation_in(exif: bytes) -> int:
    """The orientation that EXIF data ask for, 1 when they make no sense."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order is None:
            return 1
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, at)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, at + 2 + 12 * number)
            if tag == ORIENTATION:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def exif_of(orientation: int) -> bytes:
    """EXIF data that say nothing but which side is up."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)
