"""Files in boxes (ISO 14496-12), as AVIF and HEIC are."""

from __future__ import annotations

from collections.abc import Iterator

MOST_BOXES = 20_000
META_HEAD = 4  # version and flags


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each box's content between `start` and `end`."""
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        size, name, head = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16]), 16
        stop = end if size == 0 else start + size
        if stop > end or stop < start + head:
            return
        yield name, start + head, stop
        start = stop


def inside(data: bytes, path: tuple[bytes, ...], start: int, end: int) -> tuple[int, int] | None:
    """Where the content of the first box of this path is."""
    for name in path:
        found = next((each for each in boxes(data, start, end) if each[0] == name), None)
        if found is None:
            return None
        _, start, end = found
        if name == b"meta":
            start += META_HEAD
    return start, end
