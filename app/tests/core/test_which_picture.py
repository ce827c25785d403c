"""Of files that hold several pictures, or numbers of 16 bits, the right ones are shown."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from mustache import UnsupportedKind, mustachify
from PIL import Image

pillow_heif.register_heif_opener()

APP = Path(__file__).parents[2]


# --- TIFF ----------------------------------------------------------------------------------------
class Tiff:
    """A little-endian TIFF of uncompressed pictures, as cameras and scanners nest them."""

    def __init__(self) -> None:
        self.data = bytearray(struct.pack("<2sHI", b"II", 42, 0))

    def picture(self, pixels: np.ndarray, following: int = 0, **tags: int | list[int]) -> int:
        """Write a picture; returns where its directory is."""
        height, width = pixels.shape[:2]
        samples = 1 if pixels.ndim == 2 else 3
        place = len(self.data)
        self.data += pixels.tobytes()
        entries = {
            256: width, 257: height, 258: [8 * pixels.itemsize] * samples, 259: 1,
            262: 1 if samples == 1 else 2, 273: place, 277: samples, 278: height,
            279: pixels.nbytes,
        } | {int(name[1:]): value for name, value in tags.items()}  # fmt: skip
        table = b""
        for tag, value in sorted(entries.items()):
            values = value if isinstance(value, list) else [value]
            kind, code = (3, "H") if tag in (258, 262) else (4, "I")
            packed = struct.pack(f"<{len(values)}{code}", *values)
            if len(packed) > 4:
                self.data += bytes(len(self.data) % 2)
                at = len(self.data)
                self.data += packed
                packed = struct.pack("<I", at)
            table += struct.pack("<HHI4s", tag, kind, len(values), packed)
        self.data += bytes(len(self.data) % 2)
        at = len(self.data)
        self.data += struct.pack("<H", len(entries)) + table + struct.pack("<I", following)
        return at

    def beginning(self, at: int) -> bytes:
        struct.pack_into("<I", self.data, 4, at)
        return bytes(self.data)


@pytest.fixture
def pixels(small_face) -> np.ndarray:
    return np.asarray(small_face)


@pytest.fixture
def small(small_face) -> np.ndarray:
    return np.asarray(small_face.resize((50, 50)))


@pytest.mark.parametrize("reduced", [{"t254": 1}, {"t255": 2}], ids=["new tag", "old tag"])
def test_the_preview_in_front_is_passed(pixels, small, reduced):
    tiff = Tiff()
    full = tiff.picture(pixels)
    another = tiff.picture(small, full, **reduced)
    result = mustachify(tiff.beginning(tiff.picture(small, another, **reduced)))
    assert result.width == 150


def test_the_picture_inside_its_preview(pixels, small):
    tiff = Tiff()
    middle, full = tiff.picture(small, t254=1), tiff.picture(pixels, t254=0)
    assert mustachify(tiff.beginning(tiff.picture(small, t254=1, t330=[middle, full]))).width == 150


def test_the_first_page_of_many(pixels, small):
    tiff = Tiff()
    assert mustachify(tiff.beginning(tiff.picture(pixels, tiff.picture(small)))).width == 150
    tiff = Tiff()
    assert (
        mustachify(tiff.beginning(tiff.picture(pixels, tiff.picture(small, t254=1)))).width == 150
    )


def test_a_preview_of_nothing_is_the_picture(pixels):
    tiff = Tiff()
    assert mustachify(tiff.beginning(tiff.picture(pixels, t254=1))).width == 150


def test_of_previews_alone_the_largest_is_the_picture(pixels, small):
    tiff = Tiff()
    mask = tiff.picture(np.zeros((200, 200, 3), np.uint8), t254=4)
    full = tiff.picture(pixels, mask, t254=1)
    assert mustachify(tiff.beginning(tiff.picture(small, full, t254=1))).width == 150


def test_directories_in_a_circle(pixels):
    tiff = Tiff()
    at = tiff.picture(pixels, t254=1)
    tiff.data[-4:] = struct.pack("<I", at)
    assert mustachify(tiff.beginning(at)).width == 150


@pytest.mark.parametrize("tags", [{"t262": 32803}, {"t262": 34892}, {"t50706": 0x401}])
@pytest.mark.parametrize("inside", [True, False])
def test_camera_raw_is_named(pixels, small, tags, inside):
    tiff = Tiff()
    raw = tiff.picture(pixels[..., 0].copy(), **tags)
    at = tiff.picture(small, t254=1, t330=raw) if inside else raw
    with pytest.raises(UnsupportedKind, match="Camera raw"):
        mustachify(tiff.beginning(at))


@pytest.mark.parametrize(
    "start",
    [b"II*\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx ", b"IIRO\x08\0"],
)
def test_other_raws_are_named(start):
    with pytest.raises(UnsupportedKind, match="Camera raw"):
        mustachify(start + bytes(200))


# --- 16 bits -------------------------------------------------------------------------------------
def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def sixteen(grey: np.ndarray, *chunks: bytes) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey)
    head = struct.pack(">IIBBBBB", *grey.shape[::-1], 16, 0, 0, 0, 0)
    parts = (
        chunk(b"IHDR", head),
        *chunks,
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture
def grey(small_face) -> np.ndarray:
    return np.asarray(small_face.convert("L")).astype(np.uint16) * 257


@pytest.mark.parametrize("value", [0, 5, 65534, 65535])
def test_16_bits_with_a_value_that_is_seen_through(grey, decoded, value):
    seen_through = chunk(b"tRNS", struct.pack(">H", value))
    result = mustachify(sixteen(grey, seen_through))
    assert result.faces == mustachify(sixteen(grey)).faces != ()
    assert seen_through in result.data
    out = np.asarray(decoded(result.data))
    assert out.dtype == np.uint16
    assert np.array_equal(out[115:], grey[115:])


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_16_bits_in_a_tiff(grey, decoded, white_is_zero):
    tiff = Tiff()
    at = tiff.picture(~grey if white_is_zero else grey, t262=0 if white_is_zero else 1)
    result = mustachify(tiff.beginning(at))
    assert len(result.faces) == 1
    assert np.array_equal(np.asarray(decoded(result.data))[115:], grey[115:])


def test_16_bits_in_the_other_order(grey, encoded, decoded):
    other = Image.frombytes("I;16B", grey.shape[::-1], grey.astype(">u2").tobytes())
    result = mustachify(encoded(other, "TIFF"))
    assert len(result.faces) == 1
    assert np.array_equal(np.asarray(decoded(result.data))[115:], grey[115:])


# --- whoever came before -------------------------------------------------------------------------
READ = """
import sys
from pathlib import Path
import mustache
print(mustache.mustachify(Path(sys.argv[1]).read_bytes()).width, end="")
"""


def read_afresh(data: bytes, folder: Path) -> str:
    path = folder / "picture"
    path.write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", READ, path], cwd=APP, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return run.stdout or run.stderr.splitlines()[-1]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "HEIF"])
def test_every_kind_is_read_by_a_new_process(encoded, tmp_path, kind):
    assert read_afresh(encoded(Image.new("RGB", (64, 48), "teal"), kind), tmp_path) == "64"


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1"])
def test_every_brand_of_heic(encoded, brand):
    data = encoded(Image.new("RGB", (64, 48), "teal"), "HEIF")
    assert mustachify(data[:8] + brand + data[12:]).width == 64


def test_avif_under_the_container_s_own_brand(encoded):
    data = encoded(Image.new("RGB", (64, 48), "teal"), "AVIF")
    assert data[8:12] == b"avif"
    result = mustachify(data[:8] + b"mif1" + data[12:])
    assert result.content_type == "image/avif"
