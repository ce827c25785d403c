"""The original as we keep and publish it: the visitor's pixels without his GPS position.

Phones write where and when into every picture. JPEG, what nearly all of them make, loses it here
without touching a pixel; the rare other kinds that carry any are encoded anew by the core.
"""

from mustache import decode, encode
from mustache.bare import bare
from mustache.formats import KINDS, Source, opened
from PIL import Image

from service.pictures import workbench

CONTENT_TYPES = {kind.extension: kind.content_type for kind in KINDS.values()}


def published(data: bytes) -> tuple[bytes, str]:
    """The bytes to keep and their extension. `data` must have gone through the core."""
    source = opened(data, workbench.LIMITS)
    if source.is_clean():
        return data, source.kind.extension
    if source.image.format in {"JPEG", "MPO"} and (jpeg := bare(data, source.image.format)):
        turn = decode.orientation(source.image)
        return jpeg[:2] + (exif_of(turn) if turn in decode.UPRIGHT else b"") + jpeg[2:], "jpg"
    return encoded(source), source.kind.extension


def encoded(source: Source) -> bytes:
    if source.frames > 1:
        frames = [(canvas.image, timing) for canvas, timing in decode.animation(source)]
        return encode.animation(frames, source)
    return encode.still(decode.still(source).image, source)


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[decode.ORIENTATION] = orientation
    payload = exif.tobytes()
    if not payload.startswith(b"Exif\0\0"):
        payload = b"Exif\0\0" + payload
    return b"\xff\xe1" + (len(payload) + 2).to_bytes(2) + payload
