"""PNG: the chunks of its pixels, and of what describes them those that are whole."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

from mustache.bare.parts import MOST_PARTS, Bare, Broken, orientation_in, profile_in

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_PROFILE = 4_000_000
# What the pixels are made of, by bytes that a decoder reads.
PIXELS = {b"PLTE", b"IDAT", b"acTL", b"fcTL", b"fdAT"}
# What the numbers mean, and how long that may be; before the pixels, each at most once.
COLOURS = {
    b"cICP": (4,),
    b"iCCP": range(3, LARGEST_PROFILE),
    b"sRGB": (1,),
    b"gAMA": (4,),
    b"cHRM": (32,),
    b"mDCV": (24,),
    b"cLLI": (8,),
}
OTHERS = {b"sBIT": range(1, 5), b"bKGD": (1, 2, 6), b"pHYs": (9,), b"tRNS": range(1, 257)}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
SAMPLES = {b"sBIT": {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}, b"bKGD": {0: 2, 2: 6, 3: 1, 4: 2, 6: 6}}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def walk(data: bytes) -> Bare:
    if data[12:16] != b"IHDR":
        raise Broken("no IHDR")
    kind = data[25]
    at = 8
    seen: set[bytes] = set()
    file, pixels = [SIGNATURE], [SIGNATURE]
    colours: list[bytes] = []
    orientation, profile, hidden = 1, None, False
    for _ in range(MOST_PARTS):
        size, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + size
        if name == b"IEND" or len(name) < 4 or not name.isalpha() or end > len(data):
            if name in (b"IDAT", b"fdAT") and end > len(data):
                # Cut; its pixels may be complete for all that, the decoder tells.
                rest = chunk(name, data[at + 8 : at + 8 + size])
                file.append(rest)
                pixels.append(rest)
                seen.add(name)
            break
        whole = data[at:end]
        at = end
        if name in (b"IHDR", *PIXELS):
            if name == b"IDAT" and b"IDAT" not in seen:
                hidden = b"acTL" in seen and b"fcTL" not in seen
            seen.add(name)
            file.append(whole)
            pixels.append(whole)
            continue
        if name in seen or not is_whole(whole):
            continue
        body = whole[8:-4]
        if name == b"eXIf":
            seen.add(name)
            orientation = orientation_in(body)
        elif b"IDAT" in seen:
            continue
        elif name in COLOURS and len(body) in COLOURS[name]:
            if name == b"iCCP":
                profile = unpacked(body)
                if profile is None:
                    continue
            seen.add(name)
            colours.append(whole)
            file.append(whole)
        elif name in OTHERS and fits(name, body, kind, seen):
            seen.add(name)
            file.append(whole)
            if name == b"tRNS":
                pixels.append(whole)
    else:
        raise Broken("more chunks than any picture has")
    if b"IDAT" not in seen:
        raise Broken("no pixels")
    ending = chunk(b"IEND", b"")
    shown = frames(pixels)
    return Bare(
        pixels=b"".join((*(counted(each, shown) for each in pixels), ending)),
        file=b"".join((*(counted(each, shown) for each in file), ending)),
        profile=profile,
        orientation=orientation,
        colours=tuple(colours),
        hidden_first=hidden,
    )


def frames(chunks: list[bytes]) -> int:
    """How many frames there are of which there is something to show."""
    names = [each[4:8] for each in chunks]
    return sum(
        name == b"fcTL" and following in (b"IDAT", b"fdAT") for name, following in pairwise(names)
    )


def counted(each: bytes, shown: int) -> bytes:
    """The chunk; of an animation that says it has more frames than there are, what there is."""
    if each[4:8] != b"acTL" or len(each) != 20 or int.from_bytes(each[8:12]) <= shown:
        return each
    return chunk(b"acTL", shown.to_bytes(4) + each[12:16])


def is_whole(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def fits(name: bytes, body: bytes, kind: int, seen: set[bytes]) -> bool:
    """The chunk is as long as it is in a picture of this kind."""
    if name == b"tRNS":
        if kind == 3:
            return b"PLTE" in seen and len(body) in OTHERS[name]
        return len(body) == {0: 2, 2: 6}.get(kind)
    if name in SAMPLES:
        return len(body) == SAMPLES[name].get(kind)
    return len(body) in OTHERS[name]


def unpacked(body: bytes) -> bytes | None:
    """The profile in an iCCP chunk."""
    _, _, packed = body.partition(b"\0")
    if packed[:1] != b"\0":
        return None
    try:
        return profile_in(zlib.decompressobj().decompress(packed[1:], LARGEST_PROFILE))
    except zlib.error:
        return None


def described(png: bytes, chunks: tuple[bytes, ...]) -> bytes:
    """A PNG with these chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def gamma(colours: tuple[bytes, ...]) -> float | None:
    """The exponent that a gAMA chunk stands for."""
    value = body_of(b"gAMA", colours)
    number = int.from_bytes(value) if value else 0
    return 100_000 / number if 10_000 <= number <= 1_000_000 else None


def chromaticities(colours: tuple[bytes, ...]) -> list[float] | None:
    """White, red, green, blue; x and y of each."""
    value = body_of(b"cHRM", colours)
    return [each / 100_000 for each in struct.unpack(">8I", value)] if value else None


def body_of(name: bytes, colours: tuple[bytes, ...]) -> bytes | None:
    return next((each[8:-4] for each in colours if each[4:8] == name), None)
