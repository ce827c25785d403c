"""Records in a DynamoDB table; items.py says how. No page and no call of the API scans it.

What must go together goes in one transaction, each of whose changes holds only if the item is still
what it was read as. Counts are of rows, never guessed: nothing is removed while something shows it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import batched, groupby
from uuid import UUID

from django.conf import settings

from service import dynamodb
from service.dynamodb import AT_ONCE, Contested, Item, settled
from service.pictures.records import Original, Page, Picture, Result, Vanished, items
from service.pictures.records.items import number, text

PUBLIC_ID = re.compile(r"[A-Za-z0-9_-]{1,24}")
ABSENT = "attribute_not_exists(pk)"
FREE = frozenset()


@dataclass
class Family:
    """The items of an original and its results, as read."""

    original: Item | None = None
    results: dict[str, Item] = field(default_factory=dict)  # by style

    def shown(self, style: str) -> int:
        return int(self.results[style]["shown_by"]["N"])


class DynamoRecords:
    def __init__(self):
        self.table = settings.ROWS_TABLE

    # --- Reading ----------------------------------------------------------------------------
    def get(self, public_id: str) -> Picture | None:
        item = self.picture(public_id)
        return item and items.as_picture(item)

    def picture(self, public_id: str) -> Item | None:
        """Anything may be in an address. What we never gave need not be looked for."""
        if not PUBLIC_ID.fullmatch(public_id):
            return None
        return dynamodb.get_one(self.table, items.picture_key(public_id))

    def gallery(self, after: UUID | None, size: int) -> Page:
        return self.page(items.GALLERY, after, size)

    def owned(self, owner_hash: str, after: UUID | None, size: int) -> Page:
        return self.page(items.of_owner(owner_hash), after, size)

    def page(self, index: str, after: UUID | None, size: int) -> Page:
        condition, values = "pk = :pk", {":pk": text(index)}
        if after:
            condition, values = f"{condition} AND sk < :after", values | {":after": text(after.hex)}
        found = list(
            dynamodb.every(
                "query",
                self.table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ScanIndexForward=False,
                PaginationConfig={"MaxItems": size + 1, "PageSize": size + 1},
            )
        )
        shown = found[:size]
        pictures = self.pictures_of([each["public_id"]["S"] for each in shown])
        return Page(pictures, UUID(shown[-1]["sk"]["S"]) if len(found) > size else None)

    def pictures_of(self, public_ids: list[str]) -> list[Picture]:
        """In this order, without those that were removed meanwhile."""
        found = dynamodb.get_many(self.table, list(map(items.picture_key, public_ids)))
        by_public_id = {each["public_id"]["S"]: each for each in found}
        there = filter(None, map(by_public_id.get, public_ids))
        return list(map(items.as_picture, there))

    def original(self, sha256: str) -> Original | None:
        item = dynamodb.get_one(self.table, items.original_key(sha256))
        return item and items.as_original(item)

    def result(self, sha256: str, style: str) -> Result | None:
        item = dynamodb.get_one(self.table, items.result_key(sha256, style))
        return item and items.as_result(item)

    def family(self, sha256: str) -> Family:
        condition, values = "pk = :pk", {":pk": text(items.of_original(sha256))}
        return family(
            dynamodb.every(
                "query",
                self.table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        )

    def files(self, sha256: str) -> frozenset[str]:
        found = self.family(sha256)
        files = [items.as_result(each).files for each in found.results.values()]
        files += [items.as_original(found.original).files] if found.original else []
        return FREE.union(*files)

    # --- Writing ----------------------------------------------------------------------------
    def add(self, picture: Picture, brought: frozenset[str]) -> Picture:
        def save() -> Picture:
            result, changes = self.saving(picture.result, brought)
            saved = replace(picture, result=result)
            changes += [self.put(items.picture_item(saved), ABSENT)]
            changes += map(self.put, items.index_items(saved))
            dynamodb.transact(changes)
            return saved

        return settled(save)

    def show(self, public_id: str, result: Result, brought: frozenset[str]) -> Picture | None:
        def save() -> Picture | None:
            item = self.picture(public_id)
            picture = item and items.as_picture(item)
            if picture is None or picture.result.original.sha256 != result.original.sha256:
                return None
            if picture.result.style == result.style:
                return picture
            shown, changes = self.saving(result, brought)
            dynamodb.transact([*changes, *self.turning(item, shown)])
            return replace(picture, result=shown)

        return settled(save)

    def saving(self, result: Result, brought: frozenset[str]) -> tuple[Result, list[dict]]:
        """The result as it is to be shown once more, and the changes which that takes."""
        sha256, style = result.original.sha256, result.style
        found = self.family(sha256)
        if style in found.results:
            known = found.results[style]
            return items.as_result(known), [self.count(known, "shown_by", 1, "result_json")]
        original = items.as_original(found.original) if found.original else result.original
        needed = result.files | (FREE if found.original else original.files)
        if not needed <= brought:
            raise Vanished(f"{sha256} {style}")
        result = replace(result, original=original)
        changes = [self.put(items.result_item(result, 1), ABSENT)]
        if found.original:
            changes += [self.count(found.original, "result_count", 1, "original_json")]
        else:
            changes += [self.put(items.original_item(original, 1), ABSENT)]
        return result, changes

    def turning(self, picture: Item, to: Result) -> list[dict]:
        """The changes that let a picture show another result, not counting that one."""
        before = items.as_result(picture)
        values = {
            ":to": items.packed(to),
            ":seen": picture["result_json"],
            ":listed": picture["in_gallery"],
        }
        turn = {
            "UpdateExpression": "SET result_json = :to",
            "ConditionExpression": "result_json = :seen AND in_gallery = :listed",
            "ExpressionAttributeValues": values,
        }
        leave = {
            "UpdateExpression": "ADD shown_by :less",
            "ConditionExpression": "shown_by > :none",
            "ExpressionAttributeValues": {":less": number(-1), ":none": number(0)},
        }
        left = items.result_key(before.original.sha256, before.style)
        return [self.update(items.own_key(picture), turn), self.update(left, leave)]

    def set_listed(self, public_id: str, listed: bool) -> None:
        def save() -> None:
            item = self.picture(public_id)
            if item is None:
                return
            entry = items.index_item(items.GALLERY, items.as_picture(item))
            change = {
                "UpdateExpression": "SET in_gallery = :listed",
                "ConditionExpression": "attribute_exists(pk)",
                "ExpressionAttributeValues": {":listed": {"BOOL": listed}},
            }
            dynamodb.transact(
                [
                    self.update(items.own_key(item), change),
                    self.put(entry) if listed else self.delete(entry),
                ]
            )

        settled(save)

    def remove(self, public_id: str) -> frozenset[str] | None:
        def drop() -> frozenset[str] | None:
            item = self.picture(public_id)
            if item is None:
                return None
            picture = items.as_picture(item)
            found = self.family(picture.result.original.sha256)
            if picture.result.style not in found.results:
                raise Contested(f"{public_id} shows another style since then")
            files, changes = self.dropping(found, picture.result.style)
            entries = items.index_items(replace(picture, listed=True))
            seen = {":seen": item["result_json"]}
            changes += [self.delete(item, "result_json = :seen", seen)]
            changes += map(self.delete, entries)
            dynamodb.transact(changes)
            return files

        return settled(drop)

    def dropping(self, found: Family, left: str = "") -> tuple[frozenset[str], list[dict]]:
        """The files of what nobody shows, one having left a style, and the changes for that."""
        if found.original is None:
            raise Contested("an original that came or went while it was read")
        gone = [each for each in found.results if found.shown(each) == (each == left)]
        files, changes = FREE, []
        for style in gone:
            item = found.results[style]
            files |= items.as_result(item).files
            seen = {":seen": item["shown_by"], ":row": item["result_json"]}
            changes += [self.delete(item, "shown_by = :seen AND result_json = :row", seen)]
        if left and left not in gone:
            less = {
                "UpdateExpression": "ADD shown_by :less",
                "ConditionExpression": "shown_by > :one",
                "ExpressionAttributeValues": {":less": number(-1), ":one": number(1)},
            }
            changes += [self.update(items.own_key(found.results[left]), less)]
        if len(gone) == len(found.results):
            files |= items.as_original(found.original).files
            all_of_them = {":all": number(len(gone))}
            changes += [self.delete(found.original, "result_count = :all", all_of_them)]
        elif gone:
            changes += [self.count(found.original, "result_count", -len(gone), "original_json")]
        return files, changes

    def sweep(self) -> frozenset[str]:
        unshown = dynamodb.every(
            "scan",
            self.table,
            FilterExpression="shown_by = :none",
            ProjectionExpression="pk",
            ExpressionAttributeValues={":none": number(0)},
        )
        originals = {each["pk"]["S"].removeprefix(items.of_original("")) for each in unshown}
        return FREE.union(*(settled(lambda one=one: self.drop_unshown(one)) for one in originals))

    def drop_unshown(self, sha256: str) -> frozenset[str]:
        found = self.family(sha256)
        if found.original is None:
            return FREE
        files, changes = self.dropping(found)
        if changes:
            dynamodb.transact(changes)
        return files

    # --- Everything, for commands -----------------------------------------------------------
    def pictures(self) -> Iterator[Picture]:
        keys = dynamodb.every(
            "scan",
            self.table,
            FilterExpression="sk = :kind",
            ProjectionExpression="id, public_id",
            ExpressionAttributeValues={":kind": text(items.PICTURE)},
        )
        ids = sorted((each["id"]["S"], each["public_id"]["S"]) for each in keys)
        for some in batched(ids, AT_ONCE):
            yield from self.pictures_of([public_id for _, public_id in some])

    def originals(self) -> Iterator[tuple[Original, list[Result]]]:
        keys = dynamodb.every(
            "scan",
            self.table,
            FilterExpression="begins_with(pk, :kind)",
            ProjectionExpression="pk, sk",
            ExpressionAttributeValues={":kind": text(items.of_original(""))},
        )
        for _, members in groupby(self.in_order(keys), lambda item: item["pk"]["S"]):
            found = family(members)
            if found.original:
                results = [items.as_result(item) for _, item in sorted(found.results.items())]
                yield items.as_original(found.original), results

    def in_order(self, keys: Iterator[Item]) -> Iterator[Item]:
        """The items with these keys, sorted by them."""
        for some in batched(sorted(keys, key=sorting), AT_ONCE):
            yield from sorted(dynamodb.get_many(self.table, some), key=sorting)

    # --- Changes of one item ----------------------------------------------------------------
    def put(self, item: Item, condition: str = "") -> dict:
        about = {"ConditionExpression": condition} if condition else {}
        return {"Put": {"TableName": self.table, "Item": item} | about}

    def update(self, key: Item, about: dict) -> dict:
        return {"Update": {"TableName": self.table, "Key": key} | about}

    def count(self, item: Item, attribute: str, more: int, row: str) -> dict:
        """Of a row that is still the one that was read."""
        about = {
            "UpdateExpression": f"ADD {attribute} :more",
            "ConditionExpression": f"{row} = :seen",
            "ExpressionAttributeValues": {":more": number(more), ":seen": item[row]},
        }
        return self.update(items.own_key(item), about)

    def delete(self, item: Item, condition: str = "", values: Item | None = None) -> dict:
        about = {"TableName": self.table, "Key": items.own_key(item)}
        if condition:
            about |= {"ConditionExpression": condition, "ExpressionAttributeValues": values}
        return {"Delete": about}


def sorting(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def family(members: Iterator[Item]) -> Family:
    found = Family()
    for item in members:
        kind, _, style = item["sk"]["S"].partition("#")
        if kind == items.ORIGINAL:
            found.original = item
        else:
            found.results[style] = item
    return found
