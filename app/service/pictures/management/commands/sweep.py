from django.core.management.base import BaseCommand

from service.pictures import sweeping


class Command(BaseCommand):
    help = "Delete files that nothing needs any more. Safe at any time, and as often as you like."

    def handle(self, *args, **options) -> None:
        self.stdout.write(f"Swept {sweeping.sweep()} files that nothing needs.")
