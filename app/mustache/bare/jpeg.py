"""JPEG: tables and scans, the colours' description, and the EXIF orientation."""

from __future__ import annotations

import re

from mustache.bare.parts import MOST_PARTS, Bare, Broken, exif_of, orientation_in, profile_in

START, END, SCAN, TABLES, QUANTA, RESTARTS, LINES = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xDC
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
FRAMES = {*range(0xC0, 0xD0)} - {TABLES, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
KEPT = {*FRAMES, TABLES, 0xCC, SCAN, QUANTA, RESTARTS, LINES}
BESIDE = {*range(0xE0, 0xF0), 0xFE}  # applications' segments and comments
JFIF, ADOBE, ICC = b"JFIF\0", b"Adobe", b"ICC_PROFILE\0"
# Any marker but a stuffed zero, a restart, filling, or one that stands alone.
NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
COEFFICIENTS = range(64)


class Scans:
    """What of the frame's coefficients the scans so far have brought."""

    def __init__(self) -> None:
        self.count = 0
        self.progressive = False
        self.missing: dict[int, list[int]] = {}  # by component, bits that each coefficient lacks

    def begin(self, code: int, frame: bytes) -> None:
        self.progressive = code in PROGRESSIVE
        self.missing = {frame[at]: [1] * 64 for at in range(10, len(frame) - 2, 3)}

    def add(self, scan: bytes) -> None:
        self.count += 1
        number = scan[4]
        first, last, bits = scan[5 + 2 * number : 8 + 2 * number]
        each = range(first, last + 1) if self.progressive else COEFFICIENTS
        for component in scan[5 : 5 + 2 * number : 2]:
            for coefficient in each:
                self.missing[component][coefficient] = bits & 15 if self.progressive else 0

    def fits(self, scan: bytes) -> bool:
        """It is a scan of this frame."""
        number = scan[4] if len(scan) > 4 else 0
        return (
            1 <= number <= 4
            and len(scan) == 8 + 2 * number
            and all(each in self.missing for each in scan[5 : 5 + 2 * number : 2])
            and scan[5 + 2 * number] <= scan[6 + 2 * number] <= 63
        )

    @property
    def complete(self) -> bool:
        return bool(self.missing) and not any(any(each) for each in self.missing.values())


def walk(data: bytes) -> Bare:
    parts: list[bytes | None] = [data[:2]]
    scans, orientation, has_end = Scans(), None, False
    profile: list[bytes] = []
    at = 2
    view = memoryview(data)
    for _ in range(MOST_PARTS):
        found = NEXT_MARKER.search(data, at)
        if not found:
            break
        start = found.start()
        code = data[start + 1]
        if code == END:
            has_end = True
            break
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        if end < start + 4:  # no segment is that short
            at = start + 2
            continue
        segment = data[start:end]
        if end > len(data) or (scans.count and not goes_on(data, start, end, scans)):
            break
        at = end
        if code == SCAN:
            if not scans.fits(segment):
                break
            scans.add(segment)
            following = NEXT_MARKER.search(data, end)
            at = following.start() if following else len(data)
            parts.append(view[start:at])
            if scans.complete and not scans.progressive:
                has_end = data[at : at + 2] == b"\xff\xd9"
                break
            continue
        if code in FRAMES and not scans.missing:
            scans.begin(code, segment)
        if code == APP1 and orientation is None and segment[4:10] == b"Exif\0\0":
            orientation = orientation_in(segment[10:])
        if code == APP2 and segment[4:16] == ICC:
            if not profile:
                parts.append(None)  # its place
            profile.append(segment)
        elif code in KEPT:
            parts.append(segment)
        elif short := shortened(code, segment):
            parts.append(short)
    else:
        raise Broken("more segments than any picture has")
    if not scans.count or not (has_end or scans.complete):
        raise Broken("no complete scan")
    whole = joined(profile)
    if profile:
        place = parts.index(None)
        parts[place : place + 1] = [] if whole is None else profile
    if not has_end:
        parts[-1] = bytes(parts[-1]).rstrip(b"\xff")  # half a marker
    file = b"".join((*parts, b"\xff\xd9"))
    if file == data:
        file = data
    return Bare(
        pixels=file,
        # Without an end, what comes behind the pixels may be anything.
        file=file if has_end else None,
        profile=profile_in(whole or b""),
        orientation=orientation or 1,
        is_open=not has_end,
        scans=scans.count,
    )


def goes_on(data: bytes, start: int, end: int, scans: Scans) -> bool:
    """Behind a scan comes another one or what prepares it, and not what looks so by chance."""
    code, size = data[start + 1], end - start - 2
    if code == SCAN:
        return scans.fits(data[start:end])
    if code == TABLES:
        at = start + 4
        while at + 17 <= end:
            at += 17 + sum(data[at + 1 : at + 17])
        return at == end
    if code == QUANTA:
        return size > 2 and 0 in ((size - 2) % 65, (size - 2) % 129)
    if code in (RESTARTS, LINES):
        return size == 4
    return code in (*BESIDE, 0xCC) and data[end : end + 1] == b"\xff"


def shortened(code: int, segment: bytes) -> bytes | None:
    """JFIF and Adobe's segment, neither with more than the standard says."""
    if code == APP0 and segment[4:9] == JFIF and len(segment) >= 18:
        return b"\xff\xe0\0\x10" + segment[4:16] + bytes(2)
    if code == APP14 and segment[4:9] == ADOBE and len(segment) >= 16:
        return b"\xff\xee\0\x0e" + segment[4:16]
    return None


def joined(segments: list[bytes]) -> bytes | None:
    """The profile in these segments, if each is there once."""
    if not all(len(each) > 18 and each[17] == len(segments) for each in segments):
        return None
    ordered = sorted(segments, key=lambda each: each[16])
    if [each[16] for each in ordered] != list(range(1, len(ordered) + 1)):
        return None
    return b"".join(each[18:] for each in ordered)


def turned(file: bytes, orientation: int) -> bytes:
    """The file of a picture that is to be shown turned."""
    exif = b"Exif\0\0" + exif_of(orientation)
    return file[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + file[2:]
