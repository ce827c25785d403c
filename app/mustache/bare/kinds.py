"""What kind of file it is, by its first bytes: Pillow's names."""

from __future__ import annotations

HEIF_BRANDS = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
}
AVIF_BRANDS = {b"avif", b"avis"}
CONTAINER_BRANDS = {b"mif1", b"msf1", b"mif2", b"miaf"}
# How long what follows the first 14 bytes is; the bytes between may be anything.
BMP_HEADS = {length.to_bytes(4, "little") for length in (12, 40, 52, 56, 64, 108, 124)}
STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)


def kind_of(data: bytes) -> str | None:
    """The kind that `data` begins as, None when it is none that is read."""
    for start, kind in STARTS:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and data[14:18] in BMP_HEADS and len(data) >= 26:
        return "BMP"
    if data[4:8] == b"ftyp":
        return kind_of_brands(data)
    return None


def kind_of_brands(data: bytes) -> str | None:
    """Of a file in boxes: by its own brand, or by the others that it says it is good for."""
    major = data[8:12]
    end = min(int.from_bytes(data[:4]), 512)
    brands = {major, *(data[at : at + 4] for at in range(16, end - 3, 4))}
    if major in AVIF_BRANDS or (major in CONTAINER_BRANDS and brands & AVIF_BRANDS):
        return "AVIF"
    if major in HEIF_BRANDS or major in CONTAINER_BRANDS:
        return "HEIF"
    return None
