"""All records as a file, whatever keeps them, and back.

The file is compressed lines of JSON: what it is, then each original with its results and pictures,
then how many there were. Without that last line it is not whole, and nothing is changed.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import BinaryIO
from uuid import UUID

from service.pictures.records import Original, Picture, Result
from service.pictures.records.bundles import Bundle

FORMAT = {"rows": "simple-mustache-service", "version": 1}


class Broken(Exception):
    """What is no dump of ours, or not all of one."""


def dump(bundles: Iterable[Bundle], file: BinaryIO) -> int:
    """Write them; returns the number of pictures."""
    number = count = 0
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=6) as lines:
        print(json.dumps(FORMAT), file=lines)
        for bundle in bundles:
            print(json.dumps(packed(bundle), sort_keys=True), file=lines)
            number += 1
            count += len(bundle.pictures)
        print(json.dumps({"originals": number, "pictures": count}), file=lines)
    return count


def load(file: BinaryIO) -> Iterator[Bundle]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            if json.loads(next(lines, "null")) != FORMAT:
                raise Broken("it is no dump of rows")
            for number, line in enumerate(lines):
                row = json.loads(line)
                if "originals" in row:
                    if row["originals"] != number:
                        raise Broken(f"it has {number} originals instead of {row['originals']}")
                    return
                yield unpacked(row)
    except (OSError, EOFError, ValueError) as error:
        raise Broken(str(error)) from error
    raise Broken("its end is missing")


def packed(bundle: Bundle) -> dict:
    return {
        "original": asdict(bundle.original),
        "results": [without_original(result) for result in bundle.results],
        "pictures": [
            asdict(picture)
            | {
                "id": picture.id.hex,
                "result": picture.result.style,
                "created": picture.created.isoformat(),
            }
            for picture in bundle.pictures
        ],
    }


def without_original(result: Result) -> dict:
    return {name: value for name, value in asdict(result).items() if name != "original"}


def unpacked(row: dict) -> Bundle:
    original = Original(**row["original"])
    results = [Result(original=original, **result) for result in row["results"]]
    by_style = {result.style: result for result in results}
    pictures = [
        Picture(
            **picture
            | {
                "id": UUID(picture["id"]),
                "result": by_style[picture["result"]],
                "created": datetime.fromisoformat(picture["created"]),
            }
        )
        for picture in row["pictures"]
    ]
    return Bundle(original, results, pictures)
