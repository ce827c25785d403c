"""S3: objects are files below the state directory, so they survive the process."""

import threading
import uuid
from pathlib import Path
from types import SimpleNamespace

from moto.s3 import models
from moto.s3.models import FakeKey

from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.state import saving


class ObjectFile:
    """An object's bytes on disk, as the temporary file that moto expects.

    The file is opened for each use: a bucket of many objects must not need as many descriptors.
    """

    def __init__(self, path: Path):
        self.path = path
        self.position = 0
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

    def write(self, data: bytes) -> int:
        with self.path.open("r+b") as file:
            file.seek(self.position)
            written = file.write(data)
        self.position += written
        return written

    def truncate(self) -> int:
        with self.path.open("r+b") as file:
            return file.truncate(self.position)

    def close(self) -> None:
        """moto's end of an object."""
        self.path.unlink(missing_ok=True)


class BorrowedFile(ObjectFile):
    """The file of another object: a copy's end is not the file's."""

    def close(self) -> None:
        pass


class S3(Service):
    """Buckets are moto's; the bytes are ours."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.directory = cloud.settings.state / "s3"
        # moto.s3.models makes every buffer by tempfile.SpooledTemporaryFile
        models.tempfile = SimpleNamespace(SpooledTemporaryFile=lambda *_, **__: self._new_file())

    def _new_file(self) -> ObjectFile:
        self.directory.mkdir(parents=True, exist_ok=True)
        return ObjectFile(self.directory / uuid.uuid4().hex)

    @hook(FakeKey, "__getstate__", "self")
    def saved(self, original, key):
        """Keep the file's name, not its bytes. moto copies objects to list their versions."""
        state = {name: value for name, value in vars(key).items() if name != "lock"}
        if not getattr(saving, "now", False):
            state["_value_buffer"] = BorrowedFile(key._value_buffer.path)
        return state

    @hook(FakeKey, "__setstate__", "self, state")
    def loaded(self, original, key, state):
        vars(key).update(state, lock=threading.Lock())

    def adopt(self) -> list[str]:
        """Delete files that no object has: their API call was never answered."""
        buckets = self.cloud.backend("s3", "aws").buckets.values()
        known = {
            key._value_buffer.path
            for bucket in buckets
            for keys in (
                [version for _, versions in bucket.keys.lists() for version in versions],
                [part for upload in bucket.multiparts.values() for part in upload.parts.values()],
            )
            for key in keys
            if isinstance(key, FakeKey)
        }
        for path in self.directory.glob("*"):
            if path not in known:
                path.unlink()
        return []

    def rows(self) -> list[Row]:
        return [
            Row(
                id=bucket.name,
                kind="bucket",
                name="",
                state=bucket.region_name,
                address="",
                real=f"{len(bucket.keys)} objects in {self.directory}",
                health="ok",
            )
            for bucket in list(self.cloud.backend("s3", "aws").buckets.values())
        ]
