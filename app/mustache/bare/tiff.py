"""TIFF: which of its pictures is the picture, and the tags that its pixels need."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mustache.bare.parts import ORIENTATION, Bare, Broken, profile_in
from mustache.errors import UnsupportedKind

NEW_SUBFILE, SUBFILE, PHOTOMETRIC, SUB_IFDS, PROFILE, DNG = 254, 255, 262, 330, 34675, 50706
WIDTH, HEIGHT = 256, 257
REDUCED, MASK = 1, 4  # of NEW_SUBFILE: this is a smaller copy of another picture, a mask of it
RAW = {32803, 34892}  # a sensor's own numbers
MOST_PAGES, MOST_TAGS = 200, 400
# What says how pixels are stored. Everything else is about them, or about something else.
KEPT = {
    *(WIDTH, HEIGHT, 258, 259, PHOTOMETRIC, 266, 273, ORIENTATION, 277, 278, 279, 284),
    *(290, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347),
    *(512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
}
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}
CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The byte order, and how wide counts and offsets are: BigTIFF's are wider."""

    order: str
    big: bool

    @property
    def count(self) -> str:
        return self.order + ("Q" if self.big else "H")

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def entry(self) -> str:
        return self.order + ("HHQ8s" if self.big else "HHI4s")

    @property
    def first(self) -> int:
        """Where the offset of the first directory is written."""
        return 8 if self.big else 4


Entry = tuple[int, int, int, bytes]  # tag, kind, number of values, values or where they are


class Directory:
    """The tags of one picture."""

    def __init__(self, data: bytes, layout: Layout, at: int) -> None:
        self.data, self.layout, self.at = data, layout, at
        try:
            (count,) = struct.unpack_from(layout.count, data, at)
            if count > MOST_TAGS:
                raise Broken("a directory of endless tags")
            self.body = at + struct.calcsize(layout.count)
            size = struct.calcsize(layout.entry)
            self.entries: list[Entry] = [
                struct.unpack_from(layout.entry, data, self.body + size * number)
                for number in range(count)
            ]
        except struct.error as error:
            raise Broken("a directory behind the end") from error
        end = self.body + size * count
        following = data[end : end + struct.calcsize(layout.offset)]
        whole = len(following) == struct.calcsize(layout.offset)
        self.next = struct.unpack(layout.offset, following)[0] if whole else 0

    def bytes_of(self, tag: int) -> tuple[int, bytes]:
        """The kind of the tag's values, and the values."""
        for each, kind, number, value in self.entries:
            if each == tag and kind in SIZES:
                size = SIZES[kind] * number
                if size > len(value):
                    (at,) = struct.unpack(self.layout.offset, value)
                    value = self.data[at : at + size]
                return kind, value[:size]
        return 0, b""

    def numbers(self, tag: int) -> tuple[int, ...]:
        kind, value = self.bytes_of(tag)
        if kind not in CODES:
            return ()
        count = len(value) // SIZES[kind]
        return struct.unpack(
            f"{self.layout.order}{count}{CODES[kind]}", value[: count * SIZES[kind]]
        )

    def number(self, tag: int) -> int:
        return next(iter(self.numbers(tag)), 0)

    @property
    def pixels(self) -> int:
        return self.number(WIDTH) * self.number(HEIGHT)

    @property
    def is_reduced(self) -> bool:
        return bool(self.number(NEW_SUBFILE) & (REDUCED | MASK)) or self.number(SUBFILE) == 2

    @property
    def is_raw(self) -> bool:
        return self.number(PHOTOMETRIC) in RAW or any(each[0] == DNG for each in self.entries)


def walk(data: bytes) -> Bare:
    layout = Layout("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))
    if data[8:10] == b"CR" and not layout.big:
        raise UnsupportedKind("Camera raw")
    pages = chain(data, layout, at_first(data, layout))
    inside = [each for page in pages[:1] for each in children(page)]
    if any(each.is_raw for each in (*pages[:1], *inside)):
        raise UnsupportedKind("Camera raw")
    page = pages[0]
    if page.is_reduced:
        others = (*pages[1:], *inside)
        full = [each for each in others if not each.is_reduced]
        copies = [each for each in (page, *others) if not each.number(NEW_SUBFILE) & MASK]
        page = next(iter(full), None) or max(copies, key=lambda each: each.pixels, default=page)
    kind, profile = page.bytes_of(PROFILE)
    return Bare(pixels=alone(page), profile=profile_in(profile) if kind else None)


def at_first(data: bytes, layout: Layout) -> int:
    try:
        return struct.unpack_from(layout.offset, data, layout.first)[0]
    except struct.error as error:
        raise Broken("no directory") from error


def chain(data: bytes, layout: Layout, at: int) -> list[Directory]:
    """The first directory, and those that follow as far as they make sense."""
    pages = [Directory(data, layout, at)]
    seen = {at}
    while (at := pages[-1].next) and at not in seen and len(pages) < MOST_PAGES:
        seen.add(at)
        try:
            pages.append(Directory(data, layout, at))
        except Broken:
            break
    return pages


def children(page: Directory) -> list[Directory]:
    found = []
    for at in page.numbers(SUB_IFDS)[:MOST_PAGES]:
        try:
            found.append(Directory(page.data, page.layout, at))
        except Broken:
            continue
    return found


def alone(page: Directory) -> bytes:
    """The file with this picture as its only one, and no tag that its pixels do not need."""
    layout = page.layout
    kept: dict[int, Entry] = {}
    for entry in page.entries:
        if entry[0] in KEPT:
            kept.setdefault(entry[0], entry)
    size = struct.calcsize(layout.count) + len(kept) * struct.calcsize(layout.entry)
    out = bytearray(page.data)
    struct.pack_into(layout.offset, out, layout.first, page.at)
    struct.pack_into(layout.count, out, page.at, len(kept))
    at = page.body
    for tag in sorted(kept):
        struct.pack_into(layout.entry, out, at, *kept[tag])
        at += struct.calcsize(layout.entry)
    end = struct.pack(layout.offset, 0)
    out[page.at + size : page.at + size + len(end)] = end
    return bytes(out)
