"""Faces and where their mustaches go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Point = tuple[float, float]

TOWARDS_MOUTH = 0.55  # the philtrum, on the way from the nose to the middle of the mouth
WIDTH = 1.25  # of a mustache, in distances between the eyes
EYES_PER_HEIGHT = 0.9  # that distance on a face seen from the front, from eyes to mouth


@dataclass(frozen=True, slots=True)
class Mustache:
    """center: of the philtrum, x and y; width: pixels; angle_degrees: clockwise."""

    center: Point
    width: float
    angle_degrees: float


@dataclass(frozen=True, slots=True)
class Face:
    """One face, in pixels of the picture as displayed; right and left are the person's own.

    box: left, top, width, height; roll_degrees: clockwise; score: 0 to 1.
    """

    box: tuple[float, float, float, float]
    right_eye: Point
    left_eye: Point
    nose: Point
    mouth_right: Point
    mouth_left: Point
    roll_degrees: float
    score: float
    mustache: Mustache

    @classmethod
    def from_points(cls, points: np.ndarray, box: np.ndarray, score: float) -> Face:
        """`points`: 5x2 in the order of the fields; `box`: left, top, right, bottom."""
        right_eye, left_eye, nose, mouth_right, mouth_left = points
        eyes, mouth = (right_eye + left_eye) / 2, (mouth_right + mouth_left) / 2
        across, down = left_eye - right_eye, mouth - eyes
        roll = mean_angle(math.atan2(across[1], across[0]), math.atan2(-down[0], down[1]))
        # In profile the eyes come together and only the height is left to go by.
        size = max(math.hypot(*across), EYES_PER_HEIGHT * math.hypot(*down))
        degrees = rounded(math.degrees(roll))
        left, top, right, bottom = box
        return cls(
            tuple(rounded(v) for v in (left, top, right - left, bottom - top)),
            *(tuple(rounded(v) for v in point) for point in points),
            roll_degrees=degrees,
            score=round(float(score), 3),
            mustache=Mustache(
                tuple(rounded(v) for v in nose + TOWARDS_MOUTH * (mouth - nose)),
                rounded(WIDTH * size),
                degrees,
            ),
        )

    def scaled(self, by: float) -> Face:
        """The face in the picture made larger or smaller."""
        mustache = self.mustache
        return Face(
            tuple(value * by for value in self.box),
            *(
                tuple(value * by for value in point)
                for point in (
                    *(self.right_eye, self.left_eye, self.nose),
                    *(self.mouth_right, self.mouth_left),
                )
            ),
            roll_degrees=self.roll_degrees,
            score=self.score,
            mustache=Mustache(
                tuple(value * by for value in mustache.center),
                mustache.width * by,
                mustache.angle_degrees,
            ),
        )

    def as_dict(self) -> dict:
        """The face as the JSON API and `--json` give it."""
        return {
            "box": list(self.box),
            "right_eye": list(self.right_eye),
            "left_eye": list(self.left_eye),
            "nose": list(self.nose),
            "mouth_right": list(self.mouth_right),
            "mouth_left": list(self.mouth_left),
            "roll_degrees": self.roll_degrees,
            "score": self.score,
            "mustache": {
                "center": list(self.mustache.center),
                "width": self.mustache.width,
                "angle_degrees": self.mustache.angle_degrees,
            },
        }


def rounded(value: float) -> float:
    """A hundredth is finer than anything that is seen or measured."""
    return round(float(value), 2)


def mean_angle(*radians: float) -> float:
    """The circular mean."""
    return math.atan2(sum(map(math.sin, radians)), sum(map(math.cos, radians)))
