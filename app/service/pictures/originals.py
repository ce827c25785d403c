"""The original as we keep and publish it: the visitor's pixels without his GPS position.

Phones write where and when into every picture. Nearly all kinds lose it here without touching a
pixel; the rest that carry any are encoded anew by the core.
"""

from mustache.bare import jpeg
from mustache.formats import KINDS, Source, opened

from service.pictures import workbench

CONTENT_TYPES = {kind.extension: kind.content_type for kind in KINDS.values()}


def published(data: bytes) -> tuple[bytes, str]:
    """The bytes to keep and their extension. `data` must have gone through the core."""
    source = opened(data, workbench.LIMITS)
    kept = data if source.is_clean() else source.alone()
    if kept is None and source.image.format == "JPEG" and source.bare.file:
        kept = jpeg.turned(source.bare.file, source.orientation)
    return kept or encoded(source), source.kind.extension


def encoded(source: Source) -> bytes:
    from mustache import decode, encode  # they bring numpy, which pages need not wait for

    if source.frames > 1:
        frames = [(each.image, each.image, time) for each, time in decode.animation(source)]
        return encode.animation(frames, source)
    return encode.still(decode.still(source).image, source)
