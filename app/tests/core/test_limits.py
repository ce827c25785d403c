"""Bad pictures are refused, each for its own reason, before they cost anything."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mustache import (
    Limits,
    NotAPicture,
    PictureError,
    TooManyBytes,
    TooManyPixels,
    Truncated,
    UnknownStyle,
    UnsupportedKind,
    mustachify,
)
from mustache.detect import Candidate
from mustache.find import Budget
from mustache.formats import opened
from PIL import Image

APP = Path(__file__).parents[2]


def png_claiming(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(data)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0", b"hello", b"<html></html>", b"GIF", b"\xff\xd8", bytes(5000)),
        *(b"BMW 2002 tii", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40)),
    ],
)
def test_not_a_picture(data):
    with pytest.raises(NotAPicture):
        mustachify(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\xef\xbb\xbf<!-- drawn by hand -->\r\n<!DOCTYPE svg>\n<SVG/>", "SVG"),
        (b'\n<?xml version="1.0"?><svg/>', "SVG"),
        (b"8BPS\0\1" + bytes(40), "Photoshop"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x18ftypmp42" + bytes(40), "Video"),
        (b"RIFF\x24\0\0\0AVI LIST" + bytes(40), "Video"),
        (b"P6 1 1 255 abc", "PPM"),
    ],
)
def test_unsupported_kind_is_named(data, name):
    with pytest.raises(UnsupportedKind, match=name):
        mustachify(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_truncated(small_face, encoded, kind, part):
    data = encoded(small_face, kind)
    with pytest.raises(Truncated):
        mustachify(data[: int(len(data) * part)])


def test_too_many_bytes(small_face, encoded):
    data = encoded(small_face)
    assert mustachify(data, limits=Limits(bytes=len(data))).faces
    with pytest.raises(TooManyBytes, match="MB"):
        mustachify(data, limits=Limits(bytes=len(data) - 1))


@pytest.mark.parametrize("side", [7100, 9500, 20_000, 100_000])
def test_too_many_pixels_of_every_size(side):
    """Pillow itself only warns of some of these, and is silent about others."""
    with pytest.raises(TooManyPixels):
        mustachify(png_claiming(side, side))


def test_pixels_are_counted_before_decoding(small_face, encoded, monkeypatch):
    def never(*_arguments, **_options):
        raise AssertionError("decoded")

    data = encoded(small_face, "JPEG")
    monkeypatch.setattr("mustache.decode.still", never)
    with pytest.raises(TooManyPixels, match="150 x 150"):
        mustachify(data, limits=Limits(pixels=100))


def test_animation_of_too_many_frames(small_face, encoded):
    frames = [small_face.rotate(turn) for turn in range(1, 6)]
    data = encoded(small_face, "GIF", save_all=True, append_images=frames)
    assert mustachify(data).faces
    for limits in (Limits(frames=5), Limits(frame_pixels=100_000)):
        with pytest.raises(TooManyPixels, match="frames"):
            mustachify(data, limits=limits)


@pytest.mark.parametrize("count", [1, 40])
def test_animation_gets_so_many_looks(small_face, encoded, monkeypatch, count):
    """However many things in however many frames look like faces."""
    box = Candidate(np.array([50.0, 50]), 30, np.zeros((5, 2)), score=0.5)
    seen = [replace(box, centre=np.array([5.0 * number, 50])) for number in range(count)]
    looks = []
    monkeypatch.setattr("mustache.find.detect", lambda image, threshold: seen)
    monkeypatch.setattr("mustache.find.refined", lambda views, candidate: looks.append(candidate))
    frames = [small_face.rotate(turn) for turn in range(1, 40)]
    mustachify(encoded(small_face, "GIF", save_all=True, append_images=frames))
    budget = Budget.of_animation(40)
    assert 24 <= len(looks) <= budget.doubts
    assert Budget.of_animation(300).work <= 2000  # of about 5 ms


def test_animation_of_a_crowd_gets_so_much_work(small_face, encoded, monkeypatch):
    """Heads that are found, but only when they are turned every way."""
    places = np.arange(40) * 12.0
    crowd = [Candidate(np.array([x, 50]), 5, np.ones((5, 2)), score=0.5) for x in places]
    looks = []

    def found(views, candidate):
        looks.append(candidate)
        return candidate, None

    monkeypatch.setattr("mustache.find.detect", lambda image, threshold: crowd)
    monkeypatch.setattr("mustache.find.refined", found)
    frames = [Image.new("RGB", (500, 100), (turn, 0, 0)) for turn in range(40)]
    mustachify(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert len(looks) == Budget.of_animation(40).work / 5


def test_jpeg_of_endless_scans(small_face, encoded):
    data = encoded(small_face, "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    with pytest.raises(TooManyPixels, match="scans"):
        mustachify(data[:start] + data[start:-2] * 20 + data[-2:])


def tiff_of_one_tile(side: int) -> bytes:
    """A grey picture of 150 x 150 pixels in a tile of `side`, without the pixels."""
    tags = {
        256: 150,
        257: 150,
        258: 8,
        259: 1,
        262: 1,
        277: 1,
        322: side,
        323: side,
        324: 8,
        325: 9,
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)


def test_tiff_of_giant_tiles():
    """Libtiff would make room for a whole tile."""
    assert opened(tiff_of_one_tile(256), Limits()).image.size == (150, 150)
    with pytest.raises(Truncated):
        opened(tiff_of_one_tile(60_000), Limits())


def test_unknown_style_is_told_before_the_picture_is_read():
    with pytest.raises(UnknownStyle, match="handlebar"):
        mustachify(b"", style="beard")


def test_messages_are_one_sentence(small_face, encoded):
    data = encoded(small_face)
    for bad, limits in (
        (b"x", Limits()),
        (data[:500], Limits()),
        (data, Limits(bytes=10)),
        (data, Limits(pixels=10)),
        (b"%PDF", Limits()),
    ):
        with pytest.raises(PictureError) as error:
            mustachify(bad, limits=limits)
        message = str(error.value)
        assert message.endswith(".")
        assert message.count("\n") == 0
        assert message[0].isupper()


STILLS = [
    *(("JPEG", mode, {}) for mode in ("L", "RGB")),
    ("JPEG", "CMYK", {"progressive": True}),
    ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(("PNG", mode, {"transparency": value}) for mode, value in (("P", 3), ("RGB", (1, 2, 3)))),
    *(("WEBP", mode, {"method": 0}) for mode in ("RGB", "RGBA")),
    *(("WEBP", mode, {"method": 0, "lossless": True}) for mode in ("RGB", "RGBA")),
    *(("GIF", mode, {}) for mode in ("L", "P")),
    *(("BMP", mode, {}) for mode in ("1", "L", "P")),
    *(
        ("TIFF", mode, {"compression": "tiff_lzw"})
        for mode in ("L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F")
    ),
    *(("AVIF", mode, {"speed": 10}) for mode in ("RGB", "RGBA")),
]
ANIMATIONS = [
    (kind, "RGBA", options | {"save_all": True})
    for kind, options in (
        ("GIF", {}),
        ("PNG", {}),
        ("WEBP", {"method": 0}),
        ("AVIF", {"speed": 10}),
    )
]
SEARCH = 2  # what the search for faces holds of a picture of this size, in bytes per pixel
NUMBERS = {"GIF": 1 << 24}  # bytes that a kind takes besides, however small its picture
MEASURE = """
import gc, sys
from pathlib import Path
import mustache
from mustache.formats import bytes_per_pixel, opened

def megabytes(field):
    status = Path("/proc/self/status").read_text()
    return int(status.split(field + ":")[1].split()[0]) / 1000

for number, path in enumerate(sys.argv[1:]):
    data = Path(path).read_bytes()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = megabytes("VmRSS")
    mustache.mustachify(data)
    if number > 1:  # the first two load the networks and grow what those keep
        source = opened(data, mustache.Limits())
        width, height = source.image.size
        each = bytes_per_pixel(source.image, source.kind, source.frames)
        print((megabytes("VmHWM") - before) / (width * height / 1e6), each, source.kind.name)
"""


def measured(paths: list[Path]) -> list[tuple[float, float, str]]:
    """Of all but the first two: bytes per pixel that it took at most, and what formats.py says."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, *paths],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        # What is freed goes back to the system at once, or the next picture would seem smaller.
        env={"PYTHONPATH": str(APP), "MALLOC_MMAP_THRESHOLD_": "65536"},
    )
    lines = [line.split() for line in run.stdout.splitlines()]
    return [(float(took), float(said), kind) for took, said, kind in lines]


@pytest.mark.parametrize(("cases", "side"), [(STILLS, 1300), (ANIMATIONS, 1200)])
def test_memory_of_every_kind_and_mode(tmp_path, portraits, cases, side):
    """The estimates that keep a picture under 600 MB: 420 of them, a quarter more is allowed for.

    The default limits times what is found here is the peak; test_memory_of_the_largest looks.
    """
    whole = Image.new("RGB", (side, side), "teal")
    whole.paste(portraits["astronaut"].image.resize((side * 2 // 3,) * 2))
    paths = [tmp_path / "no face.png", tmp_path / "face.png"]
    Image.new("RGB", whole.size, "teal").save(paths[0])
    whole.save(paths[1])
    for number, (kind, mode, options) in enumerate(cases):
        image = whole.convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
        if mode.endswith("A"):
            image.putalpha(
                Image.linear_gradient("L").resize(image.size).point(lambda v: 255 - v // 2)
            )
        if "save_all" in options:
            options = options | {"append_images": [image.rotate(turn) for turn in (90, 180)]}
        else:
            options = options | {"exif": turned_on_its_side()}
        paths.append(tmp_path / f"{number}.{kind}")
        image.save(paths[-1], kind, **options)
    for case, (took, said, kind) in zip(cases, measured(paths), strict=True):
        assert kind == case[0]
        assert 2 < took <= 1.25 * said + SEARCH + NUMBERS.get(kind, 0) / side**2, case


def turned_on_its_side() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_memory_of_the_largest(tmp_path, portraits):
    """The largest picture allowed of some kinds, each in a process of its own."""
    script = textwrap.dedent(
        """
        import io, sys
        from pathlib import Path
        import mustache
        from PIL import Image
        try:
            mustache.mustachify(Path(sys.argv[1]).read_bytes())
        except mustache.PictureError as error:
            print("refused", error)
        status = Path("/proc/self/status").read_text()
        print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
        """
    )
    progressive = tmp_path / "a.jpg"
    face = portraits["astronaut"].image
    image = Image.new("RGB", (7070, 7070), "teal")
    image.paste(face)
    image.save(progressive, progressive=True, subsampling=0)
    bomb = tmp_path / "b.png"
    bomb.write_bytes(png_claiming(7070, 7070, bytes(7070 * (7070 * 3 + 1))))
    animation = tmp_path / "c.webp"
    frames = [Image.new("RGB", (2700, 2700), colour) for colour in ("teal", "navy")]
    frames[0].paste(face)
    frames[0].save(animation, save_all=True, append_images=frames[1:], method=0)
    for path in (progressive, bomb, animation):
        run = subprocess.run(
            [sys.executable, "-c", script, path],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PYTHONPATH": str(APP)},
        )
        assert "refused" not in run.stdout
        assert 100 < float(run.stdout) < 600
