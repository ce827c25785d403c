"""GIF animations that keep their colours: what no mustache touched is written as it was."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import GifImagePlugin, Image

MOST = 256  # colours of a frame, one of them for what is seen through
KEEP, CLEAR = 1, 2  # what is done to a frame before the next one
STRIP = 64  # rows
SEEN_THROUGH = 128  # alpha below which a pixel is


class Colours:
    """Numbers for colours, exact as long as there are enough numbers."""

    def __init__(self) -> None:
        self.number = np.zeros(1 << 24, np.uint8)  # by colour

    def distinct(self, pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The colours that these pixels (RGBA) have."""
        for rows in strips(pixels):
            self.number[packed(pixels[rows])[mask[rows]]] = 1
        found = np.flatnonzero(self.number)
        self.number[found] = 0
        return found

    def palette(self, pixels: np.ndarray, paint: np.ndarray, old: np.ndarray, most: int):
        """At most `most` colours for the pixels to paint, which now have numbers.

        `old` says which of them were in the picture before: their colours come first.
        """
        everything = self.distinct(pixels, paint)
        kept = self.distinct(pixels, paint & old)
        if len(kept) > most:
            kept = reduced(kept, most)
        fresh = np.setdiff1d(everything, kept, assume_unique=True)
        room = most - len(kept)
        if len(fresh) > room:
            fresh = reduced(fresh, room) if room else fresh[:0]
        found = np.concatenate([kept, fresh])
        self.number[everything] = nearest(everything, found)
        return found

    def numbers(self, pixels: np.ndarray) -> np.ndarray:
        found = np.empty(pixels.shape[:2], np.uint8)
        for rows in strips(pixels):
            found[rows] = self.number[packed(pixels[rows])]
        return found

    def forget(self) -> None:
        self.number[:] = 0


def strips(pixels: np.ndarray) -> Iterator[slice]:
    for top in range(0, len(pixels), STRIP):
        yield slice(top, top + STRIP)


def split(colours: np.ndarray) -> np.ndarray:
    """N x 3 of N packed colours."""
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1)


def packed(pixels: np.ndarray) -> np.ndarray:
    """One number per RGB(A) pixel."""
    wide = pixels.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def reduced(colours: np.ndarray, most: int) -> np.ndarray:
    """At most so many colours that stand for these."""
    image = Image.fromarray(split(colours).astype(np.uint8)[None])
    palette = image.quantize(most, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).getpalette()
    found = np.unique(packed(np.array(palette, np.uint8).reshape(-1, 3)))
    return found[:most]


def nearest(colours: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The number of the palette's colour that is nearest to each."""
    if not len(colours):
        return np.zeros(0, np.uint8)
    wanted, there = split(colours).astype(np.float32), split(palette).astype(np.float32)
    found = []
    for start in range(0, len(wanted), 4096):
        part = wanted[start : start + 4096]
        # The squares of `part` are the same for all of the palette.
        found.append((np.square(there).sum(axis=1) - 2 * part @ there.T).argmin(axis=1))
    return np.concatenate(found).astype(np.uint8)


def encoded(frames: list[tuple[Image.Image, Image.Image, int]], loop: int | None) -> bytes:
    """A GIF of frames, each as it was (RGBA), as it is now, and its milliseconds."""
    width, height = frames[0][1].size
    parts = [b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0)]
    if loop is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop & 0xFFFF) + b"\0")
    parts += written(frames)
    return b"".join((*parts, b";"))


def written(frames: list[tuple[Image.Image, Image.Image, int]]) -> Iterator[bytes]:
    colours = Colours()
    shown: np.ndarray | None = None  # what is on the screen before the frame, None: nothing
    for number, (before, now, milliseconds) in enumerate(frames):
        pixels = np.asarray(now)
        solid = pixels[..., 3] >= SEEN_THROUGH
        clears = False
        if number + 1 < len(frames):
            following = np.asarray(frames[number + 1][1])[..., 3] >= SEEN_THROUGH
            clears = bool((solid & ~following).any())
        paint = solid
        if shown is not None:
            paint = solid & ~same(pixels, shown)
        old = kept(pixels, None if before is now else before)
        # To clear the screen a frame must cover what is on it.
        box = (0, 0, *now.size) if clears or shown is None else bounds(paint)
        yield from frame(colours, pixels, paint, old, box, milliseconds, CLEAR if clears else KEEP)
        shown = None if clears else pixels


def same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two pictures (RGBA) have the same pixels."""
    return (one.view(np.uint32) == other.view(np.uint32))[..., 0]


def kept(pixels: np.ndarray, before: Image.Image | None) -> np.ndarray:
    """Where the pixels are those of the image `before`; everywhere when there is none."""
    found = np.ones(pixels.shape[:2], bool)
    if before is not None:
        for rows in strips(pixels):
            strip = before.crop((0, rows.start, before.width, min(rows.stop, before.height)))
            found[rows] = same(pixels[rows], np.asarray(strip))
    return found


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is set; one pixel where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def frame(
    colours: Colours,
    pixels: np.ndarray,
    paint: np.ndarray,
    old: np.ndarray,
    box: tuple[int, int, int, int],
    milliseconds: int,
    disposal: int,
) -> Iterator[bytes]:
    left, top, right, bottom = box
    place = (slice(top, bottom), slice(left, right))
    pixels, paint = pixels[place], paint[place]
    holes = not paint.all()
    palette = colours.palette(pixels, paint, old[place], MOST - holes)
    numbers = colours.numbers(pixels)
    colours.forget()
    hole = len(palette)
    if holes:
        numbers[~paint] = hole
        palette = np.append(palette, 0)
    image = Image.fromarray(numbers)
    image.putpalette(split(palette).astype(np.uint8).tobytes())
    options = {"include_color_table": True, "interlace": False, "disposal": disposal}
    if holes:
        options["transparency"] = hole
    yield from GifImagePlugin.getdata(image, (left, top), duration=milliseconds, **options)
