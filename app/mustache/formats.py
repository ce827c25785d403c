"""Pictures from bytes and back: what is read, how much it may take, how it is written again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from mustache.bare import Bare, kind_of, taken_apart
from mustache.bare.parts import ORIENTATION
from mustache.errors import (
    NotAPicture,
    PictureError,
    TooManyBytes,
    TooManyPixels,
    Truncated,
    UnsupportedKind,
)
from mustache.limits import Limits


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of picture, by Pillow's name.

    memory: bytes per pixel at the worst moment of decoding, drawing and encoding (measured).
    """

    name: str
    content_type: str
    extension: str
    memory: float
    save: dict = field(default_factory=dict)


JPEG = Kind("JPEG", "image/jpeg", "jpg", 8.4, {"quality": 92})
WEBP_LOSSLESS = Kind(
    "WEBP", "image/webp", "webp", 33, {"lossless": True, "quality": 20, "method": 0}
)
KINDS = {
    "JPEG": JPEG,
    "PNG": Kind("PNG", "image/png", "png", 8, {"compress_level": 4}),
    "WEBP": Kind("WEBP", "image/webp", "webp", 17, {"quality": 90, "method": 2}),
    "AVIF": Kind("AVIF", "image/avif", "avif", 29, {"quality": 80, "speed": 8}),
    "GIF": Kind("GIF", "image/gif", "gif", 10),
    "BMP": Kind("BMP", "image/bmp", "bmp", 12),
    "TIFF": Kind("TIFF", "image/tiff", "tif", 12, {"compression": "tiff_adobe_deflate"}),
    "HEIF": replace(JPEG, memory=12),
}
# Modes that take more than their kind does: the encoder works hard on what is transparent, a
# progressive JPEG is held as coefficients of all its four inks.
MODE_MEMORY = {("WEBP", "RGBA"): 33, ("AVIF", "RGBA"): 35, ("JPEG", "CMYK"): 11}
# Of an animation, besides: what its encoder compares, and what each frame is held in.
ANIMATION_MEMORY, FRAME_MEMORY = 20, 10
MOST_SCANS = 60
TILE_SIDES = (322, 323)  # TIFF tags
TEXT = 4096  # bytes of comments and declarations in front of an SVG
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")

# Importing a plugin registers its kind; the others of Pillow's fifty stay away.
READERS = (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# What people do send and we do not read; the first bytes, and what to call it.
OTHERS = (
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\0\0\1\0", "Icon"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"P6", "PPM"),
    (4, b"ftypcrx ", "Camera raw"),
    (0, b"FUJIFILMCCD-RAW", "Camera raw"),
    (0, b"IIU\0", "Camera raw"),
    (0, b"IIRO", "Camera raw"),
    (0, b"IIRS", "Camera raw"),
    (0, b"MMOR", "Camera raw"),
    (0, b"FOVb", "Camera raw"),
    (4, b"ftyp", "Video"),
    (0, b"\x1a\x45\xdf\xa3", "Video"),
    (8, b"AVI ", "Video"),
)


@contextmanager
def damage_is_truncated() -> Iterator[None]:
    """Decoders meet broken data with all kinds of errors; here they are all one."""
    try:
        yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise TooManyPixels("The picture has too many pixels.") from None
    except Exception as error:
        raise Truncated from error


@dataclass(slots=True)
class Source:
    """A picture whose header was read and whose size was found acceptable.

    bare: what is in its file; frames: one more than are shown when bare.hidden_first.
    """

    data: bytes
    bare: Bare
    image: ImageFile.ImageFile
    kind: Kind
    frames: int
    orientation: int

    @property
    def transparency(self) -> int | None:
        """The one value of a 16-bit grey picture that is seen through."""
        value = self.image.info.get("transparency")
        return value if isinstance(value, int) else None

    def is_clean(self) -> bool:
        """The file holds nothing but the picture: it may be given back as it is."""
        return self.bare.file == self.data

    def alone(self) -> bytes | None:
        """The file without anything but its picture, the same to the last pixel.

        None when that is not to be had without making the picture anew.
        """
        return self.bare.file if self.orientation == 1 else None


def heic_is_installed() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def opened(data: bytes, limits: Limits) -> Source:
    """The picture in `data`, not decoded yet."""
    if len(data) > limits.bytes:
        raise TooManyBytes(len(data), limits.bytes)
    # By our own look at the file: what Pillow can open depends on who else uses it.
    name = kind_of(data)
    if name is None:
        raise unidentified(data)
    if name == "HEIF" and not heic_is_installed():
        raise UnsupportedKind("HEIC")
    with damage_is_truncated():
        bare = taken_apart(data, name)
        image = Image.open(io.BytesIO(bare.pixels), formats=[name])
        kind = WEBP_LOSSLESS if bare.is_lossless else KINDS[name]
        check_size(image, kind, limits, bare.reach)
        check_effort(image, bare)
        frames = 1
        if kind.name in ANIMATED:
            frames = getattr(image, "n_frames", 1)
            check_frames(image, kind, frames, limits)
        orientation = orientation_of(image) if name in ("AVIF", "HEIF") else bare.orientation
    return Source(data, bare, image, kind, frames, orientation)


def orientation_of(image: Image.Image) -> int:
    """What the reader of a kind that turns pictures by its own means made of it."""
    image.info.pop("xmp", None)  # Pillow would turn by it, nobody else does
    return image.getexif().get(ORIENTATION, 1)


def unidentified(data: bytes) -> PictureError:
    text = data[:TEXT].removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<") and b"<svg" in text.lower():
        return UnsupportedKind("SVG")
    for at, magic, name in OTHERS:
        if data[at : at + len(magic)] == magic:
            return UnsupportedKind(name)
    return NotAPicture()


def bytes_per_pixel(image: Image.Image, kind: Kind, frames: int = 1) -> float:
    still = MODE_MEMORY.get((kind.name, image.mode), kind.memory)
    return still if frames == 1 else still + ANIMATION_MEMORY + frames * FRAME_MEMORY


def check_size(
    image: Image.Image, kind: Kind, limits: Limits, reach: tuple[int, int] = (0, 0)
) -> None:
    """`reach`: what frames take that stick out."""
    width, height = (max(each) for each in zip(image.size, reach, strict=True))
    allowed = min(limits.pixels, int(limits.memory / bytes_per_pixel(image, kind)))
    if width * height > allowed:
        raise TooManyPixels(
            f"The picture has {width} x {height} pixels, more than the "
            f"{allowed / 1e6:.0f} million allowed."
        )


def check_effort(image: Image.Image, bare: Bare) -> None:
    """Refuse small pictures that are made to take long or much memory."""
    # Each scan of a progressive JPEG goes over the whole picture; encoders write about ten.
    if bare.scans > MOST_SCANS:
        raise TooManyPixels(
            f"The picture has {bare.scans} scans, more than the {MOST_SCANS} allowed."
        )
    if image.format == "TIFF":
        width, height = (int(image.tag_v2.get(tag, 0)) for tag in TILE_SIDES)
        if width * height > 4 * image.width * image.height + 2**20:
            raise Truncated


def check_frames(image: Image.Image, kind: Kind, frames: int, limits: Limits) -> None:
    if frames == 1:
        return
    width, height = image.size
    memory = width * height * bytes_per_pixel(image, kind, frames)
    together = width * height * frames
    if frames > limits.frames or together > limits.frame_pixels or memory > limits.memory:
        raise TooManyPixels(
            f"The animation has {frames} frames of {width} x {height} pixels, more than allowed."
        )
