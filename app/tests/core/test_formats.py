"""What comes in goes out as the same kind, with a mustache and otherwise as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from mustache import find_faces, mustachify
from PIL import Image, ImageCms

pillow_heif.register_heif_opener()  # to write the HEIC that is read

APP = Path(__file__).parents[2]
MODES = [
    ("JPEG", "RGB"),
    ("JPEG", "L"),
    ("JPEG", "CMYK"),
    ("PNG", "RGB"),
    ("PNG", "RGBA"),
    ("PNG", "L"),
    ("PNG", "LA"),
    ("PNG", "P"),
    ("PNG", "I;16"),
    ("WEBP", "RGB"),
    ("WEBP", "RGBA"),
    ("AVIF", "RGB"),
    ("AVIF", "RGBA"),
    ("GIF", "P"),
    ("BMP", "RGB"),
    ("BMP", "L"),
    ("TIFF", "RGB"),
    ("TIFF", "RGBA"),
    ("TIFF", "CMYK"),
    ("TIFF", "I;16"),
    ("TIFF", "F"),
    ("TIFF", "I"),
]


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        image = image.copy()
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image.convert(mode)


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    """Mean difference of each pixel's channels, 0 to 255."""
    pair = [np.asarray(each, np.float32) for each in (one, other)]
    delta = np.abs(pair[0] - pair[1])
    return delta if delta.ndim == 2 else delta.mean(axis=2)


@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_round_trip(small_face, encoded, decoded, kind, mode):
    image = in_mode(small_face, mode)
    data = encoded(image, kind)
    result = mustachify(data)
    out = decoded(result.data)
    assert len(result.faces) == 1
    assert out.format == kind
    assert (result.width, result.height) == out.size == image.size
    assert result.content_type == Image.MIME[kind]
    if mode == "I;16":
        assert out.mode == mode
        out, image = (
            Image.fromarray((np.asarray(each) >> 8).astype(np.uint8)) for each in (out, image)
        )
    shown = "RGBA" if "A" in mode else "RGB"
    if mode in ("F", "I"):  # stretched to the whole range
        low, high = image.getextrema()
        image = image.point(lambda v: (v - low) * (255 / (high - low))).convert("L")
    delta = difference(out.convert(shown), decoded_again(image, kind, mode).convert(shown))
    x, y = (round(v) for v in result.faces[0].mustache.center)
    assert delta[y - 2 : y + 4, x - 8 : x + 9].max() > 25  # a mustache
    assert np.median(delta[90:, :]) <= 3  # and far from it nothing but coding


def decoded_again(image: Image.Image, kind: str, mode: str) -> Image.Image:
    """The picture as one sees it: palettes and bilevel pictures by their colours."""
    return image.convert("RGBA") if "A" in mode else image.convert("RGB")


def test_heic_becomes_jpeg(small_face, encoded, decoded):
    result = mustachify(encoded(small_face, "HEIF"))
    assert (result.content_type, result.extension) == ("image/jpeg", "jpg")
    assert decoded(result.data).size == small_face.size
    assert len(result.faces) == 1


def test_heic_is_unsupported_without_its_extra(small_face, encoded, tmp_path):
    path = tmp_path / "me.heic"
    path.write_bytes(encoded(small_face, "HEIF"))
    script = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from mustache.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, path, "-o", tmp_path / "out.jpg"],
        cwd=APP,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert "HEIC files are not supported" in run.stderr


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_animation_keeps_frames_and_times(small_face, encoded, decoded, kind):
    frames = [
        small_face,
        small_face.rotate(8),
        small_face.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    ]
    data = encoded(
        frames[0],
        kind,
        save_all=True,
        append_images=[frame.copy() for frame in frames[1:]],
        duration=[100, 200, 300],
        loop=3,
    )
    before = decoded(data)
    result = mustachify(data)
    after = decoded(result.data)
    assert after.format == kind
    assert after.n_frames == 3
    assert len(result.faces) == 1
    for number in range(3):
        for image in (before, after):
            image.seek(number)
            image.load()
        assert after.info["duration"] == before.info["duration"]
        delta = difference(after.convert("RGB"), frames[number])
        assert delta.max() > 60  # a mustache in every frame
    assert after.info.get("loop") == before.info.get("loop")


def test_animation_that_plays_once_still_does(small_face, encoded, decoded):
    data = encoded(small_face, "GIF", save_all=True, append_images=[small_face.rotate(8)])
    assert "loop" not in decoded(data).info
    assert "loop" not in decoded(mustachify(data).data).info


def test_pixels_away_from_the_mustache_are_exact_where_the_kind_is(small_face, encoded, decoded):
    result = mustachify(encoded(small_face, "PNG"))
    changed = difference(decoded(result.data), small_face) > 0
    rows, columns = np.nonzero(changed)
    centre, width = result.faces[0].mustache.center, result.faces[0].mustache.width
    assert np.hypot(columns - centre[0], rows - centre[1]).max() < width


def test_jpeg_keeps_its_quality(portraits, encoded, decoded):
    image = portraits["astronaut"].image
    for quality, subsampling in ((60, 2), (95, 0)):
        data = encoded(image, "JPEG", quality=quality, subsampling=subsampling)
        out = decoded(mustachify(data).data)
        before = decoded(data)
        assert out.quantization == before.quantization
        assert out.layer == before.layer  # the sampling factors
        assert len(mustachify(data).data) == pytest.approx(len(data), rel=0.1)


def test_picture_without_a_face_comes_back_unchanged(picture_path, encoded, decoded):
    scene = Image.open(picture_path("flower")).resize((160, 107))
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        data = encoded(scene, kind)
        result = mustachify(data)
        assert result.faces == ()
        assert result.data == data


def test_bilevel_picture(portraits, encoded, decoded):
    result = mustachify(encoded(portraits["astronaut"].image.convert("1")))
    assert decoded(result.data).mode == "L"
    assert len(result.faces) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (9, 7), (33, 64)])
def test_smallest_pictures(encoded, decoded, size):
    result = mustachify(encoded(Image.new("RGB", size, "teal"), "PNG"))
    assert decoded(result.data).size == size
    assert result.faces == ()


def test_picture_cut_through_the_face(portraits, encoded, decoded):
    """Part of the mustache lies outside."""
    image = portraits["astronaut"].image.crop((150, 40, 300, 142))
    result = mustachify(encoded(image))
    assert decoded(result.data).size == image.size
    assert find_faces(encoded(image)) == result.faces


def test_colour_profile_is_kept(small_face, encoded, decoded):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        data = encoded(small_face, kind, icc_profile=profile)
        assert decoded(mustachify(data).data).info["icc_profile"] == profile
