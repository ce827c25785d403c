"""Records as the items of one DynamoDB table, with the keys `pk` and `sk`.

    picture#PUBLIC_ID  picture        a picture, with all that is shown of it
    original#SHA256    original       an original, and how many results it has
    original#SHA256    result#STYLE   a result, and how many pictures show it
    gallery            ID             where to find what is listed: only that has such an item
    owner#HASH         ID             the same of what one visitor uploaded

The last two are indexes. They are items of their own because an index that DynamoDB keeps is late:
visitors would miss what they have just uploaded, and see what they have just deleted.

A row never changes while something shows it, so a picture has a copy of its result in it. That
text also is what tells one row from another that came in its place: the names of files differ.
"""

import json
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from service.dynamodb import Item
from service.pictures.records import Original, Picture, Result

PICTURE, ORIGINAL, RESULT = "picture", "original", "result"


def text(value: str) -> dict:
    return {"S": value}


def number(value: int) -> dict:
    return {"N": str(value)}


def key(partition: str, sort: str) -> Item:
    return {"pk": text(partition), "sk": text(sort)}


# --- Keys -----------------------------------------------------------------------------------
GALLERY = "gallery"


def of_owner(owner_hash: str) -> str:
    return f"owner#{owner_hash}"


def of_original(sha256: str) -> str:
    return f"{ORIGINAL}#{sha256}"


def picture_key(public_id: str) -> Item:
    return key(f"{PICTURE}#{public_id}", PICTURE)


def original_key(sha256: str) -> Item:
    return key(of_original(sha256), ORIGINAL)


def result_key(sha256: str, style: str) -> Item:
    return key(of_original(sha256), f"{RESULT}#{style}")


def own_key(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


# --- Items ----------------------------------------------------------------------------------
def packed(row: Original | Result) -> dict:
    return text(json.dumps(asdict(row), sort_keys=True))


def original_item(original: Original, results: int) -> Item:
    return original_key(original.sha256) | {
        "original_json": packed(original),
        "result_count": number(results),
    }


def result_item(result: Result, shown: int) -> Item:
    return result_key(result.original.sha256, result.style) | {
        "result_json": packed(result),
        "shown_by": number(shown),
    }


def picture_item(picture: Picture) -> Item:
    return picture_key(picture.public_id) | {
        "id": text(picture.id.hex),
        "public_id": text(picture.public_id),
        "result_json": packed(picture.result),
        "in_gallery": {"BOOL": picture.listed},
        "owner_hash": text(picture.owner_hash),
        "token_hash": text(picture.token_hash),
        "created": text(picture.created.isoformat()),
    }


def index_item(partition: str, picture: Picture) -> Item:
    return key(partition, picture.id.hex) | {"public_id": text(picture.public_id)}


def index_items(picture: Picture) -> list[Item]:
    """None, one or two."""
    partitions = [GALLERY] * picture.listed
    partitions += [of_owner(picture.owner_hash)] * bool(picture.owner_hash)
    return [index_item(partition, picture) for partition in partitions]


# --- And back -------------------------------------------------------------------------------
def as_original(item: Item) -> Original:
    return Original(**json.loads(item["original_json"]["S"]))


def as_result(item: Item) -> Result:
    """Of a result, or of what a picture shows."""
    row = json.loads(item["result_json"]["S"])
    return Result(**row | {"original": Original(**row["original"])})


def as_picture(item: Item) -> Picture:
    return Picture(
        id=UUID(item["id"]["S"]),
        public_id=item["public_id"]["S"],
        result=as_result(item),
        listed=item["in_gallery"]["BOOL"],
        owner_hash=item["owner_hash"]["S"],
        token_hash=item["token_hash"]["S"],
        created=datetime.fromisoformat(item["created"]["S"]),
    )
