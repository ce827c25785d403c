"""Packages as they were uploaded, and unzipped: read-only for every environment that runs them."""

import hashlib
import io
import shutil
import stat
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path

from localcloud.services.functions.model import UNZIPPED


class PackageError(ValueError):
    """AWS takes no such zip; the message is its own."""


class Packages:
    """The zips of one local cloud by their digests. A zip goes when it is unzipped."""

    def __init__(self, directory: Path):
        self.directory = directory

    def take(self, content: bytes) -> str:
        """Keep a zip that AWS would take; return its digest. `unpack` has the work left to do."""
        check(content)
        digest = hashlib.sha256(content).hexdigest()
        if not self.place(digest).exists():
            self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            part = self.directory / f"{uuid.uuid4().hex}.part"
            part.write_bytes(content)
            part.rename(self._zip(digest))
        return digest

    def place(self, digest: str) -> Path:
        """Where it lies when it is unzipped."""
        return self.directory / digest

    def unpack(self, digest: str) -> None:
        """Unzip a package that was taken; nothing happens when it is unzipped."""
        if self.place(digest).exists():
            return
        part = self.directory / f"{uuid.uuid4().hex}.part"
        part.mkdir(mode=0o755)
        with zipfile.ZipFile(self._zip(digest)) as package:
            links = [entry for entry in package.infolist() if _is_link(entry)]
            for entry in package.infolist():
                if entry not in links:
                    _extract(package, entry, part)
            for entry in links:  # last: nothing is written through them
                target = part / entry.filename
                if _inside(target, part) and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.symlink_to(package.read(entry).decode())
        try:
            part.rename(self.place(digest))
        except OSError:  # another one was faster
            shutil.rmtree(part, ignore_errors=True)
        self._zip(digest).unlink(missing_ok=True)

    def keep_only(self, digests: Iterable[str]) -> None:
        """Remove what no function has any more."""
        known = set(digests)
        for path in self.directory.glob("*"):
            if path.suffix != ".part" and path.stem not in known:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def clean(self) -> None:
        """Remove what a process that ended did not finish."""
        for path in self.directory.glob("*.part"):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def _zip(self, digest: str) -> Path:
        return self.directory / f"{digest}.zip"


def check(content: bytes) -> None:
    """Raise `PackageError` for what is no zip, or too large once it is unzipped."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            size = sum(entry.file_size for entry in package.infolist())
            broken = size <= UNZIPPED and package.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise PackageError(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
    if size > UNZIPPED:
        raise PackageError(f"Unzipped size must be smaller than {UNZIPPED} bytes")
    if broken:
        raise PackageError(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _inside(target: Path, directory: Path) -> bool:
    return target.resolve().is_relative_to(directory.resolve())


def _extract(package: zipfile.ZipFile, entry: zipfile.ZipInfo, directory: Path) -> None:
    """Write one entry, with what its mode says and what everybody must be able to read."""
    path = Path(package.extract(entry, directory))
    mode = (entry.external_attr >> 16) & 0o777
    if entry.is_dir():
        path.chmod(0o755)
    else:
        path.chmod((mode or 0o644) | 0o444)
        for parent in path.relative_to(directory).parents:
            (directory / parent).chmod(0o755)
