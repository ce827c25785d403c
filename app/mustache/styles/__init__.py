"""The mustaches: drawings in this directory, what one needs to know of each in styles.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from random import SystemRandom

from PIL import Image

from mustache.errors import UnknownStyle

HERE = Path(__file__).parent
RANDOM = "random"


@dataclass(frozen=True)
class Style:
    """One mustache; lengths are fractions of the drawing's width.

    anchor: x, y of the point that lies on the philtrum; width: of the drawing, in widths of the
    face's mustache; overlap: how far it reaches below the philtrum's middle, over the lip.
    """

    name: str
    title: str
    anchor: tuple[float, float]
    width: float
    overlap: float

    @property
    def path(self) -> Path:
        """The drawing, an RGBA PNG."""
        return HERE / f"{self.name}.png"

    def drawing_for(self, width: float) -> Image.Image:
        """The drawing, at most twice as wide as `width`, with premultiplied alpha (RGBa)."""
        factor = max(1, int(self._drawing.width / width))
        return self._drawing if factor == 1 else self._reduced(factor)

    @lru_cache(maxsize=30)  # noqa: B019  # styles live as long as the process
    def _reduced(self, factor: int) -> Image.Image:
        return self._drawing.reduce(factor)

    @cached_property
    def _drawing(self) -> Image.Image:
        with Image.open(self.path, formats=["PNG"]) as image:
            return image.convert("RGBa")


class Styles(Mapping[str, Style]):
    """Styles by name, in the order of styles.toml, read when first asked for."""

    @cached_property
    def _all(self) -> dict[str, Style]:
        data = tomllib.loads((HERE / "styles.toml").read_text())
        return {
            name: Style(name, **{**fields, "anchor": tuple(fields["anchor"])})
            for name, fields in data.items()
        }

    def __getitem__(self, name: str) -> Style:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def choose(self, name: str) -> Style:
        """The style called `name`, any one for "random"; UnknownStyle otherwise."""
        if name == RANDOM:
            return SystemRandom().choice(list(self.values()))
        try:
            return self[name]
        except KeyError:
            raise UnknownStyle(name, list(self)) from None


STYLES = Styles()
