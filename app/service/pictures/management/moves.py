"""What the commands about two stores of pictures have in common."""

import json
from collections.abc import Iterable

from django.conf import settings
from django.core.files.storage import Storage
from django.core.management.base import BaseCommand, CommandError

from service.errors import StoreUnavailable
from service.pictures import files, stores
from service.progress import Progress

NAMED = 20  # of the files that are wrong; the rest is counted


class StoresCommand(BaseCommand):
    def add_arguments(self, parser) -> None:
        parser.add_argument("--json", action="store_true", help="the last line as JSON")

    def pair(self, first: str) -> tuple[str, Storage, Storage]:
        """The store of that name, and the other one with its name before it."""
        if "s3" not in settings.PICTURE_STORES:
            raise CommandError("PICTURE_BUCKET is empty. Example: PICTURE_BUCKET=mustache-pictures")
        [other] = settings.PICTURE_STORES.keys() - {first}
        return other, stores.enduring(first), stores.enduring(other)

    def go_through(self, work) -> Progress:
        try:
            with files.told():
                progress = work.run()
        except StoreUnavailable as error:
            raise CommandError(f"{error}. The same command goes on from here.") from error
        progress.tell()
        return progress

    def say(self, as_json: bool, facts: dict, sentence: str) -> None:
        self.stdout.write(json.dumps(facts) if as_json else sentence)


def some(names: Iterable[str]) -> list[str]:
    return sorted(names)[:NAMED]
