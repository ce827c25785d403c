import json
from hashlib import sha256

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError

from service.pictures.models import Original, Picture, Result


class Command(BaseCommand):
    help = (
        "Print the number of pictures and one checksum over all of them as JSON, from the bytes "
        "themselves: equal before and after a move of the database means that nothing was lost."
    )

    def handle(self, *args, **options) -> None:
        checksum = sha256()
        missing = []

        def add(text: str) -> None:
            checksum.update(text.encode() + b"\n")

        def add_file(name: str) -> None:
            try:
                with default_storage.open(name) as file:
                    add(f"{name} {sha256(file.read()).hexdigest()}")
            except FileNotFoundError:
                missing.append(name)

        pictures = Picture.objects.order_by("id").values_list(
            "id", "public_id", "result_id", "listed", "owner_hash", "token_hash"
        )
        for row in pictures.iterator():
            add(" ".join(map(str, row)))
        for original in Original.objects.order_by("sha256").iterator():
            add_file(original.file.name)
            add_file(original.preview.name)
        for result in Result.objects.order_by("id").iterator():
            faces = json.dumps(result.faces, sort_keys=True)
            add(f"{result.id} {result.original_id} {result.style} {faces}")
            for file in (result.file, result.preview, result.thumbnail):
                add_file(file.name)
        self.stdout.write(
            json.dumps(
                {
                    "count": Picture.objects.count(),
                    "originals": Original.objects.count(),
                    "results": Result.objects.count(),
                    "missing_files": missing,
                    "sha256": checksum.hexdigest(),
                }
            )
        )
        if missing:
            raise CommandError(f"{len(missing)} files are missing")
