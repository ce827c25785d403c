"""Ids that sort by time (UUID version 7, RFC 9562), and ids of permalinks, which nobody guesses."""

import secrets
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_latest = UUID(int=0)


def uuid7() -> UUID:
    """The id of now; those of one process sort as they were made, whatever its clock does."""
    global _latest
    with _lock:
        made = uuid7_of(time.time_ns() // 1_000_000, secrets.randbits(74))
        _latest = made if made > _latest else UUID(int=_latest.int + 1)
        return _latest


def uuid7_of(milliseconds: int, rest: int) -> UUID:
    """The id of a moment since 1970; `rest`, of 74 bits, orders those of the same millisecond."""
    high, low = rest >> 62, rest & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def new_public_id() -> str:
    return secrets.token_urlsafe(12)
