"""A Django storage that keeps files in the database, so that a host holds no data of its own."""

import io
from datetime import datetime
from hashlib import sha256

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db.models import F, QuerySet
from django.db.models.functions import Substr
from django.urls import reverse
from django.utils.deconstruct import deconstructible


class StoredBytes(io.RawIOBase):
    """The bytes of a row, of which only what is read leaves the database."""

    def __init__(self, rows: QuerySet, size: int):
        self.rows, self.size, self.position = rows, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = max(0, start + offset)
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self.read(self.size - self.position)

    def read(self, size: int = -1) -> bytes:
        size = min(size if size >= 0 else self.size, self.size - self.position)
        if size <= 0:
            return b""
        whole = size == self.size
        wanted = F("data") if whole else Substr("data", self.position + 1, size)
        data = self.rows.values_list(wanted, flat=True).first()
        if data is None:
            raise FileNotFoundError("deleted while it was read")
        self.position += size
        return bytes(data)


class StoredFileContent(File):
    """An open file of DatabaseStorage."""

    def __init__(self, rows: QuerySet, name: str, size: int, modified: datetime):
        super().__init__(StoredBytes(rows, size), name)
        self.size, self.modified = size, modified


@deconstructible(path="service.pictures.storage.DatabaseStorage")
class DatabaseStorage(Storage):
    """A name is written once and never means other bytes."""

    def rows(self, name: str) -> QuerySet:
        return self.files.filter(name=name)

    @property
    def files(self):
        from service.pictures.models import StoredFile

        return StoredFile.objects

    def about(self, name: str) -> tuple[int, datetime]:
        """Size and time; raises FileNotFoundError."""
        found = self.rows(name).values_list("size", "created").first()
        if found is None:
            raise FileNotFoundError(name)
        return found

    def _open(self, name: str, mode: str = "rb") -> File:
        return StoredFileContent(self.rows(name), name, *self.about(name))

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
        self.rows(name).delete()

    def exists(self, name: str) -> bool:
        return self.rows(name).exists()

    def size(self, name: str) -> int:
        return self.about(name)[0]

    def get_created_time(self, name: str) -> datetime:
        return self.about(name)[1]

    get_modified_time = get_created_time

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix = f"{path}/" if path else ""
        directories, files = set(), []
        names = self.files.filter(name__startswith=prefix).values_list("name", flat=True)
        for name in names.iterator():
            first, slash, _ = name.removeprefix(prefix).partition("/")
            directories.add(first) if slash else files.append(first)
        return sorted(directories), files

    def url(self, name: str) -> str:
        return reverse("media", args=[name])
