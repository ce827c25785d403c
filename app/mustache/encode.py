"""Pixels back to bytes: the kind they came in, with the colour profile, without other metadata."""

from __future__ import annotations

import io
from collections.abc import Iterable

from PIL import Image, JpegImagePlugin

from mustache.formats import Kind, Source

COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX")


def still(image: Image.Image, source: Source) -> bytes:
    """`image` as a file of the source's kind."""
    kind = source.kind
    options = dict(kind.save)
    if kind.name == "JPEG":
        image = image if image.mode in ("L", "RGB", "RGBX", "CMYK") else image.convert("RGB")
        options = like_jpeg(source) or options
    elif kind.name in ("WEBP", "AVIF"):
        image = image if image.mode in ("RGB", "RGBA") else image.convert("RGB")
    elif kind.name == "BMP" and image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    if image.mode == "RGBX" and kind.name != "JPEG":
        image = image.convert("RGB")
    return saved(image, kind, profile(image, source), options)


def profile(image: Image.Image, source: Source) -> bytes | None:
    """The colour profile, unless the picture had to leave the colour space it is for."""
    grey = ("1", "L", "LA", "I", "F", "I;16")
    before, after = ("grey" if each in grey else each for each in (source.image.mode, image.mode))
    if before != after and (before not in COLOUR or after not in COLOUR):
        return None
    return source.image.info.get("icc_profile")


def like_jpeg(source: Source) -> dict:
    """The source's own quantisation and subsampling, so that it loses no more than it has."""
    jpeg = source.image
    if jpeg.format not in ("JPEG", "MPO") or jpeg.mode == "CMYK":
        return {}
    sampling = JpegImagePlugin.get_sampling(jpeg)
    tables = jpeg.quantization
    return {
        "qtables": [tables[key] for key in sorted(tables)][:2],
        "subsampling": max(sampling, 0),
    }


def animation(frames: Iterable[tuple[Image.Image, dict]], source: Source) -> bytes:
    """The frames as an animation of the source's kind."""
    images, timings = zip(*frames, strict=True)
    options = dict(source.kind.save) | {
        "save_all": True,
        "append_images": images[1:],
        "duration": [timing["duration"] for timing in timings],
    }
    if "loop" in source.image.info:  # without, a GIF plays once
        options["loop"] = source.image.info["loop"]
    if source.kind.name == "GIF":
        options["disposal"] = 2
    return saved(images[0], source.kind, profile(images[0], source), options)


def saved(image: Image.Image, kind: Kind, icc_profile: bytes | None, options: dict) -> bytes:
    if kind.name == "TIFF":
        image = image.copy()  # Pillow's TIFF images bring all tags of their file along
    image.info = {}  # Pillow writes comments, resolution and more from here
    out = io.BytesIO()
    image.save(out, kind.name, icc_profile=icc_profile, **options)
    return out.getvalue()
