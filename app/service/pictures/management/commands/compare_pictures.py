from django.conf import settings
from django.core.management.base import CommandError

from service.pictures.management.moves import StoresCommand, some
from service.pictures.moving import Comparison


class Command(StoresCommand):
    help = (
        "Read every file of pictures in both stores and compare them, while visitors upload and "
        "delete; fail if one that is needed is missing or different."
    )

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--from",
            choices=["s3", "database"],
            dest="source",
            help="a store that is to go: what only the other one has is no difference",
        )

    def handle(self, *args, source: str | None, json: bool, **options) -> None:
        name, *pair = self.pair(settings.PICTURE_STORE)
        comparison = Comparison(*pair)
        progress = self.go_through(comparison)
        sides = dict(zip((settings.PICTURE_STORE, name), comparison.sides, strict=True))
        if source:
            sides[source].missing.clear()
        facts = {
            alias: {"files": side.files, "bytes": side.bytes, "missing": some(side.missing)}
            for alias, side in sides.items()
        } | {
            "equal": comparison.equal,
            "sha256": comparison.checksum.hexdigest(),
            "different": some(comparison.different),
            "unneeded": comparison.unneeded,
            "agree": comparison.agrees,
            "seconds": round(progress.seconds, 1),
        }
        held = " and ".join(f"{alias} {side.files} files" for alias, side in sides.items())
        self.say(json, facts, f"{held}; {comparison.equal} are equal, {facts['sha256']}.")
        if not comparison.agrees:
            wrong = [
                f"{len(side.missing)} missing in {alias}, as {min(side.missing)}"
                for alias, side in sides.items()
                if side.missing
            ]
            if comparison.different:
                wrong.append(
                    f"{len(comparison.different)} different, as {min(comparison.different)}"
                )
            raise CommandError(f"The stores differ: {'; '.join(wrong)}")
