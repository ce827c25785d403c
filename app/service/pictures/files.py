"""The files of pictures, in the default storage: whatever that is, one error says that it fails.

A name is written once and never means other bytes. Files are put before the rows that name them are
saved, and deleted after those are gone; sweeping.py deletes what neither saw.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils import timezone

from service.errors import STORE_ERRORS, StoreUnavailable

# Of these the caller makes something of his own.
TELLING = (FileNotFoundError, SuspiciousOperation, *STORE_ERRORS)


@contextmanager
def told() -> Iterator[None]:
    """Any error of the storage, as StoreUnavailable: each kind has others."""
    try:
        yield
    except TELLING:
        raise
    except Exception as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


@told()
def put(files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        saved = default_storage.save(name, ContentFile(data))
        if saved != name:
            default_storage.delete(saved)
            raise FileExistsError(name)


@told()
def read(name: str) -> bytes:
    """Raises FileNotFoundError."""
    with default_storage.open(name) as file:
        return file.read()


@told()
def opened(name: str) -> File:
    """Raises FileNotFoundError."""
    return default_storage.open(name)


@told()
def part(file: File, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


@told()
def size(name: str) -> int:
    """Raises FileNotFoundError."""
    return default_storage.size(name)


@told()
def modified(name: str) -> datetime:
    """Raises FileNotFoundError."""
    when = default_storage.get_modified_time(name)
    return when if timezone.is_aware(when) else timezone.make_aware(when)


@told()
def delete(names: Iterable[str]) -> None:
    for name in names:
        default_storage.delete(name)


def tidy(names: Iterable[str]) -> None:
    """Delete what is in nobody's way: if that fails, sweeping does it."""
    with suppress(*STORE_ERRORS):
        delete(names)


@told()
def names(directory: str) -> tuple[list[str], list[str]]:
    """The directories and files in a directory, which need not be there."""
    try:
        return default_storage.listdir(directory)
    except FileNotFoundError:
        return [], []


def older(name: str, age: timedelta) -> bool:
    try:
        return modified(name) < timezone.now() - age
    except FileNotFoundError:  # deleted just now
        return False


def url(name: str) -> str:
    return default_storage.url(name)
