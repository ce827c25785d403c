"""Small copies for pages: quick to load, in a kind every browser shows, with no metadata.

JPEG, although WebP would be smaller: it takes a tenth of the time, and an upload waits for it.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING

from mustache.formats import Source, opened
from PIL import Image

from service.pictures import workbench

if TYPE_CHECKING:
    from collections.abc import Sequence

    import mustache

SHOWN_BY_BROWSERS = {"jpg", "png", "webp", "avif", "gif"}
LARGEST_SHOWN = 2048  # pixels on the longer side; larger pictures are shown as a preview
PREVIEW_SIDE = 1600
ENOUGH = 1.25  # times larger than wanted is near enough: scaling would take longer than it saves
MOST_OF_A_PROFILE = 5_000  # bytes; those that describe a screen have some hundreds
THUMBNAIL = (384, 480)
FACES_HIGH = 4  # a thumbnail shows four times the height of its largest face, if there is so much


def is_needed(extension: str, width: int, height: int) -> bool:
    """Whether a page should show a preview instead of the picture itself."""
    return extension not in SHOWN_BY_BROWSERS or max(width, height) > LARGEST_SHOWN


def of_original(made: mustache.Result, published: bytes) -> tuple[bytes, str]:
    """The preview of the picture without its mustaches, and its extension."""
    if made.copies:
        return encoded(made.copies.before, made.copies.profile)
    return preview(published)


def of_result(made: mustache.Result) -> tuple[bytes, str]:
    """The preview of the picture with its mustaches, and its extension."""
    if made.copies:
        return encoded(made.copies.after, made.copies.profile)
    return preview(made.data)


def thumbnail_of(made: mustache.Result, faces: list[dict], shown: bytes) -> tuple[bytes, str]:
    """As thumbnail() makes it of `shown`, the result or its preview."""
    if not made.copies:
        return thumbnail(shown, made.width, faces)
    small = made.copies.after
    box = around(face_in(small.size, made.width, faces), small.size)
    return detail(small, box, made.copies.profile)


def preview(data: bytes, side: int = PREVIEW_SIDE) -> tuple[bytes, str]:
    """The picture upright, about `side` pixels on its longer side, and its extension.

    `data` must have gone through the core, which refuses what is not safe to decode.
    """
    from mustache.decode import upright

    source = opened(data, workbench.LIMITS)
    image = decoded(source, side)
    if max(image.size) > side * ENOUGH:
        image = simple(image)
        image.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return encoded(upright(image, source.orientation), profile_of(source))


def profile_of(source: Source) -> bytes | None:
    from mustache import colour

    return colour.profile_of(source.bare, source.image)


def decoded(source: Source, side: int) -> Image.Image:
    """The picture, and a JPEG near the size wanted: it decodes straight to so many eighths."""
    picture = source.image
    if picture.format == "JPEG" and picture.mode == "RGB":
        import simplejpeg  # brings numpy, which pages need not wait for

        shorter = round(side * min(picture.size) / max(picture.size))
        wide = picture.width >= picture.height
        with suppress(ValueError):  # Pillow forgives more
            pixels = simplejpeg.decode_jpeg(
                source.bare.pixels, "RGB", min_width=side if wide else shorter,
                min_height=shorter if wide else side, min_factor=1,
            )  # fmt: skip
            return Image.fromarray(pixels)
    if source.bare.hidden_first:
        picture.seek(1)
    picture.load()
    return picture


def simple(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be scaled and has a profile: L, CMYK, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        from mustache.views import eight_bits

        return eight_bits(image.convert("I").convert("I;16"))
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "CMYK", "RGBX") else image.convert("RGB")


def encoded(image: Image.Image, profile: bytes | None) -> tuple[bytes, str]:
    """The small copy in RGB or RGBA, its colours described as briefly as can be."""
    image = simple(image)
    if profile and (len(profile) > MOST_OF_A_PROFILE or profile[16:20] != b"RGB "):
        # It would weigh more than the copy itself, or is for other inks: its meaning is put into
        # the numbers instead.
        from mustache import colour

        image = image.convert("RGB") if image.mode == "RGBX" else image
        image, profile = colour.as_srgb(image, profile) or image, None
    if image.mode not in ("RGBA", "RGBX"):  # which the encoder takes as RGB
        image = image.convert("RGB")
    kind, extension = ("WEBP", "webp") if image.mode == "RGBA" else ("JPEG", "jpg")
    image.info = {}
    out = io.BytesIO()
    image.save(out, kind, quality=82, method=0, icc_profile=profile)
    return out.getvalue(), extension


def thumbnail(shown: bytes, full_width: int, faces: list[dict]) -> tuple[bytes, str]:
    """An upright detail around the largest face, for the gallery, and its extension.

    `shown` is the picture or its preview; `faces` are in pixels of the picture, largest first.
    """
    source = opened(shown, workbench.LIMITS)
    size = source.image.size
    box = around(face_in(size, full_width, faces), size)
    wanted = THUMBNAIL[1] / (box[3] - box[1]) * max(size)
    image = decoded(source, min(max(size), round(wanted)))
    ratio = (image.width / size[0], image.height / size[1]) * 2
    box = [side * factor for side, factor in zip(box, ratio, strict=True)]
    return detail(image, box, profile_of(source))


def face_in(size: tuple[int, int], full_width: int, faces: list[dict]) -> list[float] | None:
    """The largest face's box in a copy of that size."""
    scale = size[0] / full_width
    return [scale * value for value in faces[0]["box"]] if faces else None


def detail(image: Image.Image, box: Sequence[float], profile: bytes | None) -> tuple[bytes, str]:
    """The part of a picture in `box`, at a thumbnail's size."""
    # Nearly to the size by whole steps: nobody sees it, and it takes a third of the time.
    small = simple(image).resize(THUMBNAIL, Image.Resampling.BICUBIC, box, reducing_gap=1.0)
    return encoded(small, profile)


def around(face: list[float] | None, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The part of a picture, in a thumbnail's proportions, that shows the face best."""
    width, height = size
    aspect = THUMBNAIL[0] / THUMBNAIL[1]
    high = min(height, width / aspect)
    x, y = width / 2, height / 2
    if face:
        high = min(high, max(FACES_HIGH * face[3], min(high, THUMBNAIL[1])))
        # A little below the face's middle, so that there is room for a collar.
        x, y = face[0] + face[2] / 2, face[1] + face[3] * 0.8
    wide = high * aspect
    left = min(max(x - wide / 2, 0), width - wide)
    top = min(max(y - high / 2, 0), height - high)
    return left, top, left + wide, top + high
