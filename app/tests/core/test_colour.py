"""The numbers of a picture mean the same colours afterwards."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from mustache import colour, mustachify
from mustache.bare import avif
from PIL import Image, ImageCms

pillow_heif.register_heif_opener()

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = colour.numbered(12, 13)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def names(png: bytes) -> list[bytes]:
    at, found = 8, []
    while at < len(png):
        found.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4])
    return found


def for_space(space: bytes) -> bytes:
    """A profile that says it is for these numbers."""
    return SRGB[:16] + space + SRGB[20:]


def in_srgb(values: tuple[int, int, int], profile: bytes) -> tuple[int, ...]:
    return colour.as_srgb(Image.new("RGB", (1, 1), values), profile).getpixel((0, 0))


WIDE = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)  # Display P3
SAID = {
    "gamma": chunk(b"gAMA", struct.pack(">I", 100_000)),
    "chromaticities": chunk(b"cHRM", struct.pack(">8I", *WIDE)),
    "sRGB": chunk(b"sRGB", b"\0"),
    "code points": chunk(b"cICP", bytes((12, 13, 0, 1))),
    "profile": chunk(b"iCCP", b"mine\0\0" + zlib.compress(P3)),
}


@pytest.mark.parametrize("face", [True, False])
@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("said", SAID)
def test_png_says_it_still(small_face, encoded, said, animated, face):
    image = small_face if face else Image.new("RGB", (64, 64), "teal")
    image.info = {}
    options = {"save_all": True, "append_images": [image.rotate(4)]} if animated else {}
    data = encoded(image, **options)
    out = mustachify(data[:33] + SAID[said] + data[33:]).data
    assert SAID[said] in out
    assert names(out).index(SAID[said][4:8]) < names(out).index(b"IDAT")


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA"])
def test_png_of_every_mode_says_it_still(small_face, encoded, mode):
    data = encoded(small_face.convert(mode), icc_profile=None)
    assert SAID["gamma"] in mustachify(data[:33] + SAID["gamma"] + data[33:]).data


def test_a_profile_is_made_of_what_a_png_says(small_face, encoded):
    """Previews of a PNG are JPEG or WebP, which know profiles only."""
    from mustache.formats import Limits, opened

    data = encoded(small_face, icc_profile=None)
    found = {}
    for name, said in SAID.items():
        source = opened(data[:33] + said + data[33:], Limits())
        found[name] = colour.profile_of(source.bare, source.image)
    assert found["sRGB"] is None
    assert found["profile"] == P3
    linear = in_srgb((55, 55, 55), found["gamma"])
    assert all(abs(value - 128) <= 2 for value in linear)
    for name in ("chromaticities", "code points"):
        red = in_srgb((200, 60, 60), found[name])
        assert red[0] > 205
        assert in_srgb((90, 90, 90), found[name]) == pytest.approx((90, 90, 90), abs=1)


@pytest.mark.parametrize("transfer", [4, 5, 8, 16, 17, 18])
@pytest.mark.parametrize("primaries", [1, 5, 9, 12, 99])
def test_numbered_colours_make_a_profile(primaries, transfer):
    profile = colour.numbered(primaries, transfer)
    assert len(profile) < 3000
    shades = [in_srgb((value, value, value), profile) for value in range(0, 256, 15)]
    assert shades == sorted(shades)
    assert all(max(shade) - min(shade) <= 2 for shade in shades)  # grey is grey


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (1, 1), (2, 2), (1, 6)])
def test_what_screens_take_for_granted_needs_none(primaries, transfer):
    assert colour.numbered(primaries, transfer) is None


@pytest.mark.parametrize("places", [[0.3] * 8, [0.0] * 8, [0.3127, 0.329] * 4])
def test_chromaticities_that_make_no_sense(places):
    made = colour.measured(None, places)
    assert made is None or len(made) < 1000


def renumbered(data: bytes, primaries: int, transfer: int) -> bytes:
    """An AVIF or HEIC whose colours are described by these numbers."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_numbers_of_a_container_become_a_profile(small_face, encoded, decoded, kind):
    image = small_face.copy()
    image.info = {}
    options = {} if kind == "AVIF" else {"save_nclx_profile": True}
    data = encoded(image, kind, **options)
    assert "icc_profile" not in decoded(mustachify(data).data).info
    wide = renumbered(data, 12, 13)
    assert avif.code_points(wide) == (12, 13)
    assert decoded(mustachify(wide).data).info["icc_profile"] == P3


@pytest.mark.parametrize(
    ("kind", "mode", "space", "stays"),
    [
        ("JPEG", "CMYK", b"CMYK", True),
        ("JPEG", "L", b"GRAY", True),
        ("TIFF", "CMYK", b"CMYK", True),
        ("TIFF", "LAB", b"Lab ", False),
        ("PNG", "P", b"RGB ", True),
        ("PNG", "LA", b"GRAY", False),
    ],
)
def test_a_profile_goes_with_its_numbers(small_face, encoded, decoded, kind, mode, space, stays):
    data = encoded(small_face.convert(mode), kind, icc_profile=for_space(space))
    out = decoded(mustachify(data).data)
    kept = out.info.get("icc_profile")
    assert (kept is not None) == stays
    assert kept is None or colour.fits(kept, mode, out.mode)


def test_numbers_for_inks_become_numbers_for_light():
    assert colour.as_srgb(Image.new("CMYK", (2, 2)), SRGB) is None
    grey = ImageCms.ImageCmsProfile(io.BytesIO(P3)).tobytes()
    image = colour.as_srgb(Image.new("RGBA", (2, 2), (200, 60, 60, 77)), grey)
    assert image.getpixel((0, 0))[3] == 77
    assert np.asarray(image)[0, 0, 0] > 205
