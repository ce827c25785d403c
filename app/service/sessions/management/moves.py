"""What the commands about two stores of sessions have in common."""

import json

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from service.progress import Progress
from service.sessions import Kept


class MoveCommand(BaseCommand):
    def add_arguments(self, parser) -> None:
        parser.add_argument("--json", action="store_true", help="the last line as JSON")

    def stores(self) -> tuple[str, str]:
        """The first and the second; without a second some sessions would go to one of them only."""
        if not settings.SESSION_STORE_SECOND:
            raise CommandError(
                "SESSION_STORE_SECOND is empty. Set it on every host first, so that what visitors "
                "write meanwhile goes to both stores."
            )
        return settings.SESSION_STORE, settings.SESSION_STORE_SECOND

    def progress(self, total: int):
        self.told = Progress("sessions", total)

        def tell(batch: list[Kept]) -> None:
            self.told.add(len(batch), sum(len(kept.data) for kept in batch))

        return tell

    def say(self, as_json: bool, facts: dict, sentence: str) -> None:
        self.told.tell()
        self.stdout.write(json.dumps(facts) if as_json else sentence)
