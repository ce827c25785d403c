import json as as_json

from django.core.management.base import BaseCommand, CommandError

from service.errors import STORE_ERRORS
from service.pictures.management.moves import some
from service.pictures.management.rows import both_are_known, progress


class Command(BaseCommand):
    help = (
        "Compare every record of pictures in the database and in DynamoDB; fail if any differs. "
        "Only with ROWS_FROZEN=true on every host is nothing on its way."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--json", action="store_true", help="the last line as JSON")

    def handle(self, *args, json: bool, **options) -> None:
        both_are_known()
        from service import aws
        from service.pictures.records.moving import Comparison

        comparison, told = Comparison(), progress()
        try:
            with aws.patient():
                comparison.run(lambda number: told.add(number, 0))
        except STORE_ERRORS as error:
            raise CommandError(str(error)) from error
        told.tell()
        different = [" ".join(key) for key in comparison.different]
        sides = {name: side.said() for name, side in comparison.sides.items()}
        facts = sides | {"different": len(different), "seconds": round(told.seconds, 1)}
        counts = ", ".join(
            f"{name} has {side.get('pictures', 0)} pictures" for name, side in sides.items()
        )
        sentence = f"{counts}; {len(different)} records differ."
        self.stdout.write(as_json.dumps(facts) if json else sentence)
        if different:
            raise CommandError(
                f"{len(different)} records differ, among them {', '.join(some(different))}"
            )
