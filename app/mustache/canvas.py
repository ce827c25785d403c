"""The decoded picture that mustaches are drawn into."""

from __future__ import annotations

import numpy as np
from PIL import Image

ENOUGH = 1.25  # times larger than wanted is near enough: scaling would take longer than it saves
SCALED = ("L", "RGB", "RGBA", "RGBX", "CMYK")


class Canvas:
    """An image, and the array behind it when they share their memory.

    Pillow treats an image over foreign memory as read-only and would copy all of it at the first
    change, so changes go into the array instead.
    """

    def __init__(self, image: Image.Image, pixels: np.ndarray | None = None) -> None:
        self.image = image
        self._pixels = pixels
        self._copy: tuple[int, Image.Image] | None = None  # its factor, and the copy

    def reduced(self, factor: int) -> Image.Image:
        """The whole picture at 1/`factor` of its size."""
        if factor == 1:
            return self.image
        if self._copy and factor % self._copy[0] == 0:
            by, copy = self._copy
            return copy if by == factor else copy.reduce(factor // by)
        if self._pixels is None or factor < 4 or factor % 2:
            return self.image.reduce(factor)
        # Means of four pixels spread over the square: good enough to find faces in, and most of
        # the memory need not be read.
        step = factor // 2
        sampled = np.ascontiguousarray(self._pixels.view(np.uint32)[::step, ::step, 0])
        size = sampled.shape[::-1]
        return Image.frombuffer("RGBX", size, sampled, "raw", "RGBX", 0, 1).reduce(2)

    def reduced_to(self, side: int) -> Image.Image | None:
        """A copy of at least `side` pixels on the longer side; None where it is hardly larger."""
        image = self.image
        if max(image.size) <= ENOUGH * side or image.mode not in SCALED:
            return None
        factor = int(max(image.size) / side)
        copy = image
        if factor > 1:
            copy = image.reduce(factor)
            self._copy = (factor, copy)
        if max(copy.size) > ENOUGH * side:
            ratio = side / max(copy.size)
            size = tuple(max(1, round(length * ratio)) for length in copy.size)
            copy = copy.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        return copy

    def put(self, patch: Image.Image, corner: tuple[int, int]) -> None:
        """Replace the pixels whose top left is `corner` by `patch` (same mode, inside)."""
        self._copy = None
        if self._pixels is None:
            self.image.paste(patch, corner)
        else:
            left, top = corner
            self._pixels[top : top + patch.height, left : left + patch.width] = np.asarray(patch)

    def replace(self, image: Image.Image) -> None:
        """Use another image of the same size from now on."""
        self.image = image
        self._pixels = self._copy = None
