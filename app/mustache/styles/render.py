"""Render the SVG drawings of this directory to the PNGs that are drawn into pictures.

pip install resvg-py && python render.py [NAME...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import resvg_py

HERE = Path(__file__).parent
WIDTH = 1200  # pixels; a mustache is rarely larger, even in a portrait of 12 megapixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names or sorted(path.stem for path in HERE.glob("*.svg"))
    for name in names:
        source = HERE / f"{name}.svg"
        png = resvg_py.svg_to_bytes(svg_path=str(source), width=WIDTH)
        source.with_suffix(".png").write_bytes(bytes(png))


if __name__ == "__main__":
    main()
