"""One picture seen at several sizes: detection wants it small, refinement wants faces large."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from mustache.canvas import Canvas

Move = Callable[[np.ndarray], np.ndarray]
GREY = (128, 128, 128)
DARK, LIGHT = 96, 200  # what all but a hundredth of a dark picture stays below, and is brought to
MOST_GAIN = 32.0


def rgb(image: Image.Image) -> Image.Image:
    """`image` in 8-bit RGB, transparent parts shown on grey."""
    if image.mode == "RGB":
        return image
    if image.mode == "I;16":
        image = eight_bits(image)
    if image.mode in ("LA", "PA", "La"):
        image = image.convert("RGBA")
    if image.mode in ("RGBA", "RGBa"):
        ground = Image.new("RGBA", image.size, (*GREY, 255))
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey, which Pillow cannot resample, in 8."""
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def brighter(image: Image.Image) -> list[int] | None:
    """For a picture that is dark everywhere, what each of its values becomes."""
    counts = image.convert("L").histogram()
    below, top = 0, 0
    while top < DARK and below < 0.99 * sum(counts):
        below += counts[top]
        top += 1
    if top >= DARK or top < 2:
        return None
    gain = min(LIGHT / top, MOST_GAIN)
    return [min(255, round(value * gain)) for value in range(256)] * 3


class Views:
    """A picture (any mode) and reduced RGB copies of it, made when asked for."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = Canvas(eight_bits(canvas.image)) if canvas.image.mode == "I;16" else canvas
        self.full = self.canvas.image
        self._reduced: dict[int, Image.Image] = {}
        self._brighter: list[int] | None = None  # a table of values, for a dark picture

    def reduced(self, factor: int) -> Image.Image:
        """The whole picture in RGB, 1/`factor` of its size."""
        if factor not in self._reduced:
            image = rgb(self.canvas.reduced(factor))
            if not self._reduced:
                self._brighter = brighter(image)
            self._reduced[factor] = self.lit(image)
        return self._reduced[factor]

    def lit(self, image: Image.Image) -> Image.Image:
        """The part of a picture as bright as the networks know pictures."""
        return image.point(self._brighter) if self._brighter else image

    def fitted(self, longest: int, enlarge: float = 1.0) -> tuple[Image.Image, float]:
        """The picture with a long side of about `longest`, and pixels of it per full pixel.

        Small pictures are enlarged at most `enlarge` times.
        """
        ratio = max(self.full.size) / longest
        factor = 1
        if ratio >= 1.8:
            factor = round(ratio) if ratio < 3.5 else 2 * round(ratio / 2)
        image = self.reduced(factor)
        scale = min(longest / max(image.size), enlarge)
        # Close enough: resampling would take longer than looking at some more pixels.
        if not 0.8 < scale < 1.25 and (scale < 1 or enlarge > 1):
            size = tuple(max(1, round(length * scale)) for length in image.size)
            image = image.resize(size, Image.Resampling.BILINEAR)
        return image, image.width / self.full.width

    def upright(
        self, centre: np.ndarray, side: float, roll: float, size: int
    ) -> tuple[Image.Image, Move]:
        """The square of `side` full pixels around `centre`, turned so that `roll` is upright.

        Returns it with `size` pixels a side (black where the picture ends), and the function that
        takes its N x 2 points to points of the full picture.
        """
        cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
        turn = np.array([[cosine, -sine], [sine, cosine]])
        pixel = side / size

        def move(points: np.ndarray) -> np.ndarray:
            return (np.asarray(points) - size / 2) * pixel @ turn.T + centre

        # From the coarsest view that shows enough, only the part that the turned square touches.
        factor = max((each for each in self._reduced if each < pixel * 1.5), default=1)
        source = self._reduced.get(factor, self.full)
        part_is_lit = factor in self._reduced
        reach = side / 2 * (abs(cosine) + abs(sine)) + 2 * max(pixel, 1)
        low = np.floor((centre - reach) / factor).clip(0, source.size).astype(int)
        high = np.ceil((centre + reach) / factor).clip(0, source.size).astype(int)
        if (high <= low).any():
            return Image.new("RGB", (size, size)), move
        part = source.crop((*low.tolist(), *high.tolist()))
        corner = low * factor
        further = max(1, int(pixel / factor))
        if further > 1:
            part = part.reduce(further)
            factor *= further
        step = turn * pixel / factor
        start = (centre - corner) / factor - step @ np.array([size / 2, size / 2])
        kind = Image.Resampling.BICUBIC if pixel < 1 else Image.Resampling.BILINEAR
        matrix = (*step[0].tolist(), float(start[0]), *step[1].tolist(), float(start[1]))
        seen = rgb(part).transform((size, size), Image.Transform.AFFINE, matrix, kind)
        return (seen if part_is_lit else self.lit(seen)), move
