from django.core.management.base import BaseCommand

from service.pictures import uploads


class Command(BaseCommand):
    help = "Delete what no picture shows any more. Safe at any time, and as often as you like."

    def handle(self, *args, **options) -> None:
        self.stdout.write(f"Swept {uploads.sweep()} originals that no picture shows.")
