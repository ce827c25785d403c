"""Files of pictures from one store to another, while visitors upload and delete.

The order that is right at every moment: what is new goes to both (pair.py); what is missing is
copied; both are compared; reads turn to the other store; the one of before gets no more; what it
holds is dropped. Each step can be cut anywhere and run again. Nothing is noted on the way: what is
missing is seen by looking at both, which costs a bucket one request for a thousand files.

Rows say what is needed. A file that no row names is of an upload that goes on, or was left by one
that died: it is not missed, and sweeping deletes it.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain

from django.core.files.storage import Storage

from service.pictures import marks, stores
from service.pictures.records import records
from service.pictures.stores import Damaged, Entries, Entry
from service.pictures.sweeping import GRACE, is_older
from service.progress import Progress

# What is read together is in memory together: so many files, or so many bytes.
FILES, BYTES = 32, 8_000_000


def batches(entries: Iterable[tuple[str, Entry]]) -> Iterator[Entries]:
    batch, size = {}, 0
    for name, entry in entries:
        if batch and (len(batch) == FILES or size + entry.size > BYTES):
            yield batch
            batch, size = {}, 0
        batch[name] = entry
        size += entry.size
    if batch:
        yield batch


def sound(store: Storage, names: Iterable[str]) -> tuple[dict[str, bytes], set[str]]:
    """The bytes of files that are there, and the names of those that are damaged."""
    names, damaged = set(names), set()
    while True:
        try:
            return stores.fetch(store, names - damaged), damaged
        except Damaged as error:
            damaged |= error.names


def missing(source: Storage, target: Storage) -> Iterator[tuple[str, Entry]]:
    """The files that one store has and the other has not, in order."""
    for _, here, there in stores.side_by_side(source, target):
        for name in sorted(here.keys() - there.keys()):
            yield name, here[name]


class Copy:
    """Brings to the target what only the source has."""

    def __init__(self, source: Storage, target: Storage):
        self.source, self.target = source, target
        self.files = self.bytes = 0
        self.damaged: set[str] = set()

    def run(self) -> Progress:
        number = size = 0
        for _, entry in missing(self.source, self.target):
            number += 1
            size += entry.size
        progress = Progress("files", number, size)
        for batch in batches(missing(self.source, self.target)):
            self.copy(batch)
            progress.add(len(batch), sum(entry.size for entry in batch.values()))
        self.forget_what_was_deleted()
        return progress

    def copy(self, batch: Entries) -> None:
        found, damaged = sound(self.source, batch)
        self.damaged |= damaged
        stores.keep(self.target, found)
        # Deleted meanwhile: see marks.py.
        stores.discard(self.target, marks.among(found))
        self.files += len(found)
        self.bytes += sum(map(len, found.values()))

    def forget_what_was_deleted(self) -> None:
        """Also what a copy brought that was cut off, and what is there from an earlier time."""
        for names in marks.all_names():
            stores.discard(self.target, names)
        for directory, here, there in stores.side_by_side(self.source, self.target):
            if only_there := there.keys() - here.keys():
                unneeded = only_there - records.files(directory)
                stores.discard(
                    self.target, [name for name in unneeded if is_older(there[name], GRACE)]
                )


@dataclass
class Side:
    """What a store was seen to hold, and what it lacks."""

    files: int = 0
    bytes: int = 0
    missing: set[str] = field(default_factory=set)

    def add(self, entries: Entries) -> None:
        self.files += len(entries)
        self.bytes += sum(entry.size for entry in entries.values())


class Comparison:
    """Reads every file of two stores. Uploads and deletions meanwhile are no difference."""

    def __init__(self, one: Storage, other: Storage):
        self.stores = (one, other)
        self.sides = (Side(), Side())
        self.equal = self.unneeded = 0
        self.different: set[str] = set()
        self.checksum = sha256()

    def run(self) -> Progress:
        number = size = 0
        for _, *found in stores.side_by_side(*self.stores):
            number += len(set().union(*found))
            size += sum(entry.size for entry in chain(*(each.values() for each in found)))
        progress = Progress("files", number, size)
        for directory, *found in stores.side_by_side(*self.stores):
            for side, entries in zip(self.sides, found, strict=True):
                side.add(entries)
            everything = found[1] | found[0]
            for batch in batches(sorted(everything.items())):
                self.compare(directory, batch)
                sizes = (each[name].size for each in found for name in batch if name in each)
                progress.add(len(batch), sum(sizes))
        return progress

    def compare(self, directory: str, names: Collection[str]) -> None:
        """Files of one directory."""
        (one, other), damaged = zip(*(sound(store, names) for store in self.stores), strict=True)
        damaged = set().union(*damaged)
        suspects = set()
        for name in sorted(names):
            if name not in damaged and name in one and one[name] == other.get(name):
                self.equal += 1
                self.checksum.update(f"{name} {sha256(one[name]).hexdigest()}\n".encode())
            else:
                suspects.add(name)
        if not suspects:
            return
        # Asked last: what was deleted meanwhile has no row any more, and what came has none before
        # it is in both.
        named = records.files(directory) & suspects
        self.unneeded += len(suspects - named)
        for side, found in zip(self.sides, (one, other), strict=True):
            side.missing |= named - found.keys() - damaged
        self.different |= named & (damaged | (one.keys() & other.keys()))

    @property
    def agrees(self) -> bool:
        return not (self.different or any(side.missing for side in self.sides))


class Drop:
    """Deletes what one store holds and the other holds as well, or nobody needs."""

    def __init__(self, source: Storage, other: Storage):
        self.source, self.other = source, other
        self.files = self.bytes = 0
        self.kept: set[str] = set()

    def run(self) -> Progress:
        number = size = 0
        for _, entries in stores.walk(self.source):
            number += len(entries)
            size += sum(entry.size for entry in entries.values())
        progress = Progress("files", number, size)
        for directory, here, there in stores.side_by_side(self.source, self.other):
            only_here = here.keys() - there.keys()
            needed = only_here & records.files(directory) if only_here else set()
            self.kept |= needed
            gone = {name: entry for name, entry in here.items() if name not in needed}
            stores.discard(self.source, gone)
            self.files += len(gone)
            self.bytes += sum(entry.size for entry in gone.values())
            progress.add(len(here), sum(entry.size for entry in here.values()))
        # Nobody looks there any more.
        waiting = stores.listed(self.source, stores.INCOMING)[1]
        stores.discard(self.source, [f"{stores.INCOMING}/{name}" for name in waiting])
        return progress
