"""Pictures that wheels carry, and what is known about the faces in them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from mustache import Face
from PIL import Image

SOURCES = {
    "astronaut": ("skimage", "data/astronaut.png"),  # Eileen Collins, NASA, public domain
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),  # US Navy, public domain
    "camera": ("skimage", "data/camera.png"),  # a man in profile, grey, CC0
    "china": ("sklearn", "datasets/images/china.jpg"),  # CC BY
    "flower": ("sklearn", "datasets/images/flower.jpg"),  # CC BY
}


@dataclass(frozen=True)
class Portrait:
    """A picture with one face, measured by eye: philtrum, distance of the eyes, roll."""

    image: Image.Image
    philtrum: tuple[float, float]
    eyes: float
    roll: float

    def scaled(self, eyes: float) -> Portrait:
        """The picture with `eyes` pixels between the eyes."""
        by = eyes / self.eyes
        size = tuple(round(length * by) for length in self.image.size)
        image = self.image.resize(size, Image.Resampling.LANCZOS)
        x, y = self.philtrum
        return Portrait(image, (x * by, y * by), eyes, self.roll)

    def rolled(self, degrees: float) -> Portrait:
        """The picture turned clockwise, nothing cut off."""
        image = self.image.rotate(
            -degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 100, 110)
        )
        angle = math.radians(degrees)
        x, y = np.array(self.philtrum) - np.array(self.image.size) / 2
        turned = (
            x * math.cos(angle) - y * math.sin(angle) + image.width / 2,
            x * math.sin(angle) + y * math.cos(angle) + image.height / 2,
        )
        return Portrait(image, turned, self.eyes, self.roll + degrees)

    def changed(self, change: Callable[[Image.Image], Image.Image]) -> Portrait:
        """The picture after a change that moves nothing."""
        return Portrait(change(self.image).convert("RGB"), self.philtrum, self.eyes, self.roll)

    def off(self, face: Face) -> tuple[float, float]:
        """How far the mustache is from its place, in eye distances, and from its angle."""
        x, y = face.mustache.center
        distance = math.hypot(x - self.philtrum[0], y - self.philtrum[1]) / self.eyes
        return distance, abs((face.mustache.angle_degrees - self.roll + 180) % 360 - 180)

    def fits(self, face: Face) -> bool:
        distance, degrees = self.off(face)
        return distance <= 0.25 and degrees <= 10


def path_of(name: str) -> Path:
    package, inside = SOURCES[name]
    return Path(find_spec(package).origin).parent / inside  # without importing it


@pytest.fixture(scope="session")
def picture_path() -> Callable[[str], Path]:
    return path_of


@pytest.fixture(scope="session")
def portraits() -> dict[str, Portrait]:
    places = {
        "astronaut": ((223.5, 136.0), 43.6, 3.3),
        "hopper": ((267.0, 262.0), 83.0, -1.5),
        "camera": ((246.0, 176.0), 30.0, 8.0),
    }
    return {
        name: Portrait(Image.open(path_of(name)).convert("RGB"), *place)
        for name, place in places.items()
    }


def as_bytes(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    # A copy: Pillow leaves what it used for one kind on the image, and trips over it at the next.
    image.copy().save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """encoded(image, kind="PNG", **options): the bytes of a file."""
    return as_bytes


@pytest.fixture(scope="session")
def decoded() -> Callable[[bytes], Image.Image]:
    """decoded(data): the image, loaded."""

    def decode(data: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(data))
        image.load()
        return image

    return decode


@pytest.fixture(scope="session")
def small_face(portraits) -> Image.Image:
    """The astronaut's head, 150 x 150 pixels."""
    return portraits["astronaut"].image.crop((150, 40, 300, 190))
