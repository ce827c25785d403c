"""Search a picture for faces: the cheap look first, further looks only when they may pay."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from mustache.canvas import Canvas
from mustache.deadline import Deadline
from mustache.detect import SAME_FACE, Candidate, detect, eye_roll, shared
from mustache.faces import Face
from mustache.refine import SURE_SCORE, Mesh, off, refined
from mustache.views import GREY, Move, Views

# Long sides of the views that are searched.
FIRST = 512
TURNED = 640
DETAILED = 1280
ENLARGED = 4.0  # thumbnails are looked at in at most this many times their size
MAYBE = 0.3  # detector scores that are worth a closer look; it says 0.6 is a face
HINT = 0.06  # of something tiny: faces that are too small for the first view score so little there
DOUBTFUL_WORK = 5  # of a closer look that turns the candidate every way, in looks that need not
HINT_SIDE = 20.0  # a larger face would score more
SMALL = 28.0  # sides of boxes in the first view: tiny, and others may be smaller still

TILTED = 20.0  # degrees of a head from which others beside it may be found better turned alike
MOST_TILTS = 2
LONG = 3  # times the short side: longer pictures are searched window by window
MOST_WINDOWS = 40
LEAST_SHORT = 16  # pixels

Found = tuple[Candidate, Mesh | None]

QUARTERS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


def turned(image: Image.Image, roll: float) -> tuple[Image.Image, Move]:
    """The picture with heads upright that are turned by `roll`, and the way back for its points."""
    if roll in QUARTERS:
        seen = image.transpose(QUARTERS[roll])
    else:
        seen = image.rotate(roll, Image.Resampling.BILINEAR, expand=True, fillcolor=GREY)
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    turn = np.array([[cosine, -sine], [sine, cosine]])

    def move(points: np.ndarray) -> np.ndarray:
        return (points - np.array(seen.size) / 2) @ turn.T + np.array(image.size) / 2

    return seen, move


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
        self.found: list[Found] = []
        self.hints: list[Candidate] = []  # too vague for a closer look
        self.doubtful = False  # a candidate was no face when looked at closely

    def look(self, longest: int, enlarge: float = 1.0, roll: float = 0) -> None:
        """Look at the picture with a long side of `longest`, heads turned by `roll` upright."""
        self.budget.deadline.check()
        image, scale = self.views.fitted(longest, enlarge)
        least = HINT if longest == FIRST else MAYBE  # of hints, noise has thousands
        if roll:
            seen, back = turned(image, roll)
            candidates = [each.moved(back, 1, roll) for each in detect(seen, least)]
        else:
            candidates = detect(image, least)
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
        """Its centre lies in the picture, and its size makes sense: all else is a stray answer."""
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
        pixel = max(1.0, max(self.views.full.size) / FIRST)
        return any(face.side < SMALL * pixel for face, _ in self.found) or any(
            hint.side < HINT_SIDE * pixel and not self.known(hint) for hint in self.hints
        )

    def mixed(self) -> bool:
        """Some head is far from upright, or something looked like a face and was not."""
        return self.doubtful or any(off(face.roll) > 45 for face, _ in self.found)

    def tilts(self) -> list[float]:
        """The angles at which heads are, away from upright and from the quarters."""
        found: list[float] = []
        for face, _ in self.found:
            roll = eye_roll(face.points)
            if min(off(roll - each) for each in (0, 90, 180, 270)) < TILTED:
                continue
            if all(off(roll - each) > TILTED for each in found):
                found.append(roll)
        return found[:MOST_TILTS]

    def search(self, thorough: bool) -> None:
        """Look as often as it may pay."""
        self.look(FIRST)
        if not thorough:
            return
        if not self.found or self.mixed():
            for roll in QUARTERS:
                self.look(TURNED, roll=roll)
        for roll in self.tilts():
            self.look(DETAILED if self.small() else TURNED, roll=roll)
        if not self.found or self.small():
            self.look(DETAILED, enlarge=ENLARGED)
        elif FIRST * 1.25 < max(self.views.full.size) <= DETAILED:
            self.look(DETAILED)  # not large: what the first view is too coarse for is cheap to see


def box(candidate: Candidate, seen: Mesh | None) -> np.ndarray:
    """Left, top, right and bottom of the face."""
    if seen is None:
        reach = candidate.side / 2
        return np.concatenate([candidate.centre - reach, candidate.centre + reach])
    return np.concatenate([seen.outline.min(axis=0), seen.outline.max(axis=0)])


def windows(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Parts of a picture to search one by one: all of it, unless it is long.

    Its long side would decide how small its faces are seen. Windows overlap by the short side, so
    that each face is whole in one of them.
    """
    width, height = size
    short, long = min(size), max(size)
    if long <= LONG * short or short < LEAST_SHORT:
        yield (0, 0, width, height)
        return
    count = min(MOST_WINDOWS, math.ceil(long / short) - 1)
    step = (long - short) / count
    for number in range(count):
        start, end = round(number * step), round(number * step + step + short)
        yield (start, 0, end, height) if width > height else (0, start, width, end)


def shifted(found: Found, corner: np.ndarray) -> Found:
    """What was found in a window whose top left is `corner`, in the whole picture."""
    candidate, seen = found
    candidate = candidate.moved(lambda points: points + corner, 1, candidate.roll)
    return candidate, seen and replace(seen, outline=seen.outline + corner)


def is_cut(found: Found, window: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
    """The face touches an edge of the window beyond which the picture goes on."""
    left, top, right, bottom = box(*found)
    return bool(
        (left <= window[0] > 0)
        or (top <= window[1] > 0)
        or (right >= window[2] < size[0])
        or (bottom >= window[3] < size[1])
    )


def find(canvas: Canvas, thorough: bool = True, budget: Budget | None = None) -> tuple[Face, ...]:
    """Every face of a picture, largest first; only the easy ones unless `thorough`."""
    budget = budget or Budget()
    size = canvas.image.size
    parts = list(windows(size))
    if len(parts) == 1:
        search = Search(Views(canvas), budget)
        search.search(thorough)
        return faces(search.found)
    found: list[tuple[bool, Found]] = []
    for window in parts:
        search = Search(Views(Canvas(canvas.image.crop(window))), budget)
        search.search(thorough)
        for each in search.found:
            whole = shifted(each, np.array(window[:2]))
            found.append((is_cut(whole, window, size), whole))
    distinct: list[Found] = []
    for _, each in sorted(found, key=lambda pair: pair[0]):  # those that are whole go first
        if not any(Search.same(each[0], other) for other, _ in distinct):
            distinct.append(each)
    return faces(distinct)


def faces(found: list[Found]) -> tuple[Face, ...]:
    """Largest first."""
    ordered = sorted(found, key=lambda each: -each[0].side)
    return tuple(
        Face.from_points(candidate.points, box(candidate, seen), candidate.score)
        for candidate, seen in ordered
    )
