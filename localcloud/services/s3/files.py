"""An object's bytes: written once as they arrive, read in blocks, never whole in memory."""

import os
from collections.abc import Iterator
from pathlib import Path

BLOCK = 256 * 1024
DISCARDED: list[Path] = []


class ObjectFile:
    """An object's bytes on disk, as the temporary file that moto expects.

    The file is opened for each use: a bucket of many objects must not need as many descriptors.
    """

    def __init__(self, path: Path):
        self.path = path
        self.position = 0
        self.md5 = ""  # of an upload
        path.touch()

    def seek(self, position: int, whence: int = 0) -> int:
        base = {0: 0, 1: self.position, 2: self.path.stat().st_size}[whence]
        self.position = base + position
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read(size)
        self.position += len(data)
        return data

    def write(self, data: "bytes | Upload") -> int:
        if isinstance(data, Upload):
            data.path.rename(self.path)
            self.position = len(data)
            self.md5 = data.md5
            return len(data)
        with self.path.open("r+b") as file:
            file.seek(self.position)
            written = file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.position += written
        return written

    def truncate(self) -> int:
        with self.path.open("r+b") as file:
            return file.truncate(self.position)

    def close(self) -> None:
        """moto's end of an object; the file goes when nothing on the disk names it any more."""
        DISCARDED.append(self.path)


class BorrowedFile(ObjectFile):
    """The file of another object: a copy's end is not the file's."""

    def close(self) -> None:
        pass


class Upload(bytes):
    """What moto takes for the bytes of an upload, which wait in a file of their own."""

    path: Path
    size: int
    md5: str
    checksums: dict[str, str]

    def __new__(cls, path: Path, size: int, md5: str = "", checksums: dict | None = None):
        made = super().__new__(cls)
        made.path, made.size, made.md5, made.checksums = path, size, md5, checksums or {}
        return made

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True


class Download:
    """Part of an object, as the body of an answer: ``len()``, slices, and an open file."""

    def __init__(self, path: Path, size: int):
        self.file = path.open("rb")  # at once: the object may be deleted while it is sent
        self.start, self.stop = 0, size

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, part: slice) -> "Download":
        start, stop, _ = part.indices(len(self))
        self.start, self.stop = self.start + start, self.start + max(start, stop)
        return self

    def __iter__(self) -> Iterator[bytes]:
        """moto's answer is never read: the server sends the file (`DOWNLOAD`)."""
        return iter(())

    def open(self):
        self.file.seek(self.start)
        return self.file
