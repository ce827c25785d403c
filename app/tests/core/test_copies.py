"""A large picture made small while its pixels are there, without and with its mustaches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from mustache import memory, mustachify
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def large(portraits) -> Image.Image:
    image = portraits["hopper"].image.resize((1200, 1400), Image.Resampling.BICUBIC)
    image.info = {}
    return image


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("WEBP", "RGB")],
)
@pytest.mark.parametrize("side", [300, 500, 1000])
def test_copies_show_the_same(large, encoded, decoded, kind, mode, side):
    data = encoded(large.convert(mode), kind)
    plain, made = mustachify(data), mustachify(data, copies=side)
    assert (made.data, made.faces) == (plain.data, plain.faces)
    assert plain.copies is None
    for copy, whole in ((made.copies.before, data), (made.copies.after, made.data)):
        assert side <= max(copy.size) <= 1.25 * side
        assert copy.width / copy.height == pytest.approx(1200 / 1400, rel=0.01)
        wanted = decoded(whole).convert("RGB").resize(copy.size, Image.Resampling.BOX)
        off = np.abs(np.asarray(copy.convert("RGB"), float) - np.asarray(wanted, float))
        assert off.mean() < 4
        assert np.percentile(off, 99) < 40


def test_copies_are_upright_and_described(large, encoded):
    exif = Image.Exif()
    exif[0x0112] = 8
    made = mustachify(encoded(large, "JPEG", exif=exif, icc_profile=SRGB), copies=400)
    assert made.copies.before.width > made.copies.before.height
    assert made.copies.profile == SRGB


@pytest.mark.parametrize("side", [1400, 1200])
def test_a_picture_that_is_hardly_larger_has_none(large, encoded, side):
    assert mustachify(encoded(large, "JPEG"), copies=side).copies is None


def test_memory_that_is_kept_shows_in_no_result(large, encoded):
    """Pictures of several sizes one after the other and at once, in memory that they share."""
    files = [
        encoded(large.rotate(turn).crop((0, 0, 1200, 1000 + turn)), "JPEG") for turn in (0, 7, 90)
    ]
    alone = []
    for data in files:
        memory._kept.clear()
        alone.append(mustachify(data, copies=300))
    assert alone[0].faces
    again = [mustachify(data, copies=300) for data in files * 2]
    assert again == alone * 2
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda data: mustachify(data, copies=300), files * 4)) == alone * 4


def test_little_memory_is_kept(large, encoded):
    mustachify(encoded(large, "JPEG"))
    assert [each.nbytes for each in memory._kept] == [1200 * 1400 * 4]
    mustachify(encoded(large.crop((0, 0, 100, 100))))  # it may need all there is
    assert memory._kept == []
