"""From the bytes of a picture to upright pixels, in one of the modes that drawing knows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image

from mustache.canvas import Canvas
from mustache.errors import Truncated
from mustache.formats import Source, damage_is_truncated

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
STRIP = 64  # rows
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # TIFF: Pillow turns such pictures' values, but not 16 bits
DRAWN = ("L", "RGB", "RGBA", "RGBX", "CMYK", "I;16")


def bytes_in_common(source: Source) -> int:
    """How much memory the pixels of a picture take that numpy and Pillow share; else 0."""
    image = source.image
    turns = source.orientation in UPRIGHT  # then they are needed for a moment only
    shared = image.format == "JPEG" and image.mode == "RGB" and not turns
    return 4 * image.width * image.height if shared else 0


def still(source: Source, memory: np.ndarray | None = None) -> Canvas:
    """The picture, or the first frame of an animation.

    `memory` is used for its pixels if they fit exactly, which see bytes_in_common().
    """
    with damage_is_truncated():
        image = source.image
        if source.bare.is_open:
            check_pixels(source)
        if image.format == "JPEG" and image.mode == "RGB":
            canvas = jpeg(source, memory)
            if canvas is not None:
                return canvas
        if source.bare.hidden_first:
            image.seek(1)
        image.load()
        if image.format == "GIF":  # what it was is asked for when it is encoded
            return Canvas(drawable(image.copy()))
        image = instead(image, drawable(image))
        return Canvas(instead(image, upright(image, source.orientation)))


def instead(old: Image.Image, new: Image.Image) -> Image.Image:
    """`new`, when the pixels of `old` are not needed any more; a large picture's are much."""
    if new is not old:
        old.close()
    return new


def check_pixels(source: Source) -> None:
    """Refuse a JPEG without an end that does not have all its pixels either.

    The decoder complains of the first byte that is not there, and, when all pixels were, at most
    of bytes behind them.
    """
    grey = "CMYK" if source.image.mode == "CMYK" else "GRAY"
    try:
        simplejpeg.decode_jpeg(source.bare.pixels, grey)
    except ValueError as complaint:
        if "extraneous bytes before marker 0xd9" not in str(complaint):
            raise Truncated from complaint


def jpeg(source: Source, memory: np.ndarray | None = None) -> Canvas | None:
    """A colour JPEG in libjpeg-turbo's own speed; None when it has something to complain about."""
    try:
        pixels = simplejpeg.decode_jpeg(
            source.bare.pixels, "RGBX", fastdct=False, fastupsample=False, buffer=memory
        )
    except ValueError:
        return None  # Pillow forgives what can be forgiven
    height, width = pixels.shape[:2]
    image = Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)
    turn = source.orientation
    return Canvas(upright(image, turn), None if turn in UPRIGHT else pixels)


def animation(source: Source) -> Iterator[tuple[Canvas, int]]:
    """Every frame in RGBA, and the milliseconds that it is shown."""
    with damage_is_truncated():
        image = source.image
        size = image.size
        for number in range(source.frames):
            image.seek(number)
            image.load()
            frame = image.convert("RGBA")
            if frame.size != size:  # a frame sticks out
                frame = frame.crop((0, 0, *size))
            yield Canvas(upright(frame, source.orientation)), image.info.get("duration", 100)


def upright(image: Image.Image, turn: int) -> Image.Image:
    return image.transpose(UPRIGHT[turn]) if turn in UPRIGHT else image


def drawable(image: Image.Image) -> Image.Image:
    """`image` in a mode of `DRAWN` that keeps what it shows."""
    mode = image.mode
    if mode.startswith("I;16"):
        return sixteen_bits(image)
    if image.has_transparency_data and mode != "RGBA":
        return image.convert("RGBA")
    if mode in DRAWN:
        return image
    if mode in ("I", "F"):
        return stretched(image)
    return image.convert("L" if mode == "1" else "RGB")


def sixteen_bits(image: Image.Image) -> Image.Image:
    """16-bit grey in this machine's order, its least value black.

    A value that is seen through (PNG) stays in the file's description: an alpha of 16 bits there
    is none.
    """
    if image.mode != "I;16":
        image = image.convert("I").convert("I;16")
    if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        image = Image.fromarray(~np.asarray(image))
    return image


def stretched(image: Image.Image) -> Image.Image:
    """Numbers in 8 bits, as a viewer shows them: some hold 0 to 65535, some 0 to 1.

    Strip by strip: numpy's copies of all of it would take several times the picture's memory.
    """
    width, height = image.size
    strips = [(0, top, width, min(top + STRIP, height)) for top in range(0, height, STRIP)]

    def values(strip: tuple[int, int, int, int]) -> np.ndarray:
        return np.nan_to_num(np.asarray(image.crop(strip), np.float32))

    low = min(float(values(strip).min()) for strip in strips)
    high = max(float(values(strip).max()) for strip in strips)
    grey = Image.new("L", image.size)
    for strip in strips:
        scaled = (values(strip) - low) * (255 / max(high - low, 1e-9))
        grey.paste(Image.fromarray(scaled.astype(np.uint8)), strip)
    return grey
