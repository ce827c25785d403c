"""What belongs together when records move: an original, its results, and the pictures of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC

from service.dynamodb import Item
from service.pictures.records import Original, Picture, Result, items


@dataclass(frozen=True)
class Bundle:
    original: Original
    results: list[Result]  # by style
    pictures: list[Picture]  # by id

    def items(self) -> Iterator[Item]:
        """All that DynamoDB has of it, counts and indexes too: equal if and only if it is equal."""
        yield items.original_item(self.original, len(self.results))
        for result in self.results:
            shown = sum(picture.result.style == result.style for picture in self.pictures)
            yield items.result_item(result, shown)
        for picture in self.pictures:
            picture = replace(picture, created=picture.created.astimezone(UTC))
            yield items.picture_item(picture)
            yield from items.index_items(picture)


def bundles(
    pictures: Iterable[Picture], originals: Iterable[tuple[Original, list[Result]]]
) -> Iterator[Bundle]:
    """Of pictures that are read first, while visitors go on.

    A picture whose result came or went between is left out: the next time it is there or not.
    """
    shown = defaultdict(list)
    for picture in pictures:
        shown[picture.result.original.sha256].append(picture)
    for original, results in originals:
        mine = [each for each in shown[original.sha256] if each.result in results]
        yield Bundle(original, results, mine)
