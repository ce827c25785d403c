"""What nothing needs any more and nobody deleted.

An upload that dies between its files and its rows leaves files, and so does a deletion that dies
between its rows and its files. What a picture showed before its style was changed stays until
then, and so does what was sent to be made a picture of and never was.
"""

import re
from datetime import timedelta

from service.pictures import files
from service.pictures.records import records

# Far longer than an upload takes from its files to its rows, or from being sent to being taken.
GRACE = timedelta(hours=1)
# A bucket may hold other things besides.
OF_ORIGINAL = re.compile(r"[0-9a-f]{64}")
INCOMING = "incoming"


def sweep() -> int:
    """Delete it; returns the number of files. Safe at any time, and as often as you like."""
    unneeded = set(records.sweep())
    for directory in filter(OF_ORIGINAL.fullmatch, files.names("")[0]):
        # Listed first: a file that rows name only since then is young.
        found = {f"{directory}/{name}" for name in files.names(directory)[1]}
        nameless = found - records.files(directory)
        unneeded |= {name for name in nameless if files.older(name, GRACE)}
    files.delete(unneeded)
    return len(unneeded) + sweep_incoming(GRACE)


def sweep_incoming(age: timedelta) -> int:
    """Delete what was sent so long ago and not taken."""
    sent = [f"{INCOMING}/{name}" for name in files.names(INCOMING)[1]]
    unclaimed = [name for name in sent if files.older(name, age)]
    files.delete(unclaimed)
    return len(unclaimed)
