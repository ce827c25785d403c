from django.core.management.base import CommandError

from service import sessions
from service.sessions.management.moves import MoveCommand
from service.sessions.moving import Copy


class Command(MoveCommand):
    help = (
        "Copy every session to one of the two stores that settings name, from the other one, while "
        "visitors come and go. Safe to cut and to run again."
    )

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--to", required=True, choices=sessions.STORES)

    def handle(self, *args, to: str, json: bool, **options) -> None:
        first, second = self.stores()
        if to not in (first, second):
            raise CommandError(f"The stores are {first} and {second}: {to} is neither.")
        source = sessions.store(first if to == second else second)
        copy = Copy(source, sessions.store(to), overwrites=to == second)
        copy.run(self.progress(source.about_how_many()))
        facts = {"to": to, "seen": copy.seen, "copied": copy.copied}
        self.say(json, facts, f"Saw {copy.seen} sessions, wrote {copy.copied} of them to {to}.")
