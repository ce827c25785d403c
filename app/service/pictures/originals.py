"""The original as we keep and publish it: the visitor's pixels without his GPS position.

Phones write where and when into every picture. JPEG, what nearly all of them make, loses it here
without touching a pixel; the rare other kinds that carry any are encoded anew by the core.
"""

import re

from mustache import decode, encode
from mustache.formats import KINDS, Source, opened
from PIL import Image

from service.pictures import core

CONTENT_TYPES = {kind.extension: kind.content_type for kind in KINDS.values()}

ORIENTATION = 0x0112
END, ICC = 0xD9, b"ICC_PROFILE\0"
APP0, APP2, APP14, APP15, COMMENT = 0xE0, 0xE2, 0xEE, 0xEF, 0xFE
# Within a scan: any marker but a stuffed zero, a restart, or filling.
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def published(data: bytes) -> tuple[bytes, str]:
    """The bytes to keep and their extension. `data` must have gone through the core."""
    source = opened(data, core.LIMITS)
    if source.is_clean():
        return data, source.kind.extension
    if source.image.format in {"JPEG", "MPO"}:
        return without_metadata(data, source.image.getexif().get(ORIENTATION, 1)), "jpg"
    return encoded(source), source.kind.extension


def encoded(source: Source) -> bytes:
    if source.frames > 1:
        frames = [(canvas.image, timing) for canvas, timing in decode.animation(source)]
        return encode.animation(frames, source)
    return encode.still(decode.still(source).image, source)


def without_metadata(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with nothing but its first picture, its colours and which side is up."""
    out = bytearray(jpeg[:2])
    if orientation != 1:
        out += exif_of(orientation)
    at = 2
    while True:
        marker = NEXT_MARKER.search(jpeg, at)
        if marker is None:  # cut off, as some cameras do: the decoder took it, so it may end here
            return bytes(out + jpeg[at:])
        out += jpeg[at : marker.start()] if at > 2 else b""
        code = jpeg[marker.start() + 1]
        if code == END:
            return bytes(out + b"\xff\xd9")
        at = marker.end() + int.from_bytes(jpeg[marker.end() : marker.end() + 2])
        segment = jpeg[marker.start() : at]
        if not is_metadata(code, segment):
            out += segment


def is_metadata(code: int, segment: bytes) -> bool:
    if code == APP2:
        return not segment[4:].startswith(ICC)
    return code == COMMENT or (APP0 < code <= APP15 and code != APP14)


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    payload = exif.tobytes()
    if not payload.startswith(b"Exif\0\0"):
        payload = b"Exif\0\0" + payload
    return b"\xff\xe1" + (len(payload) + 2).to_bytes(2) + payload
