"""Nothing that the camera or the person wrote beside the pixels leaves with the picture."""

from __future__ import annotations

import struct
import zlib

import pytest
from mustache import find_faces, mustachify
from mustache.bare import bare
from PIL import ExifTags, Image, PngImagePlugin

SECRET = b"Baker Street 221b!"
UPRIGHT_AGAIN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def private_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.ImageDescription] = SECRET.decode()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (51.0, 31.0, 25.0)})
    return exif


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def without_face(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, 40, 30))


@pytest.mark.parametrize("see", [lambda image: image, without_face], ids=["face", "no face"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_gps_and_texts_are_stripped(small_face, encoded, decoded, kind, see):
    data = encoded(see(small_face), kind, exif=private_exif())
    assert SECRET in data
    result = mustachify(data)
    assert SECRET not in result.data
    assert not decoded(result.data).getexif().get_ifd(ExifTags.IFD.GPSInfo)


@pytest.mark.parametrize("see", [lambda image: image, without_face], ids=["face", "no face"])
def test_comments_are_stripped(small_face, encoded, see):
    image = see(small_face)
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET.decode())
    for data in (
        encoded(image, "JPEG", comment=SECRET),
        encoded(image, "GIF", comment=SECRET),
        encoded(image, "PNG", pnginfo=text),
        encoded(image, "JPEG", xmp=SECRET),
        encoded(image, "WEBP", xmp=SECRET),
        encoded(image, "JPEG") + SECRET,
        encoded(image, "PNG") + SECRET,
    ):
        assert SECRET in data
        assert SECRET not in mustachify(data).data


def segment(code: int, body: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def gif_extension(head: bytes) -> bytes:
    return b"\x21" + head + bytes((len(SECRET),)) + SECRET + b"\0"


HIDDEN = {
    "JFXX thumbnail": ("JPEG", lambda d: d[:20] + segment(0xE0, b"JFXX\0" + SECRET) + d[20:]),
    "JFIF thumbnail": ("JPEG", lambda d: d[:2] + segment(0xE0, d[6:20] + SECRET) + d[20:]),
    "other APP0": ("JPEG", lambda d: d[:2] + segment(0xE0, SECRET) + d[2:]),
    "camera's APP2": ("JPEG", lambda d: d[:20] + segment(0xE2, SECRET) + d[20:]),
    "second JPEG": ("JPEG", lambda d: d + d[:20] + segment(0xFE, SECRET) + d[20:]),
    "between segments": ("JPEG", lambda d: d[:20] + SECRET + d[20:]),
    "without an end": ("JPEG", lambda d: d[:-2] + SECRET),
    "private chunk": ("PNG", lambda d: d[:33] + png_chunk(b"prVt", SECRET) + d[33:]),
    "late text": ("PNG", lambda d: d[:-12] + png_chunk(b"tEXt", b"a\0" + SECRET) + d[-12:]),
    "second end": ("PNG", lambda d: d + SECRET + d[-12:]),
    "GIF's XMP": ("GIF", lambda d: d[:-1] + gif_extension(b"\xff\x0bXMP DataXMP") + b";"),
    "late comment": ("GIF", lambda d: d[:-1] + gif_extension(b"\xfe") + b";"),
    "plain text": ("GIF", lambda d: d[:-1] + gif_extension(b"\x01") + b";"),
    "after the trailer": ("GIF", lambda d: d + SECRET + b";"),
    "unknown chunk": ("WEBP", lambda d: riff(d[12:] + b"noTe" + struct.pack("<I", 18) + SECRET)),
}


@pytest.mark.parametrize("see", [lambda image: image, without_face], ids=["face", "no face"])
@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_places_are_emptied(small_face, encoded, decoded, see, name):
    kind, hide = HIDDEN[name]
    plain = encoded(see(small_face), kind)
    data = hide(plain)
    assert SECRET in data
    result = mustachify(data)
    assert SECRET not in result.data
    assert decoded(result.data).size == decoded(plain).size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("animated", [False, True])
def test_a_file_without_metadata_is_clean(small_face, encoded, kind, animated):
    options = {"save_all": True, "append_images": [small_face.rotate(5)], "loop": 3}
    data = encoded(small_face, kind, **(options if animated and kind != "JPEG" else {}))
    assert bare(data, kind) == data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", UPRIGHT_AGAIN)
def test_orientation_is_applied(portraits, encoded, decoded, kind, orientation):
    upright = portraits["hopper"].scaled(30)
    stored = upright.image.transpose(UPRIGHT_AGAIN[orientation])
    result = mustachify(encoded(stored, kind, exif=private_exif(orientation)))
    out = decoded(result.data)
    assert out.size == upright.image.size == (result.width, result.height)
    assert ExifTags.Base.Orientation not in out.getexif()
    (face,) = result.faces
    assert upright.fits(face), upright.off(face)
    (again,) = find_faces(encoded(stored, kind, exif=private_exif(orientation)))
    assert again == face


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_orientation_of_an_animation_is_applied(portraits, encoded, decoded, kind):
    upright = portraits["hopper"].scaled(30)
    stored = upright.image.transpose(UPRIGHT_AGAIN[6])
    options = {"save_all": True, "append_images": [stored.rotate(180)], "duration": [100, 200]}
    result = mustachify(encoded(stored, kind, exif=private_exif(6), **options))
    out = decoded(result.data)
    assert out.size == upright.image.size == (result.width, result.height)
    assert out.n_frames == 2
    assert upright.fits(result.faces[0])
