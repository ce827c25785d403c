"""Records that nobody changes: for the moment in which they turn from one store to the other.

Reading goes on. What must write gets 503, and comes again when all hosts know the other store.
"""

from typing import NoReturn

from service.errors import StoreUnavailable
from service.pictures.records import Records


class Frozen:
    def __init__(self, records: Records):
        self.records = records

    def __getattr__(self, name: str):
        return getattr(self.records, name)

    def refuse(self, *arguments) -> NoReturn:
        raise StoreUnavailable("rows are being moved: ROWS_FROZEN")

    add = show = set_listed = remove = sweep = refuse
