from django.conf import settings
from django.core.management.base import CommandError

from service.pictures.management.moves import StoresCommand, some
from service.pictures.moving import Comparison, Drop


class Command(StoresCommand):
    help = (
        "Delete the files of pictures in a store that is not in use any more. Refuses before it "
        "deletes anything, unless the other store has every one that is needed, byte by byte."
    )

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", required=True, choices=["s3", "database"], dest="source")

    def handle(self, *args, source: str, json: bool, **options) -> None:
        other_name, store, other = self.pair(source)
        if source in (settings.PICTURE_STORE, settings.PICTURE_STORE_SECOND):
            raise CommandError(
                f"{source} is in use. Set PICTURE_STORE={other_name} on every host first, and no "
                "PICTURE_STORE_SECOND."
            )
        comparison = Comparison(store, other)
        self.go_through(comparison)
        lacks = comparison.sides[1].missing | comparison.different
        if lacks:
            raise CommandError(
                f"{other_name} lacks {len(lacks)} files that {source} has, or has other bytes: "
                f"{', '.join(some(lacks))}. Nothing was deleted."
            )
        drop = Drop(store, other)
        progress = self.go_through(drop)
        facts = {
            "from": source,
            "files": drop.files,
            "bytes": drop.bytes,
            "kept": some(drop.kept),
            "seconds": round(progress.seconds, 1),
        }
        self.say(json, facts, f"Deleted {drop.files} files, {drop.bytes} bytes, from {source}.")
        if drop.kept:
            raise CommandError(
                f"{len(drop.kept)} files are only in {source} and were kept: "
                f"{', '.join(some(drop.kept))}"
            )
