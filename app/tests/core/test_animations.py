"""What was exact stays exact, what was hidden hidden, and what sticks out is cut off."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from mustache import Limits, TooManyPixels, find_faces, mustachify
from mustache.bare import bare
from mustache.formats import opened
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def frames_of(image: Image.Image) -> list[np.ndarray]:
    found = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        found.append(np.asarray(image.convert("RGBA"), int))
    return found


def turning(face: Image.Image, colours: int = 256) -> list[Image.Image]:
    """Frames of the head, each with colours of its own."""
    face.info = {}
    return [face.rotate(turn).quantize(colours) for turn in (0, 4, 8)]


def gif(frames: list[Image.Image], encoded, **options) -> bytes:
    rest = {"save_all": True, "append_images": frames[1:], "duration": 80} if frames[1:] else {}
    return encoded(frames[0], "GIF", **rest, **options)


@pytest.mark.parametrize("colours", [30, 200, 256])
@pytest.mark.parametrize("count", [1, 3])
def test_a_gif_keeps_its_colours(small_face, encoded, decoded, count, colours):
    data = gif(turning(small_face, colours)[:count], encoded)
    result = mustachify(data)
    assert result.faces
    before, after = frames_of(decoded(data)), frames_of(decoded(result.data))
    assert len(before) == len(after) == count
    for one, other in zip(before, after, strict=True):
        off = np.abs(one - other).max(axis=2)
        corner = np.r_[off[:50].ravel(), off[115:].ravel()]
        assert (corner > 0).mean() < 0.02  # one colour of 256 gives way to the hole
        assert off[70:100, 50:100].max() > 40  # the mustache


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_see_through_animations(small_face, encoded, decoded, kind):
    frames = []
    for turn in (0, 5, 10):
        frame = small_face.rotate(turn).convert("RGBA")
        hole = Image.new("L", frame.size, 255)
        hole.paste(0, (0, turn * 3, 40, turn * 3 + 30))
        frame.putalpha(hole)
        frames.append(frame)
    exact = {"lossless": True} if kind == "WEBP" else {"disposal": 2}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=80, **exact)
    result = mustachify(data)
    assert result.faces
    pairs = zip(frames_of(decoded(data)), frames_of(decoded(result.data)), strict=True)
    for one, other in pairs:
        assert np.array_equal(one[..., 3] > 127, other[..., 3] > 127)


ANIMATED = {
    "GIF": {"comment": b"made by a program"},
    "PNG": {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"},
    "WEBP": {"xmp": b"made by a program"},
}


@pytest.mark.parametrize("kind", ANIMATED)
def test_metadata_cost_no_pixel(encoded, decoded, kind):
    """Without a face; also of kinds that would lose some if they were made anew."""
    scene = Image.radial_gradient("L").resize((90, 70))
    frames = [Image.merge("RGB", [scene, scene.rotate(turn), scene]) for turn in (0, 90, 180)]
    options = {"save_all": True, "append_images": frames[1:], "duration": 90, "loop": 2}
    plain = encoded(frames[0], kind, **options)
    data = encoded(frames[0], kind, **options, **ANIMATED[kind])
    out = mustachify(data).data
    assert out != data
    assert len(out) <= len(plain) + 20
    assert out == bare(data, kind)
    for one, other in zip(frames_of(decoded(data)), frames_of(decoded(out)), strict=True):
        assert np.array_equal(one, other)
    assert decoded(out).info["loop"] == 2


def test_a_comment_costs_no_pixel_of_a_jpeg(encoded, decoded):
    scene = Image.radial_gradient("L").convert("RGB")
    data = encoded(scene, "JPEG", comment=b"made by a program", quality=70)
    out = mustachify(data).data
    assert b"program" not in out
    assert np.array_equal(*frames_of(decoded(data)), *frames_of(decoded(out)))


LOSSLESS = {
    "plain": {},
    "with a profile": {"icc_profile": SRGB},
    "with much EXIF": {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + bytes(9000)},
    "animated": {"save_all": True},
    "animated, with a profile": {"save_all": True, "icc_profile": SRGB},
}


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_webp_stays_lossless(small_face, encoded, decoded, name, alpha):
    options = dict(LOSSLESS[name])
    image = small_face.copy()
    if alpha:
        image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda v: 120 + v // 2))
    if "save_all" in options:
        options["append_images"] = [image.rotate(4)]
    data = encoded(image, "WEBP", lossless=True, **options)
    out = mustachify(data).data
    assert b"VP8L" in out
    assert b"VP8 " not in out
    off = np.abs(frames_of(decoded(data))[0] - frames_of(decoded(out))[0]).max(axis=2)
    assert 0 < (off > 0).mean() < 0.2


def test_lossy_webp_with_lossless_alpha_stays_lossy(small_face, encoded):
    image = small_face.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    out = mustachify(encoded(image, "WEBP", quality=80)).data
    assert b"ALPH" in out
    assert b"VP8 " in out


@pytest.mark.parametrize("frames", [1, 3])
def test_the_hidden_picture_of_an_apng(small_face, encoded, decoded, frames):
    data = encoded(
        Image.new("RGB", small_face.size, "navy"), save_all=True, default_image=True,
        append_images=[small_face.rotate(4 * turn) for turn in range(frames)],
        duration=[70] * frames,
    )  # fmt: skip
    result = mustachify(data)
    assert len(result.faces) == 1
    assert find_faces(data) == result.faces
    assert opened(result.data, Limits()).bare.hidden_first
    out = decoded(result.data)
    assert out.n_frames == frames + 1
    assert out.convert("RGB").getcolors(1) == [(150 * 150, (0, 0, 128))]
    out.seek(1)
    assert out.info["duration"] == 70


def sticking_out(data: bytes, left: int) -> bytes:
    """The GIF with its second frame moved to the right."""
    mark = b"\x2c\0\0\0\0\x96\0\x96\0"
    at = data.index(mark, data.index(mark) + 9) + 1
    return data[:at] + struct.pack("<H", left) + data[at + 2 :]


def test_a_gif_frame_that_sticks_out_is_cut(small_face, encoded, decoded):
    frames = turning(small_face, 64)
    data = sticking_out(
        gif([frames[0], frames[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)], encoded), 9
    )
    result = mustachify(data)
    assert (result.width, result.height) == small_face.size
    _first, second = frames_of(decoded(result.data))
    before = frames_of(decoded(data))[1][:150, :150]
    assert np.array_equal(second[:40, :150], before[:40])


def test_a_gif_frame_far_outside_is_refused(small_face, encoded):
    """Its pixels would take memory before they are cut off."""
    data = sticking_out(gif(turning(small_face, 64)[:2], encoded), 60_000)
    with pytest.raises(TooManyPixels):
        mustachify(data, limits=Limits(pixels=1_000_000))
