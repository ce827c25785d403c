"""Every face gets its mustache where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from mustache import find_faces
from PIL import Image, ImageDraw

FRONTAL = ("astronaut", "hopper")


def only_face(portrait, encoded):
    faces = find_faces(encoded(portrait.image))
    assert len(faces) == 1
    return faces[0]


@pytest.mark.parametrize("roll", range(0, 360, 30))
@pytest.mark.parametrize("name", FRONTAL)
def test_rolled(portraits, encoded, name, roll):
    portrait = portraits[name].scaled(30).rolled(roll)
    face = only_face(portrait, encoded)
    assert portrait.fits(face), portrait.off(face)


@pytest.mark.parametrize("roll", [0, 13, -20, 30])
def test_profile(portraits, encoded, roll):
    portrait = portraits["camera"].rolled(roll)
    face = only_face(portrait, encoded)
    assert portrait.fits(face), portrait.off(face)


@pytest.mark.parametrize("eyes", [8, 12, 20, 40, 160])
@pytest.mark.parametrize("name", FRONTAL)
def test_of_any_size(portraits, encoded, name, eyes):
    portrait = portraits[name].scaled(eyes)
    face = only_face(portrait, encoded)
    assert portrait.fits(face), portrait.off(face)


def test_tiny_face_in_a_large_picture(portraits, encoded):
    portrait = portraits["astronaut"].scaled(8)
    ground = Image.new("RGB", (1280, 960), (90, 100, 110))
    ground.paste(portrait.image, (700, 500))
    (face,) = find_faces(encoded(ground))
    x, y = portrait.philtrum
    assert face.mustache.center == pytest.approx((x + 700, y + 500), abs=2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda im: im.point(lambda v: v // 8), id="dark"),
        pytest.param(lambda im: im.convert("L"), id="grey"),
        pytest.param(lambda im: im.point(lambda v: min(255, v + 90)), id="pale"),
        pytest.param(
            lambda im: im.resize((im.width // 4, im.height // 4)).resize(im.size), id="soft"
        ),
    ],
)
@pytest.mark.parametrize("name", FRONTAL)
def test_in_any_light(portraits, encoded, name, change):
    portrait = portraits[name].changed(change)
    face = only_face(portrait, encoded)
    assert portrait.fits(face), portrait.off(face)


@pytest.mark.parametrize("name", FRONTAL)
def test_with_sunglasses(portraits, encoded, name):
    portrait = portraits[name]
    (bare,) = find_faces(encoded(portrait.image))

    def glasses(image):
        image = image.copy()
        pen = ImageDraw.Draw(image)
        for x, y in (bare.right_eye, bare.left_eye):
            wide, high = portrait.eyes * 0.42, portrait.eyes * 0.3
            pen.ellipse((x - wide, y - high, x + wide, y + high), fill=(12, 12, 14))
        pen.line((*bare.right_eye, *bare.left_eye), fill=(12, 12, 14), width=3)
        return image

    face = only_face(portrait.changed(glasses), encoded)
    assert portrait.fits(face), portrait.off(face)


def test_several_faces_each_its_own_way(portraits, encoded):
    ground = Image.new("RGB", (1000, 800), (90, 100, 110))
    placed = []
    for name, eyes, roll, corner in (
        ("hopper", 60, 0, (20, 20)),
        ("astronaut", 40, 20, (450, 30)),
        ("astronaut", 24, -35, (60, 460)),
        ("hopper", 30, 90, (380, 560)),
        ("hopper", 24, 180, (640, 600)),
    ):
        portrait = portraits[name].scaled(eyes).rolled(roll)
        ground.paste(portrait.image, corner)
        placed.append((portrait, corner))
    faces = find_faces(encoded(ground))
    assert len(faces) == len(placed)
    for portrait, (left, top) in placed:
        x, y = portrait.philtrum
        moved = type(portrait)(ground, (x + left, y + top), portrait.eyes, portrait.roll)
        assert sum(moved.fits(face) for face in faces) == 1


def head(portrait) -> Image.Image:
    """The middle of the portrait, four distances of the eyes a side."""
    (x, y), reach = portrait.philtrum, 2 * portrait.eyes
    return portrait.image.crop(
        tuple(round(v) for v in (x - reach, y - reach, x + reach, y + reach))
    )


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("eyes", [8, 10])
def test_tiny_faces_beside_a_large_one(portraits, encoded, eyes, scale):
    ground = Image.new("RGB", (1280, 960), (90, 100, 110))
    ground.paste(portraits["hopper"].scaled(100).image, (20, 150))
    for number in range(6):
        small = head(portraits[FRONTAL[number % 2]].scaled(eyes))
        ground.paste(small, (800 + 150 * (number % 3), 100 + 300 * (number // 3)))
    ground = ground.resize((1280 * scale, 960 * scale), Image.Resampling.LANCZOS)
    faces = find_faces(encoded(ground))
    assert len(faces) == 7
    assert sum(face.mustache.width > 100 * scale for face in faces) == 1


def test_many_upright_heads_and_some_turned(portraits, encoded):
    ground = Image.new("RGB", (2000, 1400), (90, 100, 110))
    for number in range(38):
        turn = 0 if number < 30 else (90, 135, 180, 270)[number % 4]
        one = head(portraits["astronaut"].scaled(24).rolled(turn))
        ground.paste(one, (40 + number % 8 * 240, 40 + number // 8 * 270))
    faces = find_faces(encoded(ground))
    assert len(faces) == 38
    assert sum(abs(face.roll_degrees) > 60 for face in faces) == 8


@pytest.mark.parametrize("name", ["china", "flower"])
def test_no_mustache_where_no_face_is(picture_path, name):
    assert find_faces(picture_path(name).read_bytes()) == ()


@pytest.mark.parametrize(
    "name", ["brick", "chelsea", "coffee", "coins", "horse", "motorcycle_left", "rocket", "text"]
)
def test_no_mustache_on_other_things(picture_path, name):
    folder = picture_path("astronaut").parent
    (path,) = folder.glob(f"{name}.*")
    assert find_faces(path.read_bytes()) == ()


def test_many_tiny_faces_and_things_that_are_none(picture_path, encoded):
    """Faces from the news, 25 x 25 grey pixels each, and as many patches of background."""
    patches = np.load(picture_path("astronaut").with_name("lfw_subset.npy"))
    found = []
    for patch in patches[::2]:
        image = Image.fromarray((patch * 255).astype(np.uint8)).resize((100, 100))
        found.append(len(find_faces(encoded(image))))
    half = len(found) // 2
    assert sum(count == 1 for count in found[:half]) >= 0.92 * half
    assert sum(found[half:]) == 0


@pytest.mark.parametrize("wide", [False, True], ids=["screenshot", "panorama"])
def test_faces_of_a_long_picture(portraits, encoded, wide):
    """Wherever they are along it, also where one window ends, and each once."""
    size = (9000, 900) if wide else (900, 9000)
    ground = Image.new("RGB", size, (90, 100, 110))
    placed = []
    for number, eyes in enumerate((24, 40, 30, 24)):
        portrait = portraits[FRONTAL[number % 2]].scaled(eyes)
        corner = (300 + 2250 * number, 60) if wide else (60, 300 + 2250 * number)
        ground.paste(portrait.image, corner)
        x, y = portrait.philtrum
        placed.append(type(portrait)(ground, (x + corner[0], y + corner[1]), eyes, portrait.roll))
    faces = find_faces(encoded(ground, "JPEG"))
    assert len(faces) == 4
    assert all(sum(each.fits(face) for face in faces) == 1 for each in placed)


@pytest.mark.parametrize("size", [(3, 4000), (4000, 3), (20, 6000)])
def test_the_longest_pictures(encoded, size):
    assert find_faces(encoded(Image.new("RGB", size, "teal"))) == ()


@pytest.mark.parametrize("roll", [40, -65])
def test_a_group_in_a_turned_picture(portraits, encoded, roll):
    ground = Image.new("RGB", (1600, 1200), (90, 100, 110))
    for number in range(8):
        one = head(portraits[FRONTAL[number % 2]].scaled((14, 20, 28, 40)[number // 2]))
        ground.paste(one, (60 + number % 4 * 380, 60 + number // 4 * 560))
    turned = ground.rotate(-roll, Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 100, 110))
    faces = find_faces(encoded(turned))
    assert len(faces) == 8
    assert all(abs(face.roll_degrees - roll) < 12 for face in faces)


def test_faces_in_the_dark(picture_path, encoded):
    """Twelve times too dark: 20 shades are left."""
    patches = np.load(picture_path("astronaut").with_name("lfw_subset.npy"))[::4]
    found = []
    for patch in patches:
        image = Image.fromarray((patch * 255 * 0.08).astype(np.uint8)).resize((100, 100))
        found.append(len(find_faces(encoded(image))))
    half = len(found) // 2
    assert sum(count == 1 for count in found[:half]) >= 0.9 * half
    assert sum(found[half:]) == 0


@pytest.mark.parametrize("turn", [20, 90])
def test_no_mustache_on_noise(encoded, turn):
    grain = np.random.default_rng(2).integers(0, 256, (512, 512, 3), np.uint8)
    image = Image.fromarray(grain).rotate(turn, Image.Resampling.BICUBIC)
    assert find_faces(encoded(image, "JPEG", quality=92)) == ()


def test_points_are_the_persons_own_sides(portraits, encoded):
    face = only_face(portraits["hopper"], encoded)
    assert face.right_eye[0] < face.nose[0] < face.left_eye[0]
    assert face.mouth_right[0] < face.nose[0] < face.mouth_left[0]
    assert face.right_eye[1] < face.nose[1] < face.mouth_right[1]
    left, top, width, height = face.box
    assert left < face.right_eye[0] < face.left_eye[0] < left + width
    assert top < face.right_eye[1] < face.mouth_left[1] < top + height


def test_as_dict_has_what_the_api_promises(portraits, encoded):
    found = only_face(portraits["hopper"], encoded).as_dict()
    assert list(found) == [
        *("box", "right_eye", "left_eye", "nose", "mouth_right", "mouth_left"),
        *("roll_degrees", "score", "mustache"),
    ]
    assert list(found["mustache"]) == ["center", "width", "angle_degrees"]
