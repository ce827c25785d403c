"""Whatever the bytes are: a picture or one of our own errors, soon, in little memory."""

from __future__ import annotations

import random
import struct
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mustache import Face, PictureError, mustachify
from PIL import Image

MUTATIONS = 250
FULL_RUNS = 12  # of them with the search for faces; it does not see the bytes
SLOWEST = 10.0  # seconds that one may take on a busy machine
MEMORY = 450  # MB above what the tests themselves hold
SPANS = (64, 512, 1 << 30)
WORDS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\1\0\0")
KINDS = {
    "JPEG": {},
    "JPEG progressive": {"progressive": True},
    "PNG": {},
    "PNG animated": {"animated": True},
    "WEBP": {},
    "WEBP lossless": {"lossless": True},
    "WEBP animated": {"animated": True},
    "AVIF": {"speed": 10},
    "GIF": {},
    "GIF animated": {"animated": True},
    "BMP": {},
    "TIFF": {},
    "TIFF deflate": {"compression": "tiff_deflate"},
    "TIFF lzw": {"compression": "tiff_lzw"},
}


@pytest.fixture(autouse=True)
def _quiet_decoders():
    """Pillow warns of damaged metadata; the service shows that to nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def face() -> Face:
    points = np.array([[45, 60], [95, 60], [70, 85], [50, 105], [90, 105]], float)
    return Face.from_points(points, np.array([20, 20, 120, 140]), 0.9)


def mutated(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(max(1, min(len(out), rng.choice(SPANS))))
        match rng.randrange(6):
            case 0 if out:
                out[at] ^= 1 << rng.randrange(8)
            case 1 if out:
                out[at] = rng.choice((0, 255, 127, 128, rng.randrange(256)))
            case 2:
                del out[at : at + rng.randrange(1, 64)]
            case 3:
                out[at:at] = rng.randbytes(rng.randrange(1, 64))
            case 4:
                del out[rng.randrange(len(out) + 1) :]
            case 5:
                out[at : at + 4] = rng.choice(WORDS)
    return bytes(out)


def with_good_sums(data: bytes) -> bytes:
    """A mutated PNG whose checksums are right, so that decoding gets further."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def outcome(data: bytes) -> str:
    """ "picture" or the name of our error; anything else fails the test."""
    start = time.monotonic()
    try:
        mustachify(data)
        return "picture"
    except PictureError as error:
        return type(error).__name__
    finally:
        assert time.monotonic() - start < SLOWEST


def memory(field: str) -> float:
    """MB of this process: VmRSS now, VmHWM at most."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) / 1024


@pytest.mark.parametrize("name", KINDS)
def test_mutations(small_face, encoded, monkeypatch, face, name):
    options = dict(KINDS[name])
    if options.pop("animated", False):
        options |= {"save_all": True, "append_images": [small_face.rotate(9), small_face.rotate(4)]}
    data = encoded(small_face, name.split()[0], **options)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = memory("VmRSS")
    rng = random.Random(name)
    seen = [outcome(mutated(data, rng)) for _ in range(FULL_RUNS)]
    monkeypatch.setattr("mustache.pipeline.find", lambda canvas, **_options: (face,))
    assert outcome(data) == "picture"
    for _ in range(MUTATIONS):
        bad = mutated(data, rng)
        if name.startswith("PNG") and rng.random() < 0.8:
            bad = with_good_sums(bad)
        seen.append(outcome(bad))
    # Most got past the first bytes and into the decoder.
    assert seen.count("Truncated") + seen.count("picture") > 0.6 * len(seen)
    assert seen.count("Truncated") > 0.2 * len(seen)
    assert memory("VmHWM") - before < MEMORY


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.sampled_from(
        (
            b"",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"GIF89a",
            b"RIFF\x40\0\0\0WEBPVP8 ",
            b"RIFF\x40\0\0\0WEBPVP8L",
            b"\0\0\0\x20ftypavif",
            b"\0\0\0\x20ftypheic",
            b"BM",
            b"II*\0\x08\0\0\0",
            b"MM\0*\0\0\0\x08",
        )
    ),
    rest=st.binary(max_size=400),
)
def test_any_bytes(start, rest):
    assert outcome(start + rest) in (
        *("picture", "NotAPicture", "Truncated", "TooManyPixels", "UnsupportedKind"),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    kind=st.sampled_from(("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")),
    seed=st.integers(0, 1000),
)
def test_size_is_kept_whatever_it_is(encoded, decoded, width, height, kind, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    result = mustachify(encoded(Image.fromarray(noise), kind))
    assert (result.width, result.height) == decoded(result.data).size == (width, height)
