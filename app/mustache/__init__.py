"""A mustache on every face of a picture: bytes in, bytes out.

from mustache import mustachify
result = mustachify(Path("me.jpg").read_bytes(), style="handlebar")
Path("out." + result.extension).write_bytes(result.data)
"""

from mustache.core import Result, find_faces, mustachify
from mustache.errors import (
    NotAPicture,
    PictureError,
    TooManyBytes,
    TooManyPixels,
    Truncated,
    UnknownStyle,
    UnsupportedKind,
)
from mustache.faces import Face, Mustache
from mustache.limits import Limits
from mustache.styles import STYLES, Style

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
    "Truncated",
    "UnknownStyle",
    "UnsupportedKind",
    "find_faces",
    "mustachify",
]
