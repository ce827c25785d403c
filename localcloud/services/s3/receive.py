"""Take an object's bytes from a request to a file, and check what the client says of them."""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from localcloud.errors import Refusal
from localcloud.services.s3.files import BLOCK, Upload

CHECKED = ("sha256", "sha1", "crc32")  # those that Python computes


class Crc32:
    """binascii's CRC as hashlib's objects are used."""

    def __init__(self):
        self.value = 0

    def update(self, data: bytes) -> None:
        self.value = binascii.crc32(data, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")


def receive(environ: dict, path: Path) -> Upload:
    """Write the body to ``path``, synced; refuse it when a digest or the length is not as said."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    content = headers.get("x-amz-content-sha256", "")
    said = {
        name.removeprefix("x-amz-checksum-"): value
        for name, value in headers.items()
        if name.startswith("x-amz-checksum-") and name != "x-amz-checksum-type"
    }
    wanted = {*said, headers.get("x-amz-sdk-checksum-algorithm", "").lower(),
              headers.get("x-amz-trailer", "").lower().removeprefix("x-amz-checksum-")}  # fmt: skip
    digests = {name: digest(name) for name in wanted if name in CHECKED}
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    hashes = [md5, *digests.values()]
    hashes += [sha256] if len(content) == 64 else []
    trailers: dict[str, str] = {}
    body = environ["wsgi.input"]
    chunked = content.startswith("STREAMING-") or "aws-chunked" in headers.get(
        "content-encoding", ""
    )
    blocks = _chunks(body, trailers) if chunked else iter(lambda: body.read(BLOCK), b"")
    size = 0
    try:
        with path.open("xb") as file:
            for block in blocks:
                file.write(block)
                size += len(block)
                for each in hashes:
                    each.update(block)
            file.flush()
            os.fsync(file.fileno())
        said |= {
            name.removeprefix("x-amz-checksum-"): value
            for name, value in trailers.items()
            if name.startswith("x-amz-checksum-")
        }
        computed = {name: text(each.digest()) for name, each in digests.items()}
        _check(headers, size, md5.digest(), said, computed)
        if len(content) == 64 and content != sha256.hexdigest():
            raise Refusal(
                (400, "XAmzContentSHA256Mismatch"),
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(path, size, md5.hexdigest(), computed | said)


def _check(headers: dict, size: int, md5: bytes, said: dict, computed: dict) -> None:
    decoded = headers.get("x-amz-decoded-content-length", "")
    if decoded and decoded != str(size):
        raise Refusal((400, "IncompleteBody"), f"{size} bytes came, not {decoded}.")
    if "content-md5" in headers and headers["content-md5"] != text(md5):
        raise Refusal((400, "BadDigest"), "The Content-MD5 you specified did not match.")
    for name, value in said.items():
        if name in computed and computed[name] != value:
            raise Refusal((400, "BadDigest"), f"The {name.upper()} you specified did not match.")


def _chunks(body, trailers: dict[str, str]) -> Iterator[bytes]:
    """Bytes of an `aws-chunked` body; what comes after the last chunk goes to ``trailers``."""
    while True:
        head = body.readline(1024)
        try:
            left = int(head.partition(b";")[0].strip(), 16)
        except ValueError:
            raise Refusal((400, "IncompleteBody"), "The chunks of the body are damaged.") from None
        if left == 0:
            break
        while left:
            block = body.read(min(BLOCK, left))
            if not block:
                raise Refusal((400, "IncompleteBody"), "The body ended within a chunk.")
            left -= len(block)
            yield block
        body.readline(1024)
    while line := body.readline(8192).strip():
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.lower()] = value.strip()


def digest(name: str):
    """An object with ``update`` and ``digest`` for one of `CHECKED`."""
    makers: dict[str, Callable] = {
        "crc32": Crc32,
        "sha1": lambda: hashlib.sha1(usedforsecurity=False),
        "sha256": hashlib.sha256,
    }
    return makers[name]()


def text(value: bytes) -> str:
    """A digest as S3 writes it."""
    return base64.b64encode(value).decode()
