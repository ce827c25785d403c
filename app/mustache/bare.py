"""A file with nothing in it but its picture, found by walking its structure.

What is kept is listed, what is dropped is not: comments, positions, thumbnails, whatever a camera,
a program or the next standard puts into a file or behind its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Part = tuple[int, int]  # start and end in the file

# --- JPEG -------------------------------------------------------------------------------------
END, SCAN = 0xD9, 0xDA
APP0, APP2, APP14 = 0xE0, 0xE2, 0xEE
JPEG_TABLES = {*range(0xC0, 0xD0), SCAN, 0xDB, 0xDC, 0xDD} - {0xC8}
# Within a scan: any marker but a stuffed zero, a restart, or filling.
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def jpeg(data: bytes) -> Iterator[Part]:
    yield 0, 2
    at = 2
    while (start := next_marker(data, at)) is not None and data[start + 1] != END:
        code = data[start + 1]
        at = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        segment = data[start:at]
        if code == SCAN:
            at = next_marker(data, at)
        if code in JPEG_TABLES or describes_colours(code, segment):
            yield start, at
    yield start, start + 2


def next_marker(data: bytes, at: int) -> int | None:
    found = NEXT_MARKER.search(data, at)
    return found and found.start()


def describes_colours(code: int, segment: bytes) -> bool:
    """JFIF and Adobe's segment, neither with more than the standard says, and the profile."""
    return (
        (code == APP0 and segment[4:9] == b"JFIF\0" and len(segment) == 18)
        or (code == APP14 and segment[4:9] == b"Adobe" and len(segment) == 16)
        or (code == APP2 and segment[4:16] == b"ICC_PROFILE\0")
    )


# --- PNG --------------------------------------------------------------------------------------
PNG_CHUNKS = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"bKGD", b"pHYs", b"sBIT"),
    *(b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"acTL", b"fcTL", b"fdAT"),
}


def png(data: bytes) -> Iterator[Part]:
    yield 0, 8
    at, name = 8, b""
    while name != b"IEND" and at < len(data):
        start, name = at, data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4])
        if name in PNG_CHUNKS:
            yield start, at


# --- GIF --------------------------------------------------------------------------------------
TRAILER, IMAGE, CONTROL = 0x3B, 0x2C, 0xF9
LOOPS = (b"\x21\xff\x0bNETSCAPE2.0\x03\x01", b"\x21\xff\x0bANIMEXTS1.0\x03\x01")
LOOP_SIZE = 19


def gif(data: bytes) -> Iterator[Part]:
    at = 13 + colour_table(data[10])
    yield 0, at
    while data[at] != TRAILER:
        start, is_image = at, data[at] == IMAGE
        at = blocks_end(data, at + (11 + colour_table(data[at + 9]) if is_image else 2))
        block = data[start:at]
        is_loop = block.startswith(LOOPS) and len(block) == LOOP_SIZE
        if is_image or block[1] == CONTROL or is_loop:
            yield start, at
    yield at, at + 1


def colour_table(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def blocks_end(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1


# --- WebP -------------------------------------------------------------------------------------
WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
FRAME_HEAD = 16


def webp(data: bytes) -> Iterator[Part]:
    yield 0, 12
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while at < end:
        start, name = at, data[at : at + 4]
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        # A frame of an animation holds chunks of its own: its head is passed, they come next.
        at += 8 + (FRAME_HEAD if name == b"ANMF" else size + size % 2)
        if name in WEBP_CHUNKS:
            yield start, at


WALKS = {"JPEG": jpeg, "MPO": jpeg, "PNG": png, "GIF": gif, "WEBP": webp}


def bare(data: bytes, kind: str) -> bytes | None:
    """The picture (Pillow's name of its kind) alone; None where we cannot take it apart."""
    try:
        return b"".join(data[start:end] for start, end in WALKS[kind](data))
    except (KeyError, IndexError, TypeError):  # another kind, or it ends too early
        return None
