"""A Django storage that keeps files in the database, so that a host holds no data of its own."""

import io
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import groupby

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db.models import F, QuerySet
from django.db.models.functions import Substr
from django.urls import reverse
from django.utils.deconstruct import deconstructible

from service.pictures.stores import OF_ORIGINAL, Damaged, Entries, Entry, look

AT_A_TIME = 1000  # names


class StoredBytes(io.RawIOBase):
    """The bytes of a file, of which only what is read leaves the store.

    `part` reads from a position on so many bytes, or all; it raises FileNotFoundError.
    """

    def __init__(self, part: Callable[[int, int | None], bytes], size: int):
        self.part, self.size, self.position = part, size, 0

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
        data = self.part(self.position, None if size == self.size else size)
        self.position += size
        return data


class StoredFileContent(File):
    """An open file of one of our stores."""

    def __init__(self, store: "PictureStorage", name: str):
        about = store.about(name)
        super().__init__(StoredBytes(partial(store.part, name), about.size), name)
        self.size, self.modified = about.size, about.modified


class PictureStorage(Storage):
    """A store of our own. A name is written once and never means other bytes.

    Who inherits has `about`, `part`, `fetch`, `keep` and `discard` as stores.py describes them, and
    `entries`, the names of originals' files, each with its Entry, by directory.
    """

    def _open(self, name: str, mode: str = "rb") -> File:
        return StoredFileContent(self, name)

    def _save(self, name: str, content: File) -> str:
        self.keep({name: content.read()})
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def delete(self, name: str) -> None:
        self.discard([name])

    def walk(self) -> Iterator[tuple[str, Entries]]:
        for directory, entries in groupby(self.entries(), lambda entry: entry[0].partition("/")[0]):
            if OF_ORIGINAL.fullmatch(directory):
                yield directory, dict(entries)

    def exists(self, name: str) -> bool:
        return look(self, name) is not None

    def size(self, name: str) -> int:
        return self.about(name).size

    def get_modified_time(self, name: str) -> datetime:
        return self.about(name).modified

    get_created_time = get_modified_time

    def url(self, name: str) -> str:
        return reverse("media", args=[name])


@deconstructible(path="service.pictures.storage.DatabaseStorage")
class DatabaseStorage(PictureStorage):
    """Files in the table StoredFile."""

    @property
    def files(self):
        from service.pictures.models import StoredFile

        return StoredFile.objects

    def rows(self, name: str) -> QuerySet:
        return self.files.filter(name=name)

    def about(self, name: str) -> Entry:
        found = self.rows(name).values_list("size", "created").first()
        if found is None:
            raise FileNotFoundError(name)
        return Entry(*found)

    def part(self, name: str, start: int, size: int | None) -> bytes:
        wanted = F("data") if size is None else Substr("data", start + 1, size)
        data = self.rows(name).values_list(wanted, flat=True).first()
        if data is None:
            raise FileNotFoundError("deleted while it was read")
        return bytes(data)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix = f"{path}/" if path else ""
        directories, files = set(), []
        names = self.files.filter(name__startswith=prefix).values_list("name", flat=True)
        for name in names.iterator():
            first, slash, _ = name.removeprefix(prefix).partition("/")
            directories.add(first) if slash else files.append(first)
        return sorted(directories), files

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """All of them, by name. Page by page: there may be writes meanwhile."""
        last = ""
        while rows := list(
            self.files.filter(name__gt=last)
            .order_by("name")
            .values_list("name", "size", "created")[:AT_A_TIME]
        ):
            for name, *about in rows:
                yield name, Entry(*about)
            last = name

    def fetch(self, names: Collection[str]) -> dict[str, bytes]:
        rows = self.files.filter(name__in=names).values_list("name", "data", "sha256")
        found = {name: (bytes(data), stored) for name, data, stored in rows}
        damaged = [name for name, (data, stored) in found.items() if digest(data) != stored]
        if damaged:
            raise Damaged(damaged)
        return {name: data for name, (data, _) in found.items()}

    def keep(self, files: Mapping[str, bytes]) -> None:
        self.files.bulk_create(
            [
                self.files.model(name=name, data=data, size=len(data), sha256=digest(data))
                for name, data in files.items()
            ],
            ignore_conflicts=True,
        )

    def discard(self, names: Collection[str]) -> None:
        names = list(names)
        for start in range(0, len(names), AT_A_TIME):
            self.files.filter(name__in=names[start : start + AT_A_TIME]).delete()


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()
