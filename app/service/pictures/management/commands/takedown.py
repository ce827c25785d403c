from django.core.management.base import BaseCommand, CommandError

from service.errors import Problem
from service.pictures import uploads


class Command(BaseCommand):
    help = "Delete pictures that should not be shown, by the ids in their addresses (/p/ID)."

    def add_arguments(self, parser) -> None:
        parser.add_argument("ids", nargs="+", metavar="ID")

    def handle(self, *args, ids: list[str], **options) -> None:
        unknown = []
        for public_id in ids:
            try:
                uploads.delete(public_id)
            except Problem:
                unknown.append(public_id)
            else:
                self.stdout.write(f"Deleted {public_id}.")
        if unknown:
            raise CommandError(f"No picture has the id {', '.join(unknown)}.")
