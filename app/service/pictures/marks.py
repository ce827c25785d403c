"""Marks of deleted files, left before the files go: no copy of one that was under way revives it.

Whoever copies a file looks for a mark afterwards, and deletes his copy if there is one. Either he
sees the mark, or the deletion comes after his copy and takes that along.

They are in the database: without one there is one store only, and nothing moves.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from itertools import batched

from django.conf import settings
from django.utils import timezone

from service.pictures.models import DeletedFile
from service.pictures.stores import waits

# Far longer than a copy takes, or a host that knows of one store only goes on.
LAST = timedelta(days=1)
AT_A_TIME = 1000


def are_kept() -> bool:
    return "database" in settings.PICTURE_STORES


def leave(names: Iterable[str]) -> None:
    """Names of what waits may come again; all others never do."""
    if not are_kept():
        return
    marks = [DeletedFile(name=name) for name in names if not waits(name)]
    DeletedFile.objects.bulk_create(marks, ignore_conflicts=True, batch_size=AT_A_TIME)


def among(names: Collection[str]) -> set[str]:
    """Those of the names that have a mark."""
    marked = DeletedFile.objects.filter(name__in=list(names))
    return set(marked.values_list("name", flat=True))


def all_names() -> Iterator[tuple[str, ...]]:
    """All of them, some at a time."""
    names = DeletedFile.objects.order_by("name").values_list("name", flat=True)
    return batched(list(names), AT_A_TIME)


def forget() -> None:
    """Remove those that nobody needs any more."""
    DeletedFile.objects.filter(deleted__lt=timezone.now() - LAST).delete()
