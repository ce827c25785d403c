"""A Django storage that keeps files in the database, so that a host holds no data of its own."""

from hashlib import sha256

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.urls import reverse
from django.utils.deconstruct import deconstructible


@deconstructible(path="service.pictures.storage.DatabaseStorage")
class DatabaseStorage(Storage):
    """Files are addressed by content: a name is written once and never means other bytes."""

    @property
    def files(self):
        from service.pictures.models import StoredFile

        return StoredFile.objects

    def _open(self, name: str, mode: str = "rb") -> File:
        data = self.files.filter(name=name).values_list("data", flat=True).first()
        if data is None:
            raise FileNotFoundError(name)
        return ContentFile(bytes(data), name=name)

    def _save(self, name: str, content: File) -> str:
        data = content.read()
        self.files.bulk_create(
            [
                self.files.model(
                    name=name, data=data, size=len(data), sha256=sha256(data).hexdigest()
                )
            ],
            ignore_conflicts=True,
        )
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def delete(self, name: str) -> None:
        self.files.filter(name=name).delete()

    def exists(self, name: str) -> bool:
        return self.files.filter(name=name).exists()

    def size(self, name: str) -> int:
        return self.files.values_list("size", flat=True).get(name=name)

    def url(self, name: str) -> str:
        return reverse("media", args=[name])
