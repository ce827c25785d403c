"""The files of pictures, in the default storage: whatever that is, one error says that it fails.

A name is written once and never means other bytes. Files are put before the rows that name them are
saved, and deleted after those are gone; sweeping.py deletes what neither saw.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import File
from django.core.files.storage import default_storage

from service.errors import STORE_ERRORS, StoreUnavailable
from service.pictures import cdn, marks, stores
from service.pictures.stores import Entries, Entry

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


def put(files: Mapping[str, bytes]) -> None:
    """All of them, or, as far as can be, none."""
    try:
        with told():
            stores.keep(default_storage, files)
    except StoreUnavailable:
        tidy(files)
        raise


@told()
def read(name: str) -> bytes:
    """Raises FileNotFoundError."""
    return stores.part(default_storage, name, 0, None)


@told()
def opened(name: str) -> File:
    """Raises FileNotFoundError."""
    return default_storage.open(name)


@told()
def part(file: File, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


@told()
def about(name: str) -> Entry:
    """Raises FileNotFoundError."""
    return stores.about(default_storage, name)


@told()
def delete(names: Collection[str]) -> None:
    marks.leave(names)
    stores.discard(default_storage, names)
    cdn.forget_soon(names)


def tidy(names: Collection[str]) -> None:
    """Delete what is in nobody's way: if that fails, sweeping does it."""
    with suppress(*STORE_ERRORS):
        delete(names)


def walk() -> Iterator[tuple[str, Entries]]:
    """The directories of originals, each with its files."""
    with told():
        yield from stores.walk(default_storage)


@told()
def waiting() -> list[str]:
    """The names of files that wait to be made a picture of."""
    names = stores.listed(default_storage, stores.INCOMING)[1]
    return [f"{stores.INCOMING}/{name}" for name in names]


@told()
def form(name: str, most: int, seconds: int, back: str) -> tuple[str, dict[str, str]]:
    """Where and with which fields a visitor sends a file to the store itself: settings ask for it
    only where the store has such forms."""
    return default_storage.form(name, most, seconds, back)


def url(name: str) -> str:
    return default_storage.url(name)
