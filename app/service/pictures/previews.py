"""Small copies for pages: quick to load, in a kind every browser shows, with no metadata.

JPEG, although WebP would be smaller: it takes a tenth of the time, and an upload waits for it.
"""

import io
from contextlib import suppress

import simplejpeg
from mustache.decode import ORIENTATION, UPRIGHT
from PIL import Image

SHOWN_BY_BROWSERS = {"jpg", "png", "webp", "avif", "gif"}
LARGEST_SHOWN = 2048  # pixels on the longer side; larger pictures are shown as a preview
PREVIEW_SIDE = 1600
ENOUGH = 1.25  # times larger than wanted is near enough: scaling would take longer than it saves
THUMBNAIL = (384, 480)
FACES_HIGH = 4  # a thumbnail shows four times the height of its largest face, if there is so much


def is_needed(extension: str, width: int, height: int) -> bool:
    """Whether a page should show a preview instead of the picture itself."""
    return extension not in SHOWN_BY_BROWSERS or max(width, height) > LARGEST_SHOWN


def preview(data: bytes, side: int = PREVIEW_SIDE) -> tuple[bytes, str]:
    """The picture upright, about `side` pixels on its longer side, and its extension.

    `data` must have gone through the core, which refuses what is not safe to decode.
    """
    with Image.open(io.BytesIO(data)) as picture:
        profile = picture.info.get("icc_profile")
        image = simple(decoded(data, picture, side))
        # After decoding: Pillow turns TIFF by itself, and then forgets which side was up.
        turn = picture.getexif().get(ORIENTATION)
        if max(image.size) > side * ENOUGH:
            image.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return encoded(image.transpose(UPRIGHT[turn]) if turn in UPRIGHT else image, profile)


def decoded(data: bytes, picture: Image.Image, side: int) -> Image.Image:
    """The picture, and a JPEG near the size wanted: it decodes straight to so many eighths."""
    if picture.format in {"JPEG", "MPO"} and picture.mode == "RGB":
        shorter = round(side * min(picture.size) / max(picture.size))
        wide = picture.width >= picture.height
        with suppress(ValueError):  # Pillow forgives more
            pixels = simplejpeg.decode_jpeg(
                data, "RGB", min_width=side if wide else shorter,
                min_height=shorter if wide else side, min_factor=1,
            )  # fmt: skip
            return Image.fromarray(pixels)
    picture.load()
    return picture


def simple(image: Image.Image) -> Image.Image:
    """The picture in RGB or RGBA."""
    if image.mode.startswith("I"):  # 16 bit
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def encoded(image: Image.Image, icc_profile: bytes | None = None) -> tuple[bytes, str]:
    kind, extension = ("WEBP", "webp") if image.mode == "RGBA" else ("JPEG", "jpg")
    image.info = {}
    out = io.BytesIO()
    image.save(out, kind, quality=82, method=0, icc_profile=icc_profile)
    return out.getvalue(), extension


def thumbnail(shown: bytes, full_width: int, faces: list[dict]) -> tuple[bytes, str]:
    """An upright detail around the largest face, for the gallery, and its extension.

    `shown` is the picture or its preview; `faces` are in pixels of the picture, largest first.
    """
    with Image.open(io.BytesIO(shown)) as picture:
        scale = picture.width / full_width
        face = [scale * value for value in faces[0]["box"]] if faces else None
        box = around(face, picture.size)
        wanted = THUMBNAIL[1] / (box[3] - box[1]) * max(picture.size)
        image = simple(decoded(shown, picture, min(max(picture.size), round(wanted))))
        ratio = (image.width / picture.width, image.height / picture.height) * 2
        box = [side * factor for side, factor in zip(box, ratio, strict=True)]
        detail = image.resize(THUMBNAIL, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
        return encoded(detail, picture.info.get("icc_profile"))


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
