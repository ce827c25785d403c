"""WebP: the chunks of its pixels and frames, and a profile that is whole."""

from __future__ import annotations

import struct

from mustache.bare.parts import MOST_PARTS, Bare, Broken, orientation_in, profile_in

PICTURES = {b"VP8 ", b"VP8L", b"ALPH"}
FRAME_HEAD = 16
PROFILE, EXIF, XMP = 0x20, 0x08, 0x04  # flags of VP8X


def walk(data: bytes) -> Bare:
    # What it says of its length may be more than there is; its chunks tell what is missing.
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    parts: list[bytes] = []
    pictures: set[bytes] = set()
    profile, orientation, extended, seen_exif = None, 1, None, False
    at = 12
    for _ in range(MOST_PARTS):
        if at + 8 > end:
            break
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
        if len(body) < size:
            if name in PICTURES or name in (b"ANMF", b"VP8X", b"ANIM"):
                raise Broken("a chunk is cut")
            break
        if name in PICTURES:
            pictures.add(name)
            parts.append(chunk(name, body))
        elif name == b"ANMF":
            parts.append(chunk(name, frame(body, pictures)))
        elif name == b"ANIM":
            parts.append(chunk(name, body))
        elif name == b"VP8X" and extended is None:
            extended = len(parts)
            parts.append(chunk(name, body))
        elif name == b"ICCP" and profile is None and extended is not None:
            profile = profile_in(body)
            if profile is not None:
                parts.append(chunk(name, body))
        elif name == b"EXIF" and not seen_exif:
            seen_exif = True
            orientation = orientation_in(body)
    else:
        raise Broken("more chunks than any picture has")
    if not pictures:
        raise Broken("no pixels")
    if extended is not None:
        head = bytearray(parts[extended])
        if len(head) < 18:
            raise Broken("short VP8X")
        head[8] &= ~(EXIF | XMP | PROFILE)
        head[8] |= PROFILE if profile else 0
        parts[extended] = bytes(head)
    file = riff(parts)
    return Bare(
        pixels=file,
        file=file,
        profile=profile,
        orientation=orientation,
        is_lossless=b"VP8L" in pictures and b"VP8 " not in pictures,
    )


def frame(body: bytes, pictures: set[bytes]) -> bytes:
    """An animation's frame: its head, and the chunks of its picture."""
    parts = [body[:FRAME_HEAD]]
    at = FRAME_HEAD
    while at + 8 <= len(body):
        name, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        inside = body[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
        if name in PICTURES:
            pictures.add(name)
            parts.append(chunk(name, inside) if len(inside) == size else body[at:])
    return b"".join(parts)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def riff(parts: list[bytes]) -> bytes:
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body
