"""Small copies look like the picture, whatever says what its numbers mean."""

import io
import struct

import pytest
from mustache import mustachify
from PIL import Image, ImageCms
from service.pictures import previews

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def profile(space: bytes, size: int) -> bytes:
    """A profile that says it is for these numbers, made long."""
    long = bytearray(SRGB + bytes(size - len(SRGB)))
    struct.pack_into(">I", long, 0, size)
    long[16:20] = space
    return bytes(long)


@pytest.fixture(scope="module")
def picture(astronaut) -> Image.Image:
    image = astronaut.resize((600, 600))
    image.info = {}
    return image


@pytest.mark.parametrize(
    ("mode", "space"), [("CMYK", b"CMYK"), ("L", b"GRAY"), ("RGB", b"RGB "), ("RGB", b"CMYK")]
)
@pytest.mark.parametrize("size", [4_000, 400_000])
def test_profiles_fit_and_are_small(picture, mode, space, size):
    data = encoded(picture.convert(mode), icc_profile=profile(space, size))
    made = mustachify(data, copies=200)
    for small, _ in (
        previews.preview(data, 200),
        previews.thumbnail(data, 600, []),
        previews.of_original(made, data),
        previews.of_result(made),
        previews.thumbnail_of(made, [face.as_dict() for face in made.faces], b""),
    ):
        with Image.open(io.BytesIO(small)) as shown:
            kept = shown.info.get("icc_profile")
            assert shown.mode == "RGB"
            assert kept is None or kept[16:20] == b"RGB "
            assert len(kept or b"") < 5000
        assert len(small) < 60_000


def test_copies_make_the_previews_that_files_would(picture):
    """Of a large picture nothing is decoded a second time; it must not show."""
    data = encoded(picture, quality=95)
    made = mustachify(data, copies=200)
    faces = [face.as_dict() for face in made.faces]
    shown = encoded(made.copies.after.convert("RGB"), "PNG")
    pairs = (
        (previews.of_original(made, data), previews.preview(data, 250)),
        (previews.of_result(made), previews.preview(made.data, 250)),
        (previews.thumbnail_of(made, faces, made.data), previews.thumbnail(shown, 600, faces)),
    )
    for pair in pairs:
        one, other = (Image.open(io.BytesIO(data)).resize((60, 60)) for data, _ in pair)
        off = [abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True)]
        assert sum(off) / len(off) < 6
