"""Draw the mustaches of this package: comb hairs along hand-drawn guides, write one SVG each.

    python comb.py [NAME...]        (then render.py makes the PNGs)

A mustache is a few locks. A lock is two or more guides, from its upper edge to its lower edge;
each guide is the way of one hair from root to tip. Between them grow as many hairs as wanted.
Lengths are thousandths of the face's mustache width, x from the philtrum to the left side of the
face, y downwards; the other half is the mirror image with hairs of its own.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
STEPS = 6  # points of one hair
LAYERS = 7

# From the shade under the hair to the light on it.
BLACK = ("#0b0908", "#16110f", "#221b18", "#332a26", "#4d423c", "#746860")
BROWN = ("#1a0e07", "#2b180c", "#3d2413", "#54341d", "#75502f", "#a07a50")
CHESTNUT = ("#2a1108", "#43200f", "#5f3018", "#7f4625", "#a36439", "#cd9562")
GINGER = ("#4a1d08", "#71310f", "#974817", "#bb6427", "#d98743", "#f1b678")
GREY = ("#3f3d3b", "#63605c", "#878480", "#aba8a3", "#cfccc7", "#f1efeb")
SAND = ("#3a2a14", "#574023", "#785a36", "#96744b", "#b39067", "#d2b48d")


@dataclass(frozen=True)
class Lock:
    """A bundle of hairs.

    guides: top edge first; hairs: how many; thick: one hair; roots, fringe: how uneven the
    hairs begin and end, wave: how far a hair wanders sideways, blunt: how much shorter the outer
    hairs are at both ends; all in parts of the lock.
    """

    guides: list[str]
    hairs: int
    thick: float = 4.2
    fringe: float = 0.25
    roots: float = 0.15
    wave: float = 0.07
    blunt: float = 0.02

    def curves(self) -> list[np.ndarray]:
        return [
            np.array([point.split(",") for point in guide.split()], float) for guide in self.guides
        ]


@dataclass(frozen=True)
class Drawing:
    colours: tuple[str, ...]
    locks: list[Lock]
    seed: int = 1


DRAWINGS: dict[str, Drawing] = {
    "handlebar": Drawing(
        BROWN,
        [
            Lock(
                [
                    "-6,-22 90,-82 220,-70 360,6 490,34 582,-14 608,-92 570,-136 526,-112",
                    "-8,6 90,-10 230,18 380,70 520,64 614,2 630,-92 580,-150 522,-114",
                    "-4,40 80,78 230,112 390,134 540,100 644,14 650,-100 588,-168 518,-118",
                ],
                hairs=330,
            ),
        ],
    ),
    "chevron": Drawing(
        CHESTNUT,
        [
            Lock(
                [
                    "130,-66 240,-50 340,-4 430,66 490,150",
                    "70,-76 150,-42 240,20 320,90 372,162",
                    "10,-72 66,-20 116,40 154,100 180,164",
                    "-16,-58 -8,-10 -4,50 0,100 2,150",
                ],
                hairs=430,
                fringe=0.14,
            ),
        ],
    ),
    "walrus": Drawing(
        GINGER,
        [
            Lock(
                [
                    "150,-88 300,-84 440,-10 530,110 548,240 500,336",
                    "80,-94 200,-54 320,36 396,150 414,264 384,352",
                    "14,-86 96,-24 164,66 206,166 222,256 212,326",
                    "-20,-66 -12,0 -8,80 -4,150 0,220 2,282",
                ],
                hairs=540,
                thick=5,
                fringe=0.16,
                wave=0.1,
            ),
        ],
    ),
    "pencil": Drawing(
        BLACK,
        [
            Lock(
                [
                    "16,6 110,-10 230,10 340,48 446,108",
                    "12,22 110,12 230,28 340,62 450,110",
                    "16,38 110,34 230,48 340,78 446,114",
                ],
                hairs=190,
                thick=3.6,
                fringe=0.4,
                roots=0.3,
            ),
        ],
    ),
    "dali": Drawing(
        BLACK,
        [
            Lock(
                [
                    "-4,6 110,-24 250,10 390,26 506,-50 582,-200 606,-360 592,-452",
                    "-6,22 110,14 250,42 396,50 520,-40 594,-196 612,-360 592,-456",
                    "-4,40 110,50 250,70 400,72 534,-28 606,-192 620,-360 592,-460",
                ],
                hairs=200,
                thick=3.8,
                fringe=0.1,
            ),
        ],
    ),
    "horseshoe": Drawing(
        BROWN,
        [
            Lock(
                [
                    "150,-70 290,-58 410,4 500,110 532,260 524,450 478,640",
                    "90,-72 216,-36 340,36 424,140 450,280 446,460 424,660",
                    "40,-62 150,-6 276,68 356,160 380,290 380,450 392,610",
                ],
                hairs=360,
                fringe=0.24,
                blunt=0.03,
            ),
            Lock(
                [
                    "130,-70 240,-44 320,8 386,80 420,150",
                    "70,-76 150,-42 240,20 308,90 344,152",
                    "10,-72 66,-20 116,40 154,96 178,150",
                    "-16,-58 -8,-10 -4,50 0,90 2,134",
                ],
                hairs=300,
                fringe=0.16,
            ),
        ],
    ),
    "fu-manchu": Drawing(
        BLACK,
        [
            Lock(
                [
                    "24,-2 150,-34 290,0 408,86 464,230 476,440 468,660 440,850",
                    "20,14 150,2 280,36 380,116 432,250 448,446 450,660 436,850",
                    "24,32 150,40 266,72 354,146 402,268 424,452 434,660 432,850",
                ],
                hairs=260,
                thick=4,
                fringe=0.34,
            ),
        ],
    ),
    "imperial": Drawing(
        CHESTNUT,
        [
            Lock(
                [
                    "-6,-30 120,-92 280,-84 430,-60 556,-124 640,-236 700,-372",
                    "-8,6 130,-14 290,14 460,14 606,-72 688,-214 712,-378",
                    "-4,44 110,86 290,118 490,92 656,-14 736,-180 724,-380",
                ],
                hairs=400,
                fringe=0.3,
                wave=0.12,
            ),
        ],
    ),
    "english": Drawing(
        GREY,
        [
            Lock(
                [
                    "-2,-26 110,-60 260,-26 420,28 580,58 710,40 790,0",
                    "-4,2 110,-2 260,28 420,64 580,80 716,54 794,0",
                    "0,34 106,60 260,84 420,102 590,104 722,68 798,0",
                ],
                hairs=300,
                thick=3.8,
                fringe=0.2,
            ),
        ],
    ),
    "pyramidal": Drawing(
        SAND,
        [
            Lock(
                [
                    "44,-92 130,-66 220,-6 296,70 352,150",
                    "26,-94 90,-44 160,26 214,94 250,156",
                    "4,-90 36,-34 68,36 94,98 112,158",
                    "-16,-80 -8,-30 -4,36 0,92 2,146",
                ],
                hairs=380,
                thick=4.5,
                fringe=0.18,
                wave=0.1,
            ),
        ],
    ),
}


def smooth(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Points at `places` (0 to 1) of the Catmull-Rom curve through `points`."""
    last = len(points) - 1
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    at = np.clip(places, 0, 1) * last
    piece = np.minimum(at.astype(int), last - 1)
    t = (at - piece)[:, None]
    a, b, c, d = (padded[piece + offset] for offset in range(4))
    return (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    ) / 2


def between(guides: list[np.ndarray], height: np.ndarray) -> np.ndarray:
    """The way at `height` (0: first guide, 1: last), which may differ from point to point."""
    count = len(height)
    places = np.linspace(0, 1, count)
    curves = np.array([smooth(guide, places) for guide in guides])
    return np.array([smooth(curves[:, i], height[i : i + 1])[0] for i in range(count)])


def hair(lock: Lock, guides: list[np.ndarray], rng: random.Random) -> tuple[float, np.ndarray]:
    """How far down in its lock a hair grows, and its points."""
    height = rng.random()
    outside = lock.blunt * (2 * height - 1) ** 2
    start = outside + rng.random() ** 2 * lock.roots
    end = 1 - outside - rng.random() ** 2 * lock.fringe
    bend = rng.uniform(-lock.wave, lock.wave)
    drift = height + bend * np.sin(np.linspace(0, 3, 24)) + rng.uniform(-0.03, 0.03)
    whole = between(guides, np.clip(drift, -0.04, 1.04))
    return height, smooth(whole, np.linspace(start, end, STEPS))


def path(points: np.ndarray) -> str:
    """SVG path data of the smooth curve through `points`, in whole thousandths."""
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    first = padded[1]
    text = f"M{first[0]:.0f} {first[1]:.0f}"
    for i in range(1, len(points)):
        one = padded[i] + (padded[i + 1] - padded[i - 1]) / 6
        two = padded[i + 1] - (padded[i + 2] - padded[i]) / 6
        numbers = (*one, *two, *padded[i + 1])
        text += "C" + " ".join(f"{n:.0f}" for n in numbers)
    return text


def body(guides: list[np.ndarray]) -> str:
    """The outline of a lock, a little inside its outermost hairs."""
    places = np.linspace(0.02, 0.92, 16)
    upper = smooth(between(guides, np.full(24, 0.1)), places)
    lower = smooth(between(guides, np.full(24, 0.9)), places)
    return path(np.vstack([upper, lower[::-1]])) + "Z"


def half(drawing: Drawing, rng: random.Random) -> list[str]:
    """One half: bodies first, then hairs from the dark ones beneath to the light ones above."""
    lines = []
    dark, *shades = drawing.colours
    for lock in drawing.locks:
        guides = lock.curves()
        lines.append(f'<path d="{body(guides)}" fill="{dark}"/>')
        layers: dict[tuple[int, str, float], list[str]] = {}
        for number in range(lock.hairs):
            layer = number * LAYERS // lock.hairs
            height, points = hair(lock, guides, rng)
            # Light comes from above: a sheen on the upper third, shade along the lower edge.
            light = 0.62 - abs(height - 0.3) * 0.75 + rng.gauss(0, 0.14) + 0.1 * layer / LAYERS
            shade = shades[min(len(shades) - 1, max(0, int(light * len(shades))))]
            thick = round(lock.thick * rng.choice((0.6, 0.8, 1.0)), 1)
            layers.setdefault((layer, shade, thick), []).append(path(points))
        order = sorted(layers, key=lambda key: (key[0], shades.index(key[1])))
        for key in order:
            _, shade, thick = key
            data = "".join(layers[key])
            lines.append(f'<path d="{data}" stroke="{shade}" stroke-width="{thick}"/>')
    return lines


def extent(drawing: Drawing) -> tuple[int, int, int]:
    """Half the width, the top and the bottom that everything fits into."""
    points = np.vstack([curve for lock in drawing.locks for curve in lock.curves()])
    room = 40
    return (
        int(np.abs(points[:, 0]).max()) + room,
        int(points[:, 1].min()) - room,
        int(points[:, 1].max()) + room,
    )


def svg(name: str) -> str:
    drawing = DRAWINGS[name]
    rng = random.Random(f"{name} {drawing.seed}")  # noqa: S311 - the same drawing every time
    side, top, bottom = extent(drawing)
    right, left = half(drawing, rng), half(drawing, rng)
    box = f"{-side} {top} {2 * side} {bottom - top}"
    shadow = "".join(f'<path d="{body(lock.curves())}"/>' for lock in drawing.locks)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">',
            '<filter id="soft" x="-20%" y="-40%" width="140%" height="180%">',
            '<feGaussianBlur stdDeviation="11"/></filter>',
            '<g filter="url(#soft)" opacity=".38" transform="translate(0 9)">',
            f'<g>{shadow}</g><g transform="scale(-1 1)">{shadow}</g></g>',
            '<g fill="none" stroke-linecap="round">',
            *right,
            '</g><g fill="none" stroke-linecap="round" transform="scale(-1 1)">',
            *left,
            "</g></svg>\n",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DRAWINGS))
    for name in parser.parse_args().names or DRAWINGS:
        (HERE / f"{name}.svg").write_text(svg(name))


if __name__ == "__main__":
    main()
