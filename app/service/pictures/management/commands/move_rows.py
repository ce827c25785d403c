import json as as_json

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from service.errors import STORE_ERRORS
from service.pictures.management.moves import some
from service.pictures.management.rows import both_are_known, progress


class Command(BaseCommand):
    help = (
        "Make the records of pictures in one store what they are in the one in use, while visitors "
        "upload and delete. Safe to cut and to run again. At last with ROWS_FROZEN=true on every "
        "host, then compare_rows."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--json", action="store_true", help="the last line as JSON")
        parser.add_argument("--to", required=True, choices=sorted(settings.RECORDS_STORES))

    def handle(self, *args, to: str, json: bool, **options) -> None:
        both_are_known()
        if to == settings.ROWS:
            raise CommandError(f"{to} is in use, and what it has would go. Move to the other one.")
        # Here: it needs boto3, and only for this.
        from service import aws
        from service.pictures.records.moving import COPIES, SOURCES, Copy

        copy, told = Copy(), progress()
        try:
            with aws.patient():
                COPIES[to](copy, SOURCES[settings.ROWS](), lambda number: told.add(number, 0))
        except STORE_ERRORS as error:
            raise CommandError(f"{error}. The same command goes on from here.") from error
        told.tell()
        facts = {"to": to, "frozen": settings.ROWS_FROZEN, "seconds": round(told.seconds, 1)}
        different = [" ".join(key) for key in copy.different]
        facts |= {"seen": copy.seen, "written": copy.written, "deleted": copy.deleted}
        facts |= {"different": len(different), "records": copy.source.said()}
        sentence = (
            f"Saw {copy.seen} pictures, wrote {copy.written} and deleted {copy.deleted} records "
            f"in {to}."
        )
        self.stdout.write(as_json.dumps(facts) if json else sentence)
        if different:
            raise CommandError(
                f"{len(different)} records differ, among them {', '.join(some(different))}"
            )
