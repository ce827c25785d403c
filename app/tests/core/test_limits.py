"""Bad pictures are refused, each for its own reason, before they cost anything."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

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
    "data", [b"", b"\0", b"hello", b"<html></html>", b"GIF", b"\xff\xd8", bytes(5000)]
)
def test_not_a_picture(data):
    with pytest.raises(NotAPicture):
        mustachify(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"8BPS\0\1" + bytes(40), "Photoshop"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x18ftypmp42" + bytes(40), "Video"),
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


def test_jpeg_of_endless_scans(small_face, encoded):
    data = encoded(small_face, "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    with pytest.raises(TooManyPixels, match="scans"):
        mustachify(data[:start] + data[start:-2] * 20 + data[-2:])


def test_tiff_of_giant_tiles(small_face, encoded):
    data = encoded(small_face, "TIFF", compression="tiff_deflate")
    image = Image.open(io.BytesIO(data))
    image.tag_v2[322] = image.tag_v2[323] = 60_000
    out = io.BytesIO()
    image.tag_v2.save(out)
    head = struct.pack("<2sHI", b"II", 42, 8)
    with pytest.raises(PictureError):
        mustachify(head + out.getvalue())


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


def test_memory_stays_under_600_mb(tmp_path, portraits):
    """The largest picture allowed of the hungriest kinds, each in a process of its own."""
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
    frames = [Image.new("RGB", (3360, 3360), colour) for colour in ("teal", "navy")]
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
