"""The database of what is no part of the state file."""

import pickle
import sqlite3
import threading
from contextlib import suppress

import pytest

from localcloud.shelves import Shelf, Store


@pytest.fixture
def make_store(tmp_path):
    made = []

    def make():
        made.append(Store(tmp_path / "entries.sqlite", pickle.dumps, pickle.loads))
        return made[-1]

    yield make
    for store in made:
        store.close()


def test_what_is_written_is_there_for_the_next(make_store):
    first, shelf = make_store(), Shelf("a", {"key": 1})
    first.write([shelf])
    first.close()
    again = Shelf("a")
    make_store().fill(again)
    assert again == {"key": 1}


def test_nothing_is_written_after_the_end(make_store):
    store, shelf = make_store(), Shelf("a", {"key": 1})
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="is closed"):
        store.write([shelf])
    store.close()


def test_a_store_is_closed_between_two_writes_not_in_one(make_store):
    """sqlite took the process with it."""
    for _ in range(20):
        store, shelf, begun = make_store(), Shelf("a"), threading.Event()

        def write(store=store, shelf=shelf, begun=begun):
            with suppress(sqlite3.ProgrammingError):
                while True:
                    shelf["key"] = shelf.get("key", 0) + 1
                    shelf.changed.add("key")
                    store.write([shelf])
                    begun.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert begun.wait(10)
        store.close()
        writer.join(10)
        assert not writer.is_alive()
        there = Shelf("a")
        make_store().fill(there)
        assert there["key"] in (shelf["key"], shelf["key"] - 1)
