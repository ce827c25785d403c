"""Pixels back to bytes: the kind they came in, with the colour profile, without other metadata."""

from __future__ import annotations

import io

from PIL import Image, JpegImagePlugin

from mustache import colour, gif
from mustache.bare import png
from mustache.formats import Kind, Source

Frame = tuple[Image.Image, Image.Image, int]  # as it was, as it is now, milliseconds


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
    elif kind.name == "GIF":
        # Its colours are few: those of the picture go before those of the mustaches.
        return gif.encoded([(source.image, image, 0)], None)
    elif kind.name == "PNG" and image.mode == "I;16":
        options["transparency"] = source.transparency
    if image.mode == "RGBX" and kind.name != "JPEG":
        image = image.convert("RGB")
    return described(image, source, options)


def described(image: Image.Image, source: Source, options: dict) -> bytes:
    """The file, with what says how its colours are meant."""
    before = source.image.mode
    if source.kind.name == "PNG":
        kept = [
            each
            for each in source.bare.colours
            if each[4:8] != b"iCCP" or colour.fits(source.bare.profile, before, image.mode)
        ]
        return png.described(saved(image, source.kind, None, options), tuple(kept))
    profile = colour.profile_of(source.bare, source.image)
    if not colour.fits(profile, before, image.mode):
        profile = None
    return saved(image, source.kind, profile, options)


def like_jpeg(source: Source) -> dict:
    """The source's own quantisation and subsampling, so that it loses no more than it has."""
    jpeg = source.image
    if jpeg.format != "JPEG" or jpeg.mode == "CMYK":
        return {}
    sampling = JpegImagePlugin.get_sampling(jpeg)
    tables = jpeg.quantization
    return {
        "qtables": [tables[key] for key in sorted(tables)][:2],
        "subsampling": max(sampling, 0),
    }


def animation(frames: list[Frame], source: Source) -> bytes:
    """The frames as an animation of the source's kind."""
    loop = source.image.info.get("loop")  # without, a GIF plays once
    if source.kind.name == "GIF":
        return gif.encoded(frames, loop)
    images = [now for _, now, _ in frames]
    times = [milliseconds for _, _, milliseconds in frames]
    options = dict(source.kind.save) | {"save_all": True, "append_images": images[1:]}
    if source.bare.hidden_first:
        options["default_image"] = True
        times = times[1:]
    options["duration"] = times
    if loop is not None:
        options["loop"] = loop
    return described(images[0], source, options)


def saved(image: Image.Image, kind: Kind, icc_profile: bytes | None, options: dict) -> bytes:
    if kind.name == "TIFF":
        image = image.copy()  # Pillow's TIFF images bring all tags of their file along
    image.info = {}  # Pillow writes comments, resolution and more from here
    out = io.BytesIO()
    image.save(out, kind.name, icc_profile=icc_profile, **options)
    return out.getvalue()
