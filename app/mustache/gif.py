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

Box = tuple[int, int, int, int]  # left, top, right, bottom


class Painting:
    """The part of a frame that is painted: what it shows now and showed before, strip by strip.

    Arrays of all of a large picture would take several times its memory.
    """

    def __init__(self, now: Image.Image, before: Image.Image, mask: np.ndarray, box: Box) -> None:
        left, top, right, bottom = self.box = box
        self.now, self.before = now, before
        self.mask = mask[top:bottom, left:right]

    def strips(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Rows, their pixels, and which of them are painted."""
        for rows in strips(self.mask):
            yield rows, part(self.now, rows, self.box), self.mask[rows]

    def old(self, rows: slice, pixels: np.ndarray) -> np.ndarray:
        """Where the pixels of these rows are those that the picture had before."""
        if self.before is self.now:
            return np.ones(pixels.shape[:2], bool)
        return same(pixels, part(self.before, rows, self.box))


class Colours:
    """Numbers for colours, exact as long as there are enough numbers."""

    NEW, OLD = 1, 2

    def __init__(self) -> None:
        self.number = np.zeros(1 << 24, np.uint8)  # by colour

    def distinct(self, painting: Painting) -> tuple[np.ndarray, np.ndarray]:
        """The colours that are painted, and those of them that were in the picture before."""
        for rows, pixels, mask in painting.strips():
            colours, old = packed(pixels), painting.old(rows, pixels)
            self.number[colours[mask & ~old]] |= self.NEW
            self.number[colours[mask & old]] |= self.OLD
        everything = np.flatnonzero(self.number)
        kept = everything[self.number[everything] >= self.OLD]
        self.number[everything] = 0
        return everything, kept

    def palette(self, painting: Painting, most: int) -> np.ndarray:
        """At most `most` colours for what is painted, which now have numbers: old ones first."""
        everything, kept = self.distinct(painting)
        if len(kept) > most:
            kept = reduced(kept, most)
        fresh = np.setdiff1d(everything, kept, assume_unique=True)
        room = most - len(kept)
        if len(fresh) > room:
            fresh = reduced(fresh, room) if room else fresh[:0]
        found = np.concatenate([kept, fresh])
        self.number[everything] = nearest(everything, found)
        return found

    def numbers(self, painting: Painting) -> np.ndarray:
        found = np.empty(painting.mask.shape, np.uint8)
        for rows, pixels, _ in painting.strips():
            found[rows] = self.number[packed(pixels)]
        return found

    def forget(self) -> None:
        self.number[:] = 0


def strips(mask: np.ndarray) -> Iterator[slice]:
    for top in range(0, len(mask), STRIP):
        yield slice(top, min(top + STRIP, len(mask)))


def part(image: Image.Image, rows: slice, box: Box) -> np.ndarray:
    """The pixels (RGBA) of these rows of a box in the image."""
    left, top, right, _ = box
    strip = image.crop((left, top + rows.start, right, top + rows.stop))
    return np.asarray(strip if strip.mode == "RGBA" else strip.convert("RGBA"))


def packed(pixels: np.ndarray) -> np.ndarray:
    """One number per pixel (RGBA), whatever its alpha."""
    return pixels.view("<u4")[..., 0] & 0xFFFFFF


def split(colours: np.ndarray) -> np.ndarray:
    """N x 3 of N packed colours."""
    return np.stack([colours & 255, colours >> 8 & 255, colours >> 16], axis=-1)


def reduced(colours: np.ndarray, most: int) -> np.ndarray:
    """At most so many colours that stand for these."""
    image = Image.fromarray(split(colours).astype(np.uint8)[None])
    palette = image.quantize(most, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).getpalette()
    return np.unique(np.array(palette).reshape(-1, 3) @ (1, 1 << 8, 1 << 16))[:most]


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
    """A GIF of frames, each as it was (in any mode), as it is now, and its milliseconds."""
    width, height = frames[0][1].size
    parts = [b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0)]
    if loop is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop & 0xFFFF) + b"\0")
    parts += written(frames)
    return b"".join((*parts, b";"))


def written(frames: list[tuple[Image.Image, Image.Image, int]]) -> Iterator[bytes]:
    colours = Colours()
    shown: Image.Image | None = None  # what is on the screen before the frame, None: nothing
    for number, (before, now, milliseconds) in enumerate(frames):
        following = frames[number + 1][1] if number + 1 < len(frames) else None
        mask, clears = changes(now, shown, following)
        # To clear the screen a frame must cover what is on it.
        box = (0, 0, *now.size) if clears or shown is None else bounds(mask)
        painting = Painting(now, before, mask, box)
        yield from frame(colours, painting, milliseconds, CLEAR if clears else KEEP)
        shown = None if clears else now


def changes(
    now: Image.Image, shown: Image.Image | None, following: Image.Image | None
) -> tuple[np.ndarray, bool]:
    """Where a frame is painted, and whether the screen must be cleared for the one behind it."""
    whole = (0, 0, *now.size)
    mask = np.empty((now.height, now.width), bool)
    clears = False
    for rows in strips(mask):
        pixels = part(now, rows, whole)
        solid = seen(pixels)
        if following is not None and not clears:
            clears = bool((solid & ~seen(part(following, rows, whole))).any())
        mask[rows] = solid if shown is None else solid & ~same(pixels, part(shown, rows, whole))
    return mask, clears


def seen(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., 3] >= SEEN_THROUGH


def same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two pictures (RGBA) have the same pixels."""
    return (one.view(np.uint32) == other.view(np.uint32))[..., 0]


def bounds(mask: np.ndarray) -> Box:
    """Left, top, right and bottom of what is set; one pixel where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def frame(
    colours: Colours, painting: Painting, milliseconds: int, disposal: int
) -> Iterator[bytes]:
    holes = not painting.mask.all()
    palette = colours.palette(painting, MOST - holes)
    numbers = colours.numbers(painting)
    colours.forget()
    hole = len(palette)
    if holes:
        numbers[~painting.mask] = hole
        palette = np.append(palette, 0)
    image = Image.fromarray(numbers)
    image.putpalette(split(palette).astype(np.uint8).tobytes())
    options = {"include_color_table": True, "interlace": False, "disposal": disposal}
    if holes:
        options["transparency"] = hole
    corner = painting.box[:2]
    yield from GifImagePlugin.getdata(image, corner, duration=milliseconds, **options)
