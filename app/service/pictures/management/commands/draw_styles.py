"""The styles' drawings at the size that pages show: the originals are for printing on faces."""

from pathlib import Path

import mustache
from django.core.management.base import BaseCommand
from PIL import Image

FOLDER = Path(__file__).parents[3] / "static" / "styles"
WIDTH = 360


def small(style: mustache.Style) -> Image.Image:
    with Image.open(style.path) as drawing:
        # Premultiplied, or the edges would take the colour that transparent pixels happen to have.
        image = drawing.convert("RGBa")
        image.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        return image.convert("RGBA")


class Command(BaseCommand):
    help = "Draw each style small, as a static file. For developers: the files are in git."

    def handle(self, *args, **options) -> None:
        FOLDER.mkdir(exist_ok=True)
        for style in mustache.STYLES.values():
            small(style).save(FOLDER / f"{style.name}.webp", quality=80, method=6)
