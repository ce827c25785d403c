"""Find faces with YuNet: where they are, how large, five points and a score."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mustache.models import session

Move = Callable[[np.ndarray], np.ndarray]

STRIDES = (8, 16, 32)
SMALLEST_SIDE = 64
SAME_FACE = 0.3  # squares that share more than this of their union


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a face, in pixels of the picture it was found in.

    centre: x, y of the middle of its box; side: the longer side of the box;
    points: 5x2, right eye, left eye, nose, right and left mouth corner (the person's own);
    roll: clockwise degrees by which the picture was known to be turned when it was found.
    """

    centre: np.ndarray
    side: float
    points: np.ndarray
    score: float
    roll: float = 0.0

    def moved(self, move: Move, scale: float, roll: float = 0.0) -> Candidate:
        """The candidate in another picture: `move` takes points there, lengths grow by `scale`."""
        return replace(
            self,
            centre=move(self.centre[None])[0],
            side=self.side * scale,
            points=move(self.points),
            roll=roll,
        )


def eye_roll(points: np.ndarray) -> float:
    """Clockwise degrees of the line from the right to the left eye."""
    across = points[1] - points[0]
    return math.degrees(math.atan2(across[1], across[0]))


def shared(one: Candidate, centres: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Intersection over union of the candidate's square with each of these."""
    reach = (one.side + sides) / 2 - np.abs(one.centre - centres).T
    inside = np.minimum(reach, np.minimum(one.side, sides)).clip(0).prod(axis=0)
    return inside / (one.side**2 + sides**2 - inside)


def distinct(candidates: list[Candidate]) -> list[Candidate]:
    """The best candidate of each face, best first."""
    left = sorted(candidates, key=lambda c: -c.score)
    centres = np.array([each.centre for each in left]).reshape(-1, 2)
    sides = np.array([each.side for each in left])
    numbers = np.arange(len(left))
    kept: list[Candidate] = []
    while len(numbers):
        kept.append(left[numbers[0]])
        numbers = numbers[shared(kept[-1], centres[numbers], sides[numbers]) < SAME_FACE]
    return kept


def network_input(image: Image.Image) -> np.ndarray:
    """1x3xHxW BGR floats of an RGB picture, zero-padded on the right and below to whole cells."""
    width, height = image.size
    step = STRIDES[-1]
    rows = -(-max(height, SMALLEST_SIDE) // step) * step
    columns = -(-max(width, SMALLEST_SIDE) // step) * step
    blob = np.zeros((1, 3, rows, columns), np.float32)
    blob[0, :, :height, :width] = np.asarray(image)[:, :, ::-1].transpose(2, 0, 1)
    return blob


def detect(image: Image.Image, threshold: float) -> list[Candidate]:
    """Every face of an RGB picture that scores at least `threshold`, best first."""
    blob = network_input(image)
    columns = blob.shape[3]
    answers = session("yunet").run(None, {"input": blob})
    found: list[Candidate] = []
    for level, stride in enumerate(STRIDES):
        kinds, objects, boxes, marks = (answers[level + 3 * part][0] for part in range(4))
        scores = np.sqrt(np.clip(kinds[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        across = columns // stride
        for cell in np.flatnonzero(scores >= threshold):
            corner = np.array([cell % across, cell // across], float)
            candidate = Candidate(
                centre=(corner + boxes[cell, :2]) * stride,
                side=float(np.exp(np.minimum(boxes[cell, 2:], 10)).max() * stride),
                points=(marks[cell].reshape(5, 2) + corner) * stride,
                score=float(scores[cell]),
            )
            if np.isfinite(candidate.centre).all() and np.isfinite(candidate.points).all():
                found.append(candidate)
    return distinct(found)
