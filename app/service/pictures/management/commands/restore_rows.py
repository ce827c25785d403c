import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from service.errors import STORE_ERRORS
from service.pictures.records import dumping


class Command(BaseCommand):
    help = (
        "Make the records of all pictures what they are in a dump on standard input. What came "
        "since goes. With ROWS_FROZEN=true on every host nothing comes between. Safe to cut and to "
        "run again."
    )

    def handle(self, *args, **options) -> None:
        from service import aws
        from service.pictures.records.moving import COPIES, Copy

        copy = Copy()
        try:
            # All of it before anything is changed: half a dump is none.
            bundles = list(dumping.load(sys.stdin.buffer))
            with aws.patient():
                COPIES[settings.ROWS](copy, bundles, lambda number: None)
        except (dumping.Broken, *STORE_ERRORS) as error:
            raise CommandError(f"Nothing, or not all, was restored: {error}") from error
        self.stdout.write(
            f"Restored {copy.seen} pictures: wrote {copy.written} and deleted {copy.deleted} "
            "records."
        )
