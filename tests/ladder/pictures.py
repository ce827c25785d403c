"""Pictures to bring: each one new to the site, none with metadata that it would strip."""

import io
import os
from functools import cache
from pathlib import Path

import skimage.data
from PIL import Image

SIDE = 320
PATCH = 8


@cache
def _portrait() -> Image.Image:
    with Image.open(Path(skimage.data.__file__).parent / "astronaut.png") as picture:
        return picture.convert("RGB").resize((SIDE, SIDE))


def new_picture() -> bytes:
    """A portrait as JPEG, with a corner of noise that makes it unlike any other."""
    portrait = _portrait().copy()
    noise = os.urandom(PATCH * PATCH * 3)
    portrait.paste(Image.frombytes("RGB", (PATCH, PATCH), noise), (0, 0))
    out = io.BytesIO()
    portrait.save(out, "JPEG", quality=85)
    return out.getvalue()
