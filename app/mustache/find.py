"""Search a picture for faces: the cheap look first, further looks only when they may pay."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from mustache.canvas import Canvas
from mustache.deadline import Deadline
from mustache.detect import SAME_FACE, Candidate, detect, shared
from mustache.faces import Face
from mustache.refine import SURE_SCORE, Mesh, off, refined
from mustache.views import Move, Views

# Long sides of the views that are searched.
FIRST = 512
TURNED = 640
DETAILED = 1280
ENLARGED = 4.0  # thumbnails are looked at in at most this many times their size
MAYBE = 0.3  # detector scores that are worth a closer look; it says 0.6 is a face
HINT = 0.06  # of something tiny: faces that are too small for the first view score so little there
DOUBTFUL_WORK = 5  # of a closer look that turns the candidate every way, in looks that need not
SMALL = 28.0  # sides of boxes in the first view: tiny, and others may be smaller still

QUARTERS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


def turned_back(size: tuple[int, int], roll: int) -> Move:
    """Takes points of a picture of `size` that was turned upright by `roll` back to it."""
    width, height = size

    def move(points: np.ndarray) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        if roll == 90:
            return np.stack([width - y, x], axis=1)
        if roll == 180:
            return np.stack([width - x, height - y], axis=1)
        return np.stack([y, height - x], axis=1)

    return move


@dataclass(slots=True)
class Budget:
    """What is left for closer looks, in a picture or a whole animation.

    work: in looks at what is surely a face, some milliseconds each; doubts: how many candidates may
    turn out to be no face; deadline: asked before every look.
    """

    work: int = 500
    doubts: int = 24
    deadline: Deadline = field(default_factory=Deadline)

    @classmethod
    def of_animation(cls, frames: int, deadline: Deadline | None = None) -> Budget:
        most = cls()
        return cls(most.work + 5 * frames, most.doubts + frames // 4, deadline or most.deadline)

    def allows(self, sure: bool) -> bool:
        return self.work > 0 and (sure or self.doubts > 0)

    def spend(self, sure: bool, found: bool) -> None:
        self.work -= 1 if sure else DOUBTFUL_WORK
        self.doubts -= 0 if found else 1


class Search:
    """The faces of one picture, as they are found."""

    def __init__(self, views: Views, budget: Budget) -> None:
        self.views = views
        self.budget = budget
        self.found: list[tuple[Candidate, Mesh | None]] = []
        self.hints: list[Candidate] = []  # too vague for a closer look
        self.doubtful = False  # a candidate was no face when looked at closely

    def look(self, longest: int, enlarge: float = 1.0, roll: int = 0) -> None:
        """Look at the picture with a long side of `longest`, heads turned by `roll` upright."""
        self.budget.deadline.check()
        image, scale = self.views.fitted(longest, enlarge)
        if roll:
            candidates = detect(image.transpose(QUARTERS[roll]), HINT)
            back = turned_back(image.size, roll)
            candidates = [each.moved(back, 1, roll) for each in candidates]
        else:
            candidates = detect(image, HINT)
        for candidate in candidates:
            candidate = candidate.moved(lambda p: p / scale, 1 / scale, roll)
            if candidate.score >= MAYBE:
                self.consider(candidate)
            elif longest == FIRST:
                self.hints.append(candidate)

    def consider(self, candidate: Candidate) -> None:
        sure = candidate.score >= SURE_SCORE
        if not self.inside(candidate) or self.known(candidate) or not self.budget.allows(sure):
            return
        self.budget.deadline.check()
        answer = refined(self.views, candidate)
        self.budget.spend(sure, found=answer is not None)
        if answer is None:
            self.doubtful = True
        elif not self.known(answer[0]):
            self.found.append(answer)

    def inside(self, candidate: Candidate) -> bool:
        """Its centre lies in the picture, and it is no larger: all else is a stray answer."""
        size = np.array(self.views.full.size)
        middle = (candidate.centre >= 0).all() and (candidate.centre <= size).all()
        return bool(middle) and 0 < candidate.side <= 1.5 * size.max()

    def known(self, candidate: Candidate) -> bool:
        return any(self.same(candidate, face) for face, _ in self.found)

    @staticmethod
    def same(one: Candidate, other: Candidate) -> bool:
        near = np.abs(one.centre - other.centre).max() < 0.4 * max(one.side, other.side)
        return bool(near or shared(one, other.centre, np.array(other.side)) >= SAME_FACE)

    def small(self) -> bool:
        """A face is tiny in the first view, or something tiny beside the faces hints at one."""
        tiny = SMALL * max(1.0, max(self.views.full.size) / FIRST)
        hints = [hint for hint in self.hints if not self.known(hint)]
        return any(each.side < tiny for each in [*hints, *(face for face, _ in self.found)])

    def mixed(self) -> bool:
        """Some head is far from upright, or something looked like a face and was not."""
        return self.doubtful or any(off(face.roll) > 45 for face, _ in self.found)

    def faces(self) -> tuple[Face, ...]:
        """Largest first."""
        ordered = sorted(self.found, key=lambda each: -each[0].side)
        return tuple(
            Face.from_points(candidate.points, box(candidate, seen), candidate.score)
            for candidate, seen in ordered
        )


def box(candidate: Candidate, seen: Mesh | None) -> np.ndarray:
    """Left, top, right and bottom of the face."""
    if seen is None:
        reach = candidate.side / 2
        return np.concatenate([candidate.centre - reach, candidate.centre + reach])
    return np.concatenate([seen.outline.min(axis=0), seen.outline.max(axis=0)])


def find(canvas: Canvas, thorough: bool = True, budget: Budget | None = None) -> tuple[Face, ...]:
    """Every face of a picture, largest first; only the easy ones unless `thorough`."""
    search = Search(Views(canvas), budget or Budget())
    search.look(FIRST)
    if not thorough:
        return search.faces()
    if not search.found or search.mixed():
        for roll in QUARTERS:
            search.look(TURNED, roll=roll)
    if not search.found or search.small():
        search.look(DETAILED, enlarge=ENLARGED)
    elif FIRST * 1.25 < max(canvas.image.size) <= DETAILED:
        search.look(DETAILED)  # not large: what the first view is too coarse for is cheap to see
    return search.faces()
