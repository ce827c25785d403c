"""A mustache on every face of a picture: bytes in, bytes out.

from mustache import mustachify
result = mustachify(Path("me.jpg").read_bytes(), style="handlebar")
Path("out." + result.extension).write_bytes(result.data)
"""

from typing import TYPE_CHECKING

from mustache.errors import (
    NotAPicture,
    PictureError,
    TookTooLong,
    TooManyBytes,
    TooManyPixels,
    Truncated,
    UnknownStyle,
    UnsupportedKind,
)
from mustache.faces import Face, Mustache
from mustache.limits import Limits
from mustache.styles import STYLES, Style

if TYPE_CHECKING:
    from mustache.pipeline import Result, find_faces, mustachify, pixels_of

__version__ = "1.0.0"

__all__ = [
    "STYLES",
    "Face",
    "Limits",
    "Mustache",
    "NotAPicture",
    "PictureError",
    "Result",
    "Style",
    "TooManyBytes",
    "TooManyPixels",
    "TookTooLong",
    "Truncated",
    "UnknownStyle",
    "UnsupportedKind",
    "find_faces",
    "mustachify",
    "pixels_of",
]


def __getattr__(name: str) -> object:
    """What works on pictures brings numpy and the codecs; a page or `--help` needs none of them."""
    if name not in ("Result", "find_faces", "mustachify", "pixels_of"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mustache import pipeline

    return getattr(pipeline, name)
