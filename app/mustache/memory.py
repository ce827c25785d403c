"""Memory for a large picture's pixels that is kept for the next one.

Fresh memory comes from the system page by page: to touch it first takes a fifth as long as decoding
a picture into it. One piece is kept in a process, which works on one picture at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

LEAST, MOST = 4_000_000, 64_000_000  # bytes that are worth it, and that a process may sit on

_lock = threading.Lock()
_kept: list[np.ndarray] = []


@contextmanager
def borrowed(size: int) -> Iterator[np.ndarray | None]:
    """So many bytes, until the block ends; None where fresh memory is as good.

    Nothing may look into them afterwards. What was kept and is not of use goes back to the system
    first: the picture that comes may need all that there is.
    """
    if not LEAST <= size <= MOST:
        with _lock:
            _kept.clear()
        yield None
        return
    with _lock:
        found = _kept.pop() if _kept else None
    if found is None or found.nbytes < size:
        found = np.empty(size, np.uint8)
    try:
        yield found[:size]
    finally:
        with _lock:
            if not _kept:
                _kept.append(found)
