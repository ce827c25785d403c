"""The drawings, the networks and the weight of it all."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from mustache import STYLES, UnknownStyle, mustachify
from packaging.requirements import Requirement
from PIL import Image

PACKAGE = Path(str(files("mustache")))
PYPROJECT = PACKAGE.parent / "pyproject.toml"


def test_enough_styles():
    assert len(STYLES) >= 8
    assert len({style.title for style in STYLES.values()}) == len(STYLES)


@pytest.mark.parametrize("name", STYLES)
def test_drawing_and_table_fit_together(name):
    style = STYLES[name]
    svg = (PACKAGE / "styles" / f"{name}.svg").read_text()
    _, _, width, height = (
        float(number) for number in re.search(r'viewBox="([^"]+)"', svg).group(1).split()
    )
    image = Image.open(style.path)
    assert image.mode == "RGBA"
    assert image.width / image.height == pytest.approx(width / height, rel=0.01)
    alpha = np.asarray(image.getchannel("A"))
    assert not alpha[[0, -1], :].any()  # nothing is cut off
    assert not alpha[:, [0, -1]].any()
    rows, columns = np.nonzero(alpha > 128)
    x, y = np.array(style.anchor) * image.width
    assert columns.mean() == pytest.approx(x, abs=0.03 * image.width)
    assert rows.min() - 0.1 * image.width < y < rows.max()


def test_no_drawing_without_a_table():
    drawings = {path.stem for path in (PACKAGE / "styles").glob("*.svg")}
    assert drawings == {path.stem for path in (PACKAGE / "styles").glob("*.png")} == set(STYLES)


def test_every_style_draws_something_else(small_face, encoded):
    data = encoded(small_face)
    results = {mustachify(data, style).data for style in STYLES}
    assert len(results) == len(STYLES)


def test_choose():
    assert STYLES.choose("random").name in STYLES
    with pytest.raises(UnknownStyle, match="choose from"):
        STYLES.choose("beard")


def test_networks_are_the_recorded_ones():
    folder = PACKAGE / "models"
    recorded = dict(
        reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    assert set(recorded) == {path.name for path in folder.glob("*.onnx")}
    for name, digest in recorded.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert (folder / f"LICENSE.{Path(name).stem}").stat().st_size > 500


def needed(names: list[str]) -> set[str]:
    """The distributions that these need at run time, and those that they need."""
    found: set[str] = set()
    while names:
        requirement = Requirement(names.pop())
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in found:
            found.add(requirement.name)
            names += distribution(requirement.name).requires or []
    return found


def test_core_unzips_to_less_than_200_mb():
    listed = re.search(r"^dependencies = \[(.*?)\]", PYPROJECT.read_text(), re.S | re.M).group(1)
    parts = needed(re.findall(r'"([^"]+)"', listed))
    assert {"numpy", "onnxruntime", "pillow", "simplejpeg"} <= parts
    size = sum(path.stat().st_size for path in PACKAGE.rglob("*") if path.is_file())
    for name in parts:
        for file in distribution(name).files or []:
            if "__pycache__" not in file.parts:  # not part of the wheel
                size += Path(str(file.locate())).stat().st_size
    assert 50e6 < size < 200e6, f"{size / 1e6:.0f} MB"
