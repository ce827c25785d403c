"""From the bytes of a picture to upright pixels, in one of the modes that drawing knows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image

from mustache.canvas import Canvas
from mustache.errors import Truncated
from mustache.formats import Source, damage_is_truncated

ORIENTATION = 0x0112
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
DRAWN = ("L", "RGB", "RGBA", "RGBX", "CMYK", "I;16")


def still(source: Source) -> Canvas:
    """The picture, or the first frame of an animation."""
    with damage_is_truncated():
        image = source.image
        if image.format in ("JPEG", "MPO") and image.mode == "RGB":
            canvas = jpeg(source)
            if canvas is not None:
                return canvas
        image.load()
        turn = orientation(image)
        image = instead(image, drawable(image))
        return Canvas(instead(image, upright(image, turn)))


def instead(old: Image.Image, new: Image.Image) -> Image.Image:
    """`new`, when the pixels of `old` are not needed any more; a large picture's are much."""
    if new is not old:
        old.close()
    return new


def jpeg(source: Source) -> Canvas | None:
    """A colour JPEG in libjpeg-turbo's own speed; None when it has something to complain about."""
    try:
        pixels = simplejpeg.decode_jpeg(source.data, "RGBX", fastdct=False, fastupsample=False)
    except ValueError:
        return None  # Pillow forgives what can be forgiven
    height, width = pixels.shape[:2]
    image = Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)
    turn = orientation(source.image)
    return Canvas(upright(image, turn), None if turn in UPRIGHT else pixels)


def animation(source: Source) -> Iterator[tuple[Canvas, dict]]:
    """Every frame in RGBA with what its time and place in the file need to be kept."""
    with damage_is_truncated():
        image = source.image
        size = image.size
        for number in range(source.frames):
            image.seek(number)
            image.load()
            if image.size != size:
                raise Truncated  # a frame larger than the animation
            frame = upright(image.convert("RGBA"), orientation(image))
            yield Canvas(frame), {"duration": image.info.get("duration", 100)}


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 when there is none that makes sense."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # any damage to metadata that we throw away anyway
        return 1


def upright(image: Image.Image, turn: int) -> Image.Image:
    return image.transpose(UPRIGHT[turn]) if turn in UPRIGHT else image


def drawable(image: Image.Image) -> Image.Image:
    """`image` in a mode of `DRAWN` that keeps what it shows."""
    mode = image.mode
    if image.has_transparency_data and mode != "RGBA":
        return image.convert("RGBA")
    if mode in DRAWN:
        return image
    if mode.startswith("I;16"):
        return image.convert("I").convert("I;16")
    if mode in ("I", "F"):
        return stretched(image)
    return image.convert("L" if mode == "1" else "RGB")


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
