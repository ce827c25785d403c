"""Records between the tables of a database and one of DynamoDB, while visitors upload and delete.

    ROWS=A  ->  (move_rows --to B, as often as you like)  ->  ROWS=A ROWS_FROZEN=true
            ->  (move_rows --to B, compare_rows)  ->  ROWS=B

Nobody but this writes to the target, and each run makes it what the source was: what is missing is
put, what differs is put anew, what the source has no more is deleted. Nothing is noted on the way,
so a run that was cut goes on where it was, and a second one takes a moment. The last one runs while
nothing changes; what it brings, and the comparison, is then exact.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import batched

from django.conf import settings
from django.db import transaction

from service import dynamodb
from service.dynamodb import Item
from service.pictures import models
from service.pictures.records import Picture, items
from service.pictures.records.bundles import Bundle, bundles
from service.pictures.records.dynamodb import family
from service.pictures.records.sql import SqlRecords

SEGMENTS = 4  # of the table, read at the same time
BATCH = 100  # originals with all they have, written to the database in one transaction

type Key = tuple[str, str]
type Tell = Callable[[int], None]


def key_of(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def digest(item: Item) -> bytes:
    return sha256(json.dumps(item, sort_keys=True).encode()).digest()


# --- What is where ------------------------------------------------------------------------------
def in_database() -> Iterator[Bundle]:
    rows = SqlRecords()
    return bundles(rows.pictures(), rows.originals())


def in_table() -> Iterator[Item]:
    """Every item, several parts of the table at once."""

    def part(segment: int) -> list[Item]:
        about = {"Segment": segment, "TotalSegments": SEGMENTS}
        return list(dynamodb.every("scan", settings.ROWS_TABLE, **about))

    with ThreadPoolExecutor(SEGMENTS) as pool:
        for found in pool.map(part, range(SEGMENTS)):
            yield from found


def bundles_in_table() -> Iterator[Bundle]:
    pictures: list[Picture] = []
    families: dict[str, list[Item]] = {}
    for item in in_table():
        partition, sort = key_of(item)
        if sort == items.PICTURE:
            pictures.append(items.as_picture(item))
        elif partition.startswith(items.of_original("")):
            families.setdefault(partition, []).append(item)
    found = [family(iter(members)) for members in families.values()]
    yield from bundles(
        sorted(pictures, key=lambda picture: picture.id),
        (
            (
                items.as_original(each.original),
                [items.as_result(result) for _, result in sorted(each.results.items())],
            )
            for each in found
            if each.original
        ),
    )


# Of each store, all it has.
SOURCES = {"database": in_database, "dynamodb": bundles_in_table}


# --- Counting -----------------------------------------------------------------------------------
@dataclass
class Side:
    """What is in one store. The sum is the same in whatever order."""

    count: Counter = field(default_factory=Counter)
    sum: int = 0

    def add(self, item: Item) -> bytes:
        self.count[kind_of(item)] += 1
        found = digest(item)
        self.sum = (self.sum + int.from_bytes(found)) % (1 << 256)
        return found

    def said(self) -> dict:
        return dict(sorted(self.count.items())) | {"sha256": f"{self.sum:064x}"}


def kind_of(item: Item) -> str:
    partition, sort = key_of(item)
    if partition.startswith(items.of_original("")):
        return f"{sort.partition('#')[0]}s"
    return "pictures" if sort == items.PICTURE else "index entries"


# --- Copying ------------------------------------------------------------------------------------
@dataclass
class Copy:
    """Makes a store what a source is, and knows afterwards of every record that it is so.

    What was the same was seen to be; what was not is read again when it has been written.
    """

    seen: int = 0  # pictures
    written: int = 0  # items, or rows
    deleted: int = 0
    source: Side = field(default_factory=Side)
    different: list[Key] = field(default_factory=list)

    def to_dynamodb(self, source: Iterable[Bundle], tell: Tell) -> None:
        there = {key_of(item): digest(item) for item in in_table()}
        put: dict[Key, bytes] = {}
        self.write(self.changes(source, there, put, tell))
        self.deleted += len(there)
        self.write({"DeleteRequest": {"Key": items.key(*key)}} for key in there)
        touched = [items.key(*key) for key in (*put, *there)]
        found = {
            key_of(item): digest(item) for item in dynamodb.get_many(settings.ROWS_TABLE, touched)
        }
        self.different += [key for key in (put | found) if put.get(key) != found.get(key)]

    def changes(
        self, source: Iterable[Bundle], there: dict[Key, bytes], put: dict[Key, bytes], tell: Tell
    ) -> Iterator[dict]:
        """The puts that are needed; what is left in `there` afterwards is too much."""
        for bundle in source:
            for item in bundle.items():
                wanted = self.source.add(item)
                if there.pop(key_of(item), None) != wanted:
                    self.written += 1
                    put[key_of(item)] = wanted
                    yield {"PutRequest": {"Item": item}}
            self.seen += len(bundle.pictures)
            tell(len(bundle.pictures))

    def write(self, writes: Iterator[dict]) -> None:
        dynamodb.write_many(settings.ROWS_TABLE, writes)

    def to_database(self, source: Iterable[Bundle], tell: Tell) -> None:
        there = {bundle.original.sha256: bundle for bundle in in_database()}
        put: dict[str, Bundle] = {}
        for batch in batched(source, BATCH):
            with transaction.atomic():
                for bundle in batch:
                    name = bundle.original.sha256
                    for item in bundle.items():
                        self.source.add(item)
                    if (old := there.pop(name, None)) != bundle:
                        if old:
                            forget(name)
                        self.insert(bundle)
                        put[name] = bundle
            count = sum(len(bundle.pictures) for bundle in batch)
            self.seen += count
            tell(count)
        for digest_of_it in there:
            with transaction.atomic():
                self.deleted += forget(digest_of_it)
        if put or there:
            found = {bundle.original.sha256: bundle for bundle in in_database()}
            wrong = [name for name in put if found.get(name) != put[name]]
            wrong += there.keys() & found.keys()
            self.different += [key_of(items.original_key(name)) for name in wrong]

    def insert(self, bundle: Bundle) -> None:
        original = models.Original.objects.create(**vars(bundle.original))
        results = models.Result.objects.bulk_create(
            models.Result(**vars(result) | {"original": original}) for result in bundle.results
        )
        by_style = {row.style: row for row in results}
        pictures = models.Picture.objects.bulk_create(
            models.Picture(
                key=picture.id,
                public_id=picture.public_id,
                result=by_style[picture.result.style],
                listed=picture.listed,
                owner_hash=picture.owner_hash,
                token_hash=picture.token_hash,
                created=picture.created,
            )
            for picture in bundle.pictures
        )
        self.written += 1 + len(results) + len(pictures)


def forget(digest_of_it: str) -> int:
    """Delete an original with its results and pictures; returns the number of rows."""
    pictures, _ = models.Picture.objects.filter(result__original=digest_of_it).delete()
    results, _ = models.Result.objects.filter(original=digest_of_it).delete()
    original, _ = models.Original.objects.filter(sha256=digest_of_it).delete()
    return pictures + results + original


COPIES = {"dynamodb": Copy.to_dynamodb, "database": Copy.to_database}


# --- Comparing ----------------------------------------------------------------------------------
class Comparison:
    """Of every record, with the counts and indexes that DynamoDB has besides."""

    def __init__(self):
        self.sides = {"database": Side(), "dynamodb": Side()}
        self.different: list[Key] = []

    def run(self, tell: Tell) -> None:
        there = {key_of(item): self.sides["dynamodb"].add(item) for item in in_table()}
        for bundle in in_database():
            for item in bundle.items():
                found = self.sides["database"].add(item)
                if there.pop(key_of(item), None) != found:
                    self.different.append(key_of(item))
            tell(len(bundle.pictures))
        self.different += there
