"""Records that nobody changes: for the moment in which they turn from one store to the other.

Reading goes on. What must write gets 503, and comes again when all hosts know the other store.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from service.errors import StoreUnavailable
from service.pictures.records import Records

WRITES = ("add", "show", "set_listed", "remove", "sweep")


class Frozen:
    def __init__(self, records: Records):
        self.records = records

    def __getattr__(self, name: str):
        return getattr(self.records, name)

    def refuse(self, *arguments) -> NoReturn:
        raise StoreUnavailable("rows are being moved: ROWS_FROZEN")

    add = show = set_listed = remove = sweep = refuse


class Freezable:
    """Records of processes that run, which are frozen by a file: it names the store.

    Whoever writes it waits for a lock on the file, and has it when all that began before has ended.
    """

    def __init__(self, records: Records, store: str, freezer: Path):
        self.records, self.store, self.freezer = records, store, freezer

    def __getattr__(self, name: str):
        found = getattr(self.records, name)
        if name not in WRITES:
            return found

        def write(*arguments):
            with self.writing():
                return found(*arguments)

        return write

    @contextmanager
    def writing(self) -> Iterator[None]:
        try:
            file = self.freezer.open()
        except OSError as error:
            # Nobody could stop us.
            raise StoreUnavailable(f"ROWS_FREEZER: {error}") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            if file.read().strip() == self.store:
                raise StoreUnavailable(f"rows are being moved: {self.freezer}")
            yield
