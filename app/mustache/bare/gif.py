"""GIF: frames, what controls them, and how often they are shown."""

from __future__ import annotations

from mustache.bare.parts import MOST_PARTS, Bare, Broken

TRAILER, IMAGE, EXTENSION, CONTROL, APPLICATION = 0x3B, 0x2C, 0x21, 0xF9, 0xFF
LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def walk(data: bytes) -> Bare:
    if len(data) < 13:
        raise Broken("no header")
    at = 13 + colour_table(data[10])
    parts = [data[:at]]
    columns, rows, frames = 0, 0, 0
    control = b""  # waits for its frame
    for _ in range(MOST_PARTS):
        while at < len(data) and data[at] not in (IMAGE, EXTENSION, TRAILER):
            at += 1  # filling
        if at >= len(data) or data[at] == TRAILER:
            break
        start = at
        if data[at] == IMAGE:
            if len(data) < at + 11:
                break
            left, top, width, height = (
                int.from_bytes(data[at + n : at + n + 2], "little") for n in (1, 3, 5, 7)
            )
            at = blocks_end(data, at + 11 + colour_table(data[at + 9]))
            if at is None:
                # The last frame lacks its end; whether its pixels are there, the decoder tells.
                parts += [control, closed(data, start)]
                at = len(data)
            else:
                parts += [control, data[start:at]]
            control = b""
            columns, rows, frames = max(columns, left + width), max(rows, top + height), frames + 1
            continue
        at = blocks_end(data, start + 2)
        if at is None:
            break
        block = data[start:at]
        if block[1] == CONTROL and len(block) == 8:
            control = block
        elif block[1] == APPLICATION and block[3:14] in LOOPS and (times := loops(block)):
            parts.append(block[:14] + b"\x03\x01" + times + b"\0")
    else:
        raise Broken("more blocks than any picture has")
    if not frames:
        raise Broken("no frame")
    file = b"".join((*parts, b";"))
    return Bare(pixels=file, file=file, reach=(columns, rows))


def colour_table(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def blocks_end(data: bytes, at: int) -> int | None:
    """Behind the blocks that begin at `at`; None when the file ends first."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1 if at < len(data) else None


def closed(data: bytes, start: int) -> bytes:
    """The frame that begins at `start`, whose last block is cut, with an end."""
    at = start + 11 + colour_table(data[start + 9])
    last = at
    while at < len(data):
        last, at = at, at + data[at] + 1
    if at > len(data):
        left = len(data) - last - 1
        return data[start:last] + (bytes((left,)) + data[last + 1 :] if left else b"") + b"\0"
    return data[start:] + b"\0"


def loops(block: bytes) -> bytes | None:
    """How often the application's block says that the frames are shown."""
    at = 14
    while at < len(block) and block[at]:
        if block[at] >= 3 and block[at + 1] == 1:
            return block[at + 2 : at + 4]
        at += block[at] + 1
    return None
