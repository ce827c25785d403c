"""A picture is read for its pixels, whatever else is in its file and however that ends."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from mustache import TooManyPixels, Truncated, find_faces, mustachify
from mustache.bare import bare, jpeg, taken_apart
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RNG = np.random.default_rng(8)
CLIP = b"ftypmp42" + RNG.bytes(300_000)  # FF DA occurs in it, and FF C4, and all else


def segment(code: int, body: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body


def chunk(name: bytes, body: bytes, good: bool = True) -> bytes:
    checked = zlib.crc32(name + body) ^ (not good)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checked)


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def webp_with(plain: bytes, flag: int, *chunks: bytes) -> bytes:
    """A plain WebP of 150 x 150 in the extended form, with these chunks before its pixels."""
    head = riff_chunk(b"VP8X", bytes((flag, 0, 0, 0)) + b"\x95\0\0\x95\0\0")
    return riff(head + b"".join(chunks) + plain[12:])


# --- behind the picture --------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_what_follows_counts_for_nothing(small_face, encoded, kind):
    data = encoded(small_face, kind)
    assert mustachify(data + CLIP).faces == mustachify(data).faces != ()


def test_pictures_behind_a_jpeg(small_face, encoded):
    """Multi-picture files bring previews, depths and gain maps, each with scans of its own."""
    data = encoded(small_face, "JPEG", progressive=True)
    result = mustachify(data * 9)
    assert len(result.faces) == 1
    assert (result.width, result.height) == small_face.size


@pytest.mark.parametrize("count", [300, 4000])
def test_many_segments_and_chunks(small_face, encoded, count):
    photo, png = encoded(small_face, "JPEG"), encoded(small_face)
    assert mustachify(photo[:2] + segment(0xEB, b"\xff\xda" * 20) * count + photo[2:]).faces
    assert mustachify(png[:33] + chunk(b"tEXt", b"a\0b") * count + png[33:]).faces


def test_endless_segments_are_no_picture(small_face, encoded):
    data = encoded(small_face, "JPEG")
    with pytest.raises(Truncated):
        mustachify(data[:2] + b"\xff\xeb\0\2" * 300_000 + data[2:])


def test_scans_of_the_picture_count(small_face, encoded):
    data = encoded(small_face, "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    with pytest.raises(TooManyPixels, match="scans"):
        mustachify(data[:start] + data[start:-2] * 20 + data[-2:])


# --- beside it -----------------------------------------------------------------------------------
ANCILLARY = {
    b"tEXt": b"Comment\0hello",
    b"zTXt": b"Comment\0\0" + zlib.compress(bytes(9_000_000)),
    b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(bytes(9_000_000)),
    b"iCCP": b"profile\0\0" + zlib.compress(bytes(9_000_000)),
    b"eXIf": b"II*\0\xff\xff\xff\xff",
    b"gAMA": b"\0",
    b"cHRM": bytes(5),
    b"sRGB": b"",
    b"cICP": b"\1",
    b"pHYs": bytes(2),
    b"tIME": b"",
    b"bKGD": b"",
    b"sBIT": bytes(9),
    b"hIST": bytes(3),
    b"sPLT": b"",
    b"tRNS": bytes(3),
    b"prVt": bytes(300),
}


@pytest.mark.parametrize("good", [True, False], ids=["", "wrong sum"])
@pytest.mark.parametrize("late", [False, True], ids=["", "behind the pixels"])
@pytest.mark.parametrize("name", ANCILLARY)
def test_odd_chunks(small_face, encoded, decoded, name, late, good):
    data = encoded(small_face, icc_profile=None)
    place = len(data) - 12 if late else 33
    odd = data[:place] + chunk(name, ANCILLARY[name], good) + data[place:]
    result = mustachify(odd)
    assert result.faces == mustachify(data).faces
    assert name not in result.data
    assert bare(odd, "PNG") == data


@pytest.mark.parametrize("at", [29, 20], ids=["sum", "height"])
def test_the_header_of_a_png_is_checked(small_face, encoded, at):
    data = bytearray(encoded(small_face))
    data[at] ^= 1
    with pytest.raises(Truncated):
        mustachify(bytes(data))


def icc(number: int, of: int, body: bytes = SRGB) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0" + bytes((number, of)) + body)


@pytest.mark.parametrize(
    "odd",
    [
        *(segment(code, b"") for code in range(0xE0, 0xF0)),
        segment(0xE0, b"JFIF\0"),
        segment(0xE0, b"JFXX\0\x10"),
        segment(0xE1, b"Exif\0\0"),
        segment(0xE1, b"Exif\0\0II*\0" + b"\xff" * 40),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"),
        segment(0xE2, b"ICC_PROFILE\0\1"),
        segment(0xE2, b"MPF\0II*\0"),
        icc(2, 2),
        icc(1, 3),
        icc(1, 1) * 2,
        icc(0, 1),
        icc(1, 1, SRGB[:100]),
        segment(0xED, b"Photoshop 3.0\x008BIM"),
        segment(0xEE, b"Adobe\0\x64"),
        segment(0xFE, b""),
        b"\xff\xfe\0\0",
        b"\xff\xff\xff",
        b"between",
    ],
    ids=lambda odd: repr(odd[:18]),  # a profile goes on with the moment it was made at
)
def test_odd_segments(small_face, encoded, odd):
    data = encoded(small_face, "JPEG")
    result = mustachify(data[:20] + odd + data[20:])
    assert result.faces == mustachify(data).faces


@pytest.mark.parametrize("parts", [1, 3])
def test_a_whole_profile_stays(small_face, encoded, decoded, parts):
    data = encoded(small_face, "JPEG")
    size = -(-len(SRGB) // parts)
    profile = [icc(n + 1, parts, SRGB[n * size : (n + 1) * size]) for n in range(parts)]
    photo = data[:2] + b"".join(reversed(profile)) + data[2:]
    assert decoded(mustachify(photo).data).info["icc_profile"] == SRGB


@pytest.mark.parametrize(
    "name", [b"EXIF", b"XMP ", b"ICCP", b"noTe"], ids=["EXIF", "XMP", "profile", "unknown"]
)
@pytest.mark.parametrize("body", [b"", b"\xff", b"Exif\0\0MM\0*" + b"\xff" * 30, bytes(70_001)])
def test_odd_chunks_of_a_webp(small_face, encoded, name, body):
    plain = encoded(small_face, "WEBP")
    odd = webp_with(plain, 0x2C, riff_chunk(name, body))
    result = mustachify(odd)
    assert len(result.faces) == 1
    stripped = bare(odd, "WEBP")
    assert len(stripped) < len(plain) + 30
    assert np.array_equal(*(np.asarray(Image.open(io.BytesIO(each))) for each in (plain, stripped)))


@pytest.mark.parametrize(
    "odd",
    [
        b"\x21\xfe\0",
        b"\x21\xfe" + b"\xff" + bytes(255) + b"\0",
        b"\x21\xff\x0bNETSCAPE2.0\0",
        b"\x21\xff\x0bNETSCAPE2.0\x01\x01\0",
        b"\x21\xff\x03abc\0",
        b"\x21\x01\x0c" + bytes(12) + b"\0",
        b"\x21\xf9\x01\0\0",
        b"\x21\x77\x02ab\0",
        bytes(7),
    ],
    ids=repr,
)
def test_odd_blocks_of_a_gif(small_face, encoded, odd):
    data = encoded(small_face.quantize(64), "GIF")
    first = taken_apart(data, "GIF").file.index(b"\x2c\0\0\0\0\x96\0\x96\0")
    with_odd = data[:first] + odd + data[first:]
    assert mustachify(with_odd).faces == mustachify(data).faces
    assert bare(with_odd, "GIF") == data


@pytest.mark.parametrize("kind", ["a wrong type", "endless", "behind the end", "text"])
def test_odd_tags_of_a_tiff(small_face, encoded, kind):
    data = bytearray(encoded(small_face, "TIFF", software="mine", resolution=72))
    at = int.from_bytes(data[4:8], "little") + 2
    tags = [int.from_bytes(data[at + 12 * n : at + 12 * n + 2], "little") for n in range(20)]
    place = at + 12 * tags.index(305)
    value = {
        "a wrong type": (305, 99, 1, 0),
        "endless": (700, 1, 0xFFFFFFF0, 8),
        "behind the end": (34675, 7, 3000, 0x7FFFFFFF),
        "text": (34665, 2, 4, 0),
    }[kind]
    struct.pack_into("<HHII", data, place, *value)
    assert len(mustachify(bytes(data)).faces) == 1


# --- at its end ----------------------------------------------------------------------------------
JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 4},
    "progressive, restarts": {"progressive": True, "restart_marker_blocks": 4},
    "grey": {"mode": "L"},
    "grey, progressive": {"mode": "L", "progressive": True},
    "CMYK": {"mode": "CMYK"},
}


@pytest.mark.parametrize(
    "tail",
    [b"", b"\xff", b"\0\0\0", b"MotionPhoto_Data" + RNG.bytes(9000)],
    ids=["cut", "half a marker", "zeros", "a clip"],
)
@pytest.mark.parametrize("name", JPEGS)
def test_jpeg_with_all_pixels_and_no_end(small_face, encoded, name, tail):
    options = dict(JPEGS[name])
    image = small_face.convert(options.pop("mode", "RGB"))
    data = encoded(image, "JPEG", **options)
    assert mustachify(data[:-2] + tail).faces == mustachify(data).faces != ()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.97])
@pytest.mark.parametrize("name", JPEGS)
def test_jpeg_without_all_pixels(small_face, encoded, name, part):
    options = dict(JPEGS[name])
    image = small_face.convert(options.pop("mode", "RGB"))
    data = encoded(image, "JPEG", **options)
    with pytest.raises(Truncated):
        mustachify(data[: int(len(data) * part)])


def test_progressive_jpeg_cut_between_its_scans(small_face, encoded):
    """It shows something, but less than was taken."""
    data = encoded(small_face, "JPEG", progressive=True)
    with pytest.raises(Truncated):
        mustachify(data[: data.rindex(b"\xff\xda")])


@pytest.mark.parametrize("missing", [1, 4, 12, 14, 16])
def test_png_without_its_end(small_face, encoded, missing):
    data = encoded(small_face)
    assert mustachify(data[:-missing]).faces == mustachify(data).faces != ()


@pytest.mark.parametrize("more", [1, 2, 1000, 0xFFFFFFF0])
def test_webp_that_says_it_is_longer_than_it_is(small_face, encoded, more):
    data = bytearray(encoded(small_face, "WEBP"))
    length = min(len(data) - 8 + more, 0xFFFFFFFE)
    data[4:8] = struct.pack("<I", length)
    assert mustachify(bytes(data)).faces


@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("animated", [False, True])
def test_webp_without_all_pixels(small_face, encoded, part, animated):
    options = {"save_all": True, "append_images": [small_face.rotate(9)]} if animated else {}
    data = encoded(small_face, "WEBP", **options)
    with pytest.raises(Truncated):
        mustachify(data[: int(len(data) * part)])


@pytest.mark.parametrize("said", [4, 300, 2**31 - 1])
def test_an_animation_that_says_it_has_more_frames_than_it_has(small_face, encoded, decoded, said):
    frames = [small_face.rotate(turn) for turn in (3, 6)]
    data = encoded(small_face, save_all=True, append_images=frames, duration=[10, 20, 30], loop=2)
    place = data.index(b"acTL") - 4
    wrong = data[:place] + chunk(b"acTL", struct.pack(">II", said, 2)) + data[place + 20 :]
    image = decoded(mustachify(wrong).data)
    assert (image.n_frames, image.info["loop"]) == (3, 2)


@pytest.mark.parametrize("reserved", [b"GIMP", b"\xff\xff\0\0"])
def test_a_bmp_with_something_in_what_is_reserved(small_face, encoded, reserved):
    data = encoded(small_face, "BMP")
    assert mustachify(data[:6] + reserved + data[10:]).faces


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("animated", [False, True])
def test_gif_without_its_end(small_face, encoded, decoded, cut, animated):
    options = {"save_all": True, "append_images": [small_face.rotate(9)]} if animated else {}
    data = encoded(small_face, "GIF", **options)
    result = mustachify(data[:-cut])
    assert result.faces == mustachify(data).faces != ()
    assert getattr(decoded(result.data), "n_frames", 1) == 1 + animated


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_filling_at_the_end(small_face, encoded, kind):
    data = encoded(small_face, kind)
    assert find_faces(data + bytes(4096)) == find_faces(data) != ()


def test_webp_without_its_last_filling_byte(small_face, encoded):
    faces = (small_face.crop((0, 0, 150, 150 - rows)) for rows in range(30))
    files = (encoded(face, "WEBP", lossless=True) for face in faces)
    data = next(each for each in files if int.from_bytes(each[16:20], "little") % 2)
    assert mustachify(data[:-1]).faces


# --- which side is up ----------------------------------------------------------------------------
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description tiff:Orientation="8"/></rdf:RDF></x:xmpmeta>'
)


def xmp_in(kind: str, image: Image.Image, encoded) -> bytes:
    if kind == "PNG":
        data = encoded(image)
        return data[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + data[33:]
    if kind == "TIFF":
        return encoded(image, "TIFF", tiffinfo={700: XMP})
    return encoded(image, kind, xmp=XMP)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp_turns_no_picture(small_face, encoded, kind):
    image = small_face.crop((0, 0, 150, 130))
    data = xmp_in(kind, image, encoded)
    assert XMP in data
    result = mustachify(data)
    assert (result.width, result.height) == image.size


def test_exif_turns_it_whatever_xmp_says(small_face, encoded):
    image = small_face.crop((0, 0, 150, 130))
    exif = Image.Exif()
    exif[0x0112] = 6
    result = mustachify(encoded(image, "JPEG", exif=exif, xmp=XMP))
    assert (result.width, result.height) == image.size[::-1]


@pytest.mark.parametrize("value", [0, 9, 70])
def test_orientations_that_mean_nothing(small_face, encoded, value):
    image = small_face.crop((0, 0, 150, 130))
    result = mustachify(jpeg.turned(encoded(image, "JPEG"), value))
    assert (result.width, result.height) == image.size
