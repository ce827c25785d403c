from django.core.management.base import CommandError

from service import sessions
from service.sessions.management.moves import MoveCommand
from service.sessions.moving import Comparison


class Command(MoveCommand):
    help = "Compare the two stores of sessions that settings name; fail if they differ."

    def handle(self, *args, json: bool, **options) -> None:
        names = self.stores()
        stores = [sessions.store(name) for name in names]
        comparison = Comparison(*stores)
        comparison.run(self.progress(sum(each.about_how_many() for each in stores)))
        sides = {name: side.said() for name, side in zip(names, comparison.sides, strict=True)}
        sentence = ", ".join(f"{name} has {side['count']}" for name, side in sides.items())
        different = comparison.different
        self.say(json, sides | {"different": different}, f"{sentence}; {different} differ.")
        if different:
            raise CommandError(f"{different} sessions differ")
