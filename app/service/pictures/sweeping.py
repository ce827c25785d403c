"""What nothing needs any more and nobody deleted.

An upload that dies between its files and its rows leaves files, and so does a deletion that dies
between its rows and its files. What a picture showed before its style was changed stays until
then, and so does what was sent to be made a picture of and never was.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.files.storage import storages
from django.utils import timezone

from service.pictures import cdn, files, marks, stores
from service.pictures.records import records
from service.pictures.stores import Entry

log = logging.getLogger(__name__)

# Far longer than an upload takes from its files to its rows, or from being sent to being taken.
GRACE = timedelta(hours=1)


def sweep() -> int:
    """Delete it; returns the number of files. Safe at any time, and as often as you like."""
    unneeded = set(records.sweep())
    for directory, found in files.walk():
        # Listed first: a file that rows name only since then is young.
        nameless = found.keys() - records.files(directory)
        unneeded |= {name for name in nameless if is_older(found[name], GRACE)}
    files.delete(unneeded)
    sweep_marked()
    return len(unneeded) + sweep_incoming(GRACE)


def is_older(entry: Entry, age: timedelta) -> bool:
    return entry.modified < timezone.now() - age


def sweep_marked() -> None:
    """Delete what was deleted, also where a copy or a failure has left it.

    In every store that there is: one that is not in use may be used again. In the CDN only then, or
    it would fetch what is still there.
    """
    if not marks.are_kept():
        return
    for alias in settings.PICTURE_STORES:
        try:
            for names in marks.all_names():
                stores.discard(storages[alias], names)
        except Exception as error:
            # The marks stay until it answers.
            log.warning("Deleted files may still be in the store %s: %s", alias, error)
            return
    try:
        for names in marks.all_names():
            cdn.forget(names)
    except Exception as error:
        log.warning("The CDN may still keep deleted files: %s", error)
        return
    marks.forget()


def sweep_incoming(age: timedelta) -> int:
    """Delete what was sent so long ago and not taken."""
    unclaimed = [name for name in files.waiting() if waited(name, age)]
    files.delete(unclaimed)
    return len(unclaimed)


def waited(name: str, age: timedelta) -> bool:
    try:
        return is_older(files.about(name), age)
    except FileNotFoundError:  # taken just now
        return False
