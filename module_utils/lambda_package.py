"""A package of Lambda: what is in it, whether it can run there, and the zip, the same each time."""

import hashlib
import re
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

# The same for every file: when it was built is no part of it.
DATE = (1980, 1, 1, 0, 0, 0)
ELF = b"\x7fELF"
X86_64 = 62
MACHINE_AT = slice(18, 20)


class PackageError(Exception):
    """Why Lambda could not run it."""


def files(folder):
    """Every file below a folder by its name in the zip, in the zip's order."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(Path(folder).rglob("*"), key=lambda path: path.as_posix())
        if path.is_file()
    }


def matches(name, patterns):
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def left_out(names, exclude, keep):
    """Those of the names that match ``exclude`` and not ``keep``."""
    return [name for name in names if matches(name, exclude) and not matches(name, keep)]


def version(text):
    return tuple(int(part) for part in text.split("."))


def needs(content, library):
    """The newest version of a library's symbols that a binary names, such as ``2.28``."""
    pattern = re.escape(library.encode()) + rb"_(\d+(?:\.\d+)+)(?=\0)"
    found = {match.decode() for match in re.findall(pattern, content)}
    return max(found, key=version, default=None)


def check_binary(name, content, libraries):
    """What ``libraries`` the binary needs, by name; raises PackageError if it is newer."""
    machine = int.from_bytes(content[MACHINE_AT], "little")
    if machine != X86_64:
        raise PackageError(f"{name} is not for x86-64 (ELF machine {machine})")
    found = {library: needs(content, library) for library in libraries}
    for library, newest in libraries.items():
        if found[library] and version(found[library]) > version(newest):
            raise PackageError(f"{name} needs {library} {found[library]}; there is {newest}")
    return found


def check_binaries(found, libraries):
    """The newest version of each library that any binary needs."""
    all_needs = []
    for name, path in found.items():
        with path.open("rb") as file:
            if file.read(len(ELF)) == ELF:
                all_needs.append(check_binary(name, ELF + file.read(), libraries))
    return {
        library: max(filter(None, (each[library] for each in all_needs)), key=version, default="")
        for library in libraries
    }


def check_size(found, limit):
    """Bytes of all files; raises PackageError, naming the largest folders, if that is too much."""
    folders = {}
    for name, path in found.items():
        top = name.partition("/")[0]
        folders[top] = folders.get(top, 0) + path.stat().st_size
    size = sum(folders.values())
    if size > limit:
        largest = sorted(folders.items(), key=lambda each: -each[1])[:5]
        told = ", ".join(f"{name} {bytes_ / 1e6:.0f} MB" for name, bytes_ in largest)
        raise PackageError(
            f"Unzipped it has {size} bytes; Lambda takes {limit}. The most is in: {told}"
        )
    return size


def write(found, target):
    """The zip of these files: dates, order and modes do not depend on where it is made."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, path in found.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix
            entry.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
            with path.open("rb") as source, package.open(entry, "w") as sink:
                while chunk := source.read(1 << 20):
                    sink.write(chunk)


def sha256(path):
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def pins(requirements):
    """The packages that a lock file pins, such as ``django==5.2.19``."""
    return re.findall(r"^([A-Za-z0-9._-]+==[^\s;\\]+)", requirements, re.MULTILINE)
