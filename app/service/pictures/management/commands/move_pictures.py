from django.conf import settings
from django.core.management.base import CommandError

from service.pictures.management.moves import StoresCommand, some
from service.pictures.moving import Copy


class Command(StoresCommand):
    help = (
        "Copy the files of pictures that one store has not got yet from the other, while visitors "
        "upload and delete. Safe to cut and to run again. Next: compare_pictures."
    )

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--to", required=True, choices=["s3", "database"])

    def handle(self, *args, to: str, json: bool, **options) -> None:
        source_name, target, source = self.pair(to)
        if not settings.PICTURE_STORE_SECOND:
            raise CommandError(
                "PICTURE_STORE_SECOND is empty. Set it on every host first, so that what visitors "
                "upload meanwhile goes to both stores."
            )
        copy = Copy(source, target)
        progress = self.go_through(copy)
        facts = {
            "from": source_name,
            "to": to,
            "files": copy.files,
            "bytes": copy.bytes,
            "damaged": some(copy.damaged),
            "seconds": round(progress.seconds, 1),
        }
        sentence = f"Copied {copy.files} files, {copy.bytes} bytes, from {source_name} to {to}."
        self.say(json, facts, sentence)
        if copy.damaged:
            raise CommandError(
                f"{len(copy.damaged)} files are damaged in {source_name} and were not copied: "
                f"{', '.join(some(copy.damaged))}"
            )
