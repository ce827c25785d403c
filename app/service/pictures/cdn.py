"""The copies that a CDN keeps of files: what is deleted goes there too.

A file never changes, so the CDN keeps it for as long as it likes. After a deletion it is told at
once, in the background; what it was not told, it is told by the sweep, which goes through the marks
of what was deleted (marks.py) for a day.
"""

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from secrets import token_hex

from django.conf import settings
from django.urls import reverse

from service.pictures.stores import waits

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def client():
    # Only who has a CDN imports it: it takes its time.
    import boto3
    from botocore.config import Config

    patience = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3})
    return boto3.client("cloudfront", region_name=settings.AWS_REGION or None, config=patience)


@lru_cache(maxsize=1)
def background() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="cdn")


def forget(names: Collection[str]) -> None:
    """Have it drop them; whatever goes wrong is raised."""
    paths = sorted(reverse("media", args=[name]) for name in names if not waits(name))
    if not settings.CDN_DISTRIBUTION or not paths:
        return
    client().create_invalidation(
        DistributionId=settings.CDN_DISTRIBUTION,
        InvalidationBatch={
            "Paths": {"Quantity": len(paths), "Items": paths},
            "CallerReference": token_hex(16),
        },
    )


def forget_soon(names: Collection[str]) -> None:
    """Nobody waits for it, where anything goes on meanwhile; if it fails, the sweep does it."""
    if not settings.CDN_DISTRIBUTION:
        return
    if settings.BACKGROUND:
        background().submit(try_to_forget, tuple(names))
    else:
        try_to_forget(names)


def try_to_forget(names: Collection[str]) -> None:
    try:
        forget(names)
    except Exception as error:
        log.warning("The CDN keeps %d deleted files until the next sweep: %s", len(names), error)
