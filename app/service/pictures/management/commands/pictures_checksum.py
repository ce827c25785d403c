import json
from hashlib import sha256

from django.core.management.base import BaseCommand, CommandError

from service.pictures import files
from service.pictures.records import records


class Command(BaseCommand):
    help = (
        "Print the number of pictures and one checksum over all of them as JSON, from the bytes "
        "themselves: equal before and after a move of any store means that nothing was lost."
    )

    def handle(self, *args, **options) -> None:
        checksum = sha256()
        count = {"count": 0, "originals": 0, "results": 0}
        missing = []

        def add(*what) -> None:
            checksum.update((" ".join(map(str, what)) + "\n").encode())

        def add_file(name: str) -> None:
            try:
                add(name, sha256(files.read(name)).hexdigest())
            except FileNotFoundError:
                missing.append(name)

        for picture in records.pictures():
            count["count"] += 1
            shown = picture.result
            add(picture.id, picture.public_id, shown.original.sha256, shown.style, picture.listed)
            add(picture.owner_hash, picture.token_hash, picture.created.isoformat())
        for original, results in records.originals():
            count["originals"] += 1
            for name in sorted(original.files):
                add_file(name)
            for result in results:
                count["results"] += 1
                faces = json.dumps(result.faces, sort_keys=True)
                add(result.style, result.content_type, result.width, result.height, faces)
                for name in sorted(result.files):
                    add_file(name)
        said = {**count, "missing_files": missing, "sha256": checksum.hexdigest()}
        self.stdout.write(json.dumps(said))
        if missing:
            raise CommandError(f"{len(missing)} files are missing")
