"""A stage drawn as SVG. It is made for the width of a phone; its colours are those of the page."""

import textwrap
from xml.etree import ElementTree

from guide.stages import NAMES, Part, Stage

WIDTH = 360
EDGE = 12
GAP = 26
LINE = 16
# So many hosts are drawn; the words beside them say how many there are.
MOST_HOSTS = 4
# Hosts of a group, or runs of functions, that may come: drawn with dashes.
COMING = 2


class Drawing:
    """An SVG that grows downwards: ``y`` is where the next thing begins."""

    def __init__(self) -> None:
        self.root = ElementTree.Element("svg", {"class": "diagram", "role": "img"})
        self.y = 4.0

    def add(self, tag: str, text: str = "", **attributes: object) -> ElementTree.Element:
        named = {
            name.rstrip("_").replace("_", "-"): f"{value}" for name, value in attributes.items()
        }
        element = ElementTree.SubElement(self.root, tag, named)
        element.text = text or None
        return element

    def box(self, x: float, y: float, wide: float, high: float, classes: str) -> None:
        self.add("rect", x=x, y=y, width=wide, height=high, rx=6, class_=classes)

    def words(self, x: float, y: float, text: str, classes: str = "") -> None:
        self.add("text", text, x=x, y=y, text_anchor="middle", class_=classes)

    def line(self, *points: tuple[float, float], arrow: bool = True) -> None:
        path = " L ".join(f"{x:g} {y:g}" for x, y in points)
        self.add("path", d=f"M {path}", class_="line")
        if arrow:
            (before, _), (x, y) = points[-2:]
            if x == before:
                tip = f"M {x - 4:g} {y - 7:g} L {x:g} {y:g} L {x + 4:g} {y - 7:g} z"
            else:
                back = -7 if x > before else 7
                tip = f"M {x + back:g} {y - 4:g} L {x:g} {y:g} L {x + back:g} {y + 4:g} z"
            self.add("path", d=tip, class_="tip")

    def down(self, label: str = "") -> None:
        """An arrow to what comes next."""
        self.line((WIDTH / 2, self.y), (WIDTH / 2, self.y + GAP))
        if label:
            self.add("text", label, x=WIDTH / 2 + 10, y=self.y + 17, class_="label")
        self.y += GAP

    def text(self, height: float) -> str:
        self.root.set("viewBox", f"0 0 {WIDTH} {height:g}")
        return ElementTree.tostring(self.root, encoding="unicode")


def wrapped(lines: tuple[str, ...], wide: float) -> list[str]:
    """Lines that fit into a box: a letter takes about 6."""
    return [each for line in lines for each in textwrap.wrap(line, int((wide - 12) / 6))]


def height(part: Part, wide: float) -> float:
    return 14 + LINE * (1 + len(wrapped(part.lines, wide)))


def draw_part(drawing: Drawing, stage: Stage, part: Part, place: tuple[float, ...]) -> None:
    """A box with the name of a part and what is said of it."""
    x, y, wide, high = place
    new = " new" if stage.is_new(part) else ""
    drawing.box(x, y, wide, high, f"box {part.axis}{new}")
    drawing.words(x + wide / 2, y + 20, part.name, "name")
    for number, line in enumerate(wrapped(part.lines, wide), start=1):
        drawing.words(x + wide / 2, y + 20 + LINE * number, line)


def hosts(stage: Stage) -> list[str]:
    """What is written into each host that is drawn; nothing into one that may come."""
    values = stage.values
    if stage.compute.provider == "hosts":
        zones = [f"zone {letter}" for letter in "abc"[: values["network_zone_count"]]]
        shown = min(int(values["web_count"]), MOST_HOSTS)
        return [zones[number % len(zones)] for number in range(shown)]
    if stage.compute.provider == "group":
        shown = min(int(values["asg_min_size"]), MOST_HOSTS - COMING)
        return ["nginx, app"] * shown + [""] * COMING
    if stage.compute.provider == "functions":
        return ["app", *[""] * COMING]
    return []


def draw_compute(drawing: Drawing, stage: Stage, within: tuple[Part, ...]) -> None:
    """The frame of the hosts, with each of them in it, and stores that they have themselves."""
    part, shown, wide = stage.compute, hosts(stage), WIDTH - 2 * EDGE - 24
    x = EDGE + 12
    inner = wide - 20
    high = (
        height(part, wide) + (40 if shown else 0) + sum(height(each, inner) + 8 for each in within)
    )
    draw_part(drawing, stage, part, (x, drawing.y, wide, high))
    y = drawing.y + height(part, wide)
    each_wide = (inner - 8 * (len(shown) - 1)) / max(1, len(shown))
    for number, text in enumerate(shown):
        left = x + 10 + number * (each_wide + 8)
        drawing.box(left, y, each_wide, 30, "host" if text else "host coming")
        label = f"nginx, app · {text}" if each_wide > 130 and text != "nginx, app" else text
        drawing.words(left + each_wide / 2, y + 19, label or "+")
    y += 38 if shown else 0
    for store in within:
        draw_part(drawing, stage, store, (x + 10, y, inner, height(store, inner)))
        y += height(store, inner) + 8
    drawing.y += high


def draw_stores(drawing: Drawing, stage: Stage, stores: tuple[Part, ...], cdn: float) -> None:
    """Two beside each other, reached from the line between them. ``cdn``: where CloudFront is."""
    if len(stores) == 1:
        drawing.down()
        wide = WIDTH - 2 * EDGE - 24
        draw_part(drawing, stage, stores[0], (EDGE + 12, drawing.y, wide, height(stores[0], wide)))
        drawing.y += height(stores[0], wide)
        return
    wide = (WIDTH - 4 * EDGE - 24) / 2
    middle, top = WIDTH / 2, drawing.y
    drawing.y += 14
    for left, right in zip(stores[::2], [*stores[1::2], None], strict=False):
        high = max(height(each, wide) for each in (left, right) if each)
        center = drawing.y + high / 2
        drawing.line((middle, center), (2 * EDGE + wide, center))
        draw_part(drawing, stage, left, (2 * EDGE, drawing.y, wide, high))
        if right:
            x = WIDTH - 2 * EDGE - wide
            drawing.line((middle, center), (x, center))
            draw_part(drawing, stage, right, (x, drawing.y, wide, high))
            if cdn and right.provider == "s3":
                side = WIDTH - 6
                drawing.line((WIDTH - 2 * EDGE, cdn), (side, cdn), (side, center),
                             (WIDTH - 2 * EDGE, center))  # fmt: skip
        drawing.y += high + 12
    drawing.line((middle, top), (middle, center), arrow=False)
    drawing.y -= 12


def said(stage: Stage) -> str:
    """The same in words, for those who do not see it."""
    parts = ", ".join(f"{part.name} ({'; '.join(part.lines)})" if part.lines else part.name
                      for part in stage.parts)  # fmt: skip
    return f"Stage {stage.number}, from visitors on: Route 53, {parts}."


def draw(stage: Stage) -> str:
    """The SVG of a stage, to stand in a page."""
    drawing = Drawing()
    drawing.add("title", said(stage))
    drawing.box(WIDTH / 2 - 60, drawing.y, 120, 28, "visitors")
    drawing.words(WIDTH / 2, drawing.y + 19, "visitors")
    drawing.y += 28
    cdn, wide = 0.0, WIDTH - 4 * EDGE
    for number, part in enumerate(stage.fronts):
        drawing.down("" if number else "Route 53")
        high = height(part, wide)
        draw_part(drawing, stage, part, (2 * EDGE, drawing.y, wide, high))
        if part.name == NAMES["cdn"]:
            cdn = drawing.y + high / 2
        drawing.y += high
    drawing.down()
    within = tuple(each for each in stage.stores if each.provider == "instance")
    draw_compute(drawing, stage, within)
    apart = tuple(each for each in stage.stores if each not in within)
    if apart:
        draw_stores(drawing, stage, apart, cdn)
    return drawing.text(drawing.y + 4)
