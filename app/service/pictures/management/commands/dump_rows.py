import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from service.errors import STORE_ERRORS
from service.pictures.records import dumping


class Command(BaseCommand):
    help = "Write the records of all pictures, without their bytes, to standard output: a dump."

    def handle(self, *args, **options) -> None:
        # Here: it needs boto3, and only for this.
        from service import aws
        from service.pictures.records.moving import SOURCES

        try:
            with aws.patient():
                number = dumping.dump(SOURCES[settings.ROWS](), sys.stdout.buffer)
        except STORE_ERRORS as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Dumped {number} pictures.")
