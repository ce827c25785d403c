"""Nothing that the camera or the person wrote beside the pixels leaves with the picture."""

from __future__ import annotations

import pytest
from mustache import find_faces, mustachify
from PIL import ExifTags, Image, PngImagePlugin

SECRET = "Baker Street 221b"
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
    exif[ExifTags.Base.ImageDescription] = SECRET
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (51.0, 31.0, 25.0)})
    return exif


def without_face(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, 40, 30))


@pytest.mark.parametrize("see", [lambda image: image, without_face], ids=["face", "no face"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_gps_and_texts_are_stripped(small_face, encoded, decoded, kind, see):
    data = encoded(see(small_face), kind, exif=private_exif())
    assert SECRET.encode() in data
    result = mustachify(data)
    assert SECRET.encode() not in result.data
    assert not decoded(result.data).getexif().get_ifd(ExifTags.IFD.GPSInfo)


@pytest.mark.parametrize("see", [lambda image: image, without_face], ids=["face", "no face"])
def test_comments_are_stripped(small_face, encoded, see):
    image = see(small_face)
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET)
    for data in (
        encoded(image, "JPEG", comment=SECRET),
        encoded(image, "GIF", comment=SECRET.encode()),
        encoded(image, "PNG", pnginfo=text),
        encoded(image, "JPEG", xmp=SECRET.encode()),
        encoded(image, "WEBP", xmp=SECRET.encode()),
        encoded(image, "JPEG") + SECRET.encode(),
        encoded(image, "PNG") + SECRET.encode(),
    ):
        assert SECRET.encode() in data
        assert SECRET.encode() not in mustachify(data).data


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
