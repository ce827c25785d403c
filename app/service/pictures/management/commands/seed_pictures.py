import io
import random
from pathlib import Path

import mustache
from django.core.management.base import BaseCommand, CommandError
from PIL import Image, ImageDraw

from service.pictures import uploads


class Command(BaseCommand):
    help = "Add N pictures, each different: variations of given ones, or drawings of circles."

    def add_arguments(self, parser) -> None:
        parser.add_argument("number", type=int, metavar="N")
        parser.add_argument("--from", nargs="+", type=Path, metavar="PICTURE", dest="sources")
        parser.add_argument("--seed", type=int, default=0, help="other numbers, other pictures")

    def handle(self, *args, number: int, sources: list[Path] | None, seed: int, **options) -> None:
        if number < 1:
            raise CommandError("N must be 1 or more")
        chance = random.Random(seed)  # noqa: S311  # repeatable on purpose
        styles = list(mustache.STYLES)
        for index in range(number):
            source = sources[index % len(sources)] if sources else None
            data = variation(source, chance) if source else circles(chance)
            picture, _ = uploads.create(data, chance.choice(styles))
            if options["verbosity"] > 1 or (index + 1) % 25 == 0:
                self.stdout.write(f"{index + 1}/{number} {picture.get_absolute_url()}")
        self.stdout.write(f"Added {number} pictures.")


def variation(path: Path, chance: random.Random) -> bytes:
    """The picture, a little smaller: other bytes, the same faces."""
    with Image.open(path) as image:
        scale = chance.uniform(0.8, 1.0)
        size = [max(1, round(side * scale)) for side in image.size]
        return as_jpeg(image.convert("RGB").resize(size))


def circles(chance: random.Random, size: int = 320) -> bytes:
    def colour() -> tuple[int, ...]:
        return tuple(chance.randrange(256) for _ in range(3))

    image = Image.new("RGB", (size, size), colour())
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        at = (chance.randrange(size), chance.randrange(size))
        draw.circle(at, chance.randrange(10, 90), fill=colour())
    return as_jpeg(image)


def as_jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()
