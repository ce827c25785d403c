"""How much one picture may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Checked before anything is decoded; with the defaults no picture takes 600 MB.

    `memory` bounds the estimate of what decoding, drawing and encoding hold at once, which
    depends on the kind of picture (see formats.py).
    """

    bytes: int = 30_000_000
    pixels: int = 50_000_000
    frames: int = 300
    frame_pixels: int = 40_000_000  # of all frames of an animation together
    memory: int = 420_000_000
