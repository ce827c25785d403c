"""Complete an upload of several parts without holding them in memory."""

import hashlib
import os
import shutil
from pathlib import Path

from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeMultipart
from moto.settings import S3_UPLOAD_PART_MIN_SIZE

from localcloud.services.s3.files import BLOCK, Upload
from localcloud.services.s3.receive import CHECKED, digest, text


def join(multipart: FakeMultipart, wanted: list[tuple[int, str]], path: Path):
    """The object's bytes, its ETag and its checksum (type, value, parts), or None for that."""
    parts = [multipart.parts.get(number) for number, _ in wanted]
    tags = [etag.replace('"', "") for _, etag in wanted]
    for part, etag in zip(parts, tags, strict=True):
        if part is None or part.etag.replace('"', "") != etag:
            raise InvalidPart()
    if not parts:
        raise MalformedXML
    if any(part.contentsize < S3_UPLOAD_PART_MIN_SIZE for part in parts[:-1]):
        raise EntityTooSmall()
    with path.open("xb") as whole:
        for part in parts:
            with part._value_buffer.path.open("rb") as piece:
                shutil.copyfileobj(piece, whole, BLOCK)
        whole.flush()
        os.fsync(whole.fileno())
        size = whole.tell()
    etags = hashlib.md5(bytes.fromhex("".join(tags)), usedforsecurity=False).hexdigest()
    return Upload(path, size), f"{etags}-{len(parts)}", _checksum(multipart, parts, path)


def _checksum(multipart: FakeMultipart, parts: list, path: Path) -> tuple[str, str, int] | None:
    name = (multipart.metadata.get("x-amz-checksum-algorithm") or "").lower()
    if name not in CHECKED:
        return None
    kind = multipart.metadata.get("x-amz-checksum-type") or "COMPOSITE"
    whole = digest(name)
    if kind == "COMPOSITE":
        for part in parts:
            whole.update(_of_file(name, part._value_buffer.path))
        return kind, text(whole.digest()), len(parts)
    return kind, text(_of_file(name, path)), 1


def _of_file(name: str, path: Path) -> bytes:
    found = digest(name)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.digest()
