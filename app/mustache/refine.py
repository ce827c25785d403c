"""Place the points of a candidate exactly, however the head is turned, or say it is no face.

The detector's points do not follow a rolled head, and on a head upside down they are simply
wrong. So a face is first turned upright (the detector itself tells which turn it likes best),
then the MediaPipe face mesh puts 468 points on the upright crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mustache.detect import Candidate, detect, eye_roll
from mustache.models import session
from mustache.views import Views

MESH_SIDE = 192
MESH_ROOM = 1.5  # side of the mesh's crop, in sides of the face's box
TURN_SIDE = 128
TURN_ROOM = 1.8
TURNS = range(0, 360, 45)

# Measured on the test pictures turned by every 15 degrees and 8 to 80 pixels between the eyes:
# the mesh's logit is above 12 on upright faces and below 9 on faces upside down, the detector
# gives at most 0.87 to a face upside down.
SURE_SCORE = 0.8
SURE_LOGIT = 12.0
SURE_ROLL = 35.0  # degrees off upright up to which the mesh's own roll is good
STEADY_ROLL = 8.0  # degrees off upright up to which its points are good too
TURNED_SCORE = 0.75
# Pixels of a face's box: what looks so in noise is smaller. Without the mesh, more are wanted.
LEAST_SIDE, CLEAR_SIDE = 10.0, 16.0
CLEAR_SCORE = 0.85  # of the detector: a face, although the mesh does not follow (full profile)

# Points of the mesh, averaged: right eye, left eye, nose, right and left mouth corner.
FIVE = ((33, 133, 159, 145), (362, 263, 386, 374), (4,), (61,), (291,))


@dataclass(frozen=True, slots=True)
class Mesh:
    """What the face mesh saw: its points in pixels of the picture, and the logit of a face."""

    outline: np.ndarray
    logit: float

    @property
    def five(self) -> np.ndarray:
        return np.array([self.outline[list(part)].mean(axis=0) for part in FIVE])


def mesh(views: Views, centre: np.ndarray, side: float, roll: float) -> Mesh:
    crop, move = views.upright(centre, side * MESH_ROOM, roll, MESH_SIDE)
    blob = np.asarray(crop, np.float32).transpose(2, 0, 1)[None] / 255
    points, presence = session("face_mesh").run(None, {"face": np.ascontiguousarray(blob)})
    return Mesh(move(points[0, :, :2].astype(float)), float(presence[0]))


def mesh_again(views: Views, first: Mesh) -> Mesh:
    """A second look, where and how the first one found the face."""
    low, high = first.outline.min(axis=0), first.outline.max(axis=0)
    return mesh(views, (low + high) / 2, float((high - low).max()), eye_roll(first.five))


def off(angle: float) -> float:
    """How far `angle` is from a whole turn, 0 to 180 degrees."""
    return abs((angle + 180) % 360 - 180)


def turned_upright(views: Views, candidate: Candidate) -> Candidate | None:
    """The candidate as the detector sees it with the head turned the way it likes best."""
    best = None
    side = candidate.side * TURN_ROOM
    for turn in TURNS:
        crop, move = views.upright(candidate.centre, side, turn, TURN_SIDE)
        for seen in detect(crop, TURNED_SCORE)[:1]:
            if best is None or seen.score > best.score:
                roll = turn + eye_roll(seen.points)
                best = seen.moved(move, side / TURN_SIDE, roll)
    return best


def refined(views: Views, candidate: Candidate) -> tuple[Candidate, Mesh | None] | None:
    """The face with its points, and the mesh if it follows; None when it is no face."""
    if candidate.score >= SURE_SCORE:
        seen = mesh(views, candidate.centre, candidate.side, candidate.roll)
        roll = off(eye_roll(seen.five) - candidate.roll)
        if seen.logit >= SURE_LOGIT and roll <= SURE_ROLL:
            if roll > STEADY_ROLL:
                seen = mesh_again(views, seen)
            return replace(candidate, points=seen.five), seen
    upright = turned_upright(views, candidate)
    if upright is None or upright.side < LEAST_SIDE:
        return None
    score = max(upright.score, candidate.score)
    seen = mesh(views, upright.centre, upright.side, upright.roll)
    if off(eye_roll(seen.five) - upright.roll) <= SURE_ROLL:
        again = mesh_again(views, seen)
        if again.logit > 0:
            return replace(upright, points=again.five, score=score), again
    if upright.score >= CLEAR_SCORE and upright.side >= CLEAR_SIDE:
        return replace(upright, score=score), None
    return None
