"""Debian 13 as hosts boot it: built once with mmdebstrap, kept by the hash of its recipe."""

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from localcloud import shell

SUITE = "trixie"
# What the official Debian AMI has and our roles or a person on the host rely on.
PACKAGES = [
    "adduser",
    "apt-utils",
    "bash-completion",
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "e2fsprogs",
    "ifupdown",
    "iproute2",
    "iputils-ping",
    "less",
    "libpam-systemd",
    "locales",
    "logrotate",
    "lsb-release",
    "man-db",
    "nano",
    "ncurses-base",
    "netbase",
    "nftables",
    "openssh-server",
    "procps",
    "psmisc",
    "python3",
    "python3-apt",
    "rsync",
    "sudo",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "tzdata",
    "unattended-upgrades",
    "vim-tiny",
    "wget",
    "xz-utils",
]
FILES = Path(__file__).parent / "rootfs"
# Bump when this module builds something else from the same packages and files.
RECIPE = "1"


class ImageError(RuntimeError):
    """The base image could not be built; the message holds the end of the log."""


def recipe() -> str:
    """The hash that names the base image."""
    digest = hashlib.sha256(" ".join([RECIPE, SUITE, *PACKAGES]).encode())
    for path in sorted(FILES.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(FILES)).encode() + path.read_bytes())
            digest.update(str(os.access(path, os.X_OK)).encode())
    return digest.hexdigest()[:17]


def base(cache: Path, say: Callable[[str], None] = print) -> Path:
    """Return the directory of the base image, built now if the cache lacks it."""
    directory = cache / "images" / recipe()
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.parent.chmod(0o700)  # the images have setuid programs, which nobody updates
    if directory.exists():
        return directory
    with (directory.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two clouds at once build it once
        if not directory.exists():
            _build(directory, say)
    return directory


def mirror() -> str:
    """The Debian mirror this machine uses, or Debian's own."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for path in sources:
        if not path.is_file():
            continue
        for url in re.findall(r"https?://[^\s\]]+", path.read_text()):
            if re.search(r"/debian/?$", url):
                return url.rstrip("/")
    return "http://deb.debian.org/debian"


def _build(directory: Path, say: Callable[[str], None]) -> None:
    part = directory.with_suffix(".part")
    _remove(part)
    say(f"Building the Debian 13 image (once, about half a minute) from {mirror()}")
    sources = [
        f"deb {mirror()} {SUITE} main",
        f"deb {mirror()} {SUITE}-updates main",
        f"deb {re.sub(r'/debian$', '/debian-security', mirror())} {SUITE}-security main",
    ]
    command = [
        # the build and its mounts end with us, also when we are killed
        "setpriv", "--pdeathsig=KILL",
        "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
        f"--include={','.join(PACKAGES)}",
        # an install on a host is dpkg's work, not the download's: leave out what nobody reads there
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"',
        "--skip=cleanup/apt/lists",  # so that the hosts' `apt-get update` asks for changes only
        f"--customize-hook=sync-in {FILES} /",
        '--customize-hook=chroot "$1" sh -eu /usr/lib/localcloud/finish',
        SUITE, str(part), *sources,
    ]  # fmt: skip
    tail: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
    ) as build:
        for line in build.stdout:
            tail = [*tail[-30:], line.rstrip()]
            if line.startswith("I: ") and "tempdir" not in line:
                say(f"  {line[3:].rstrip()}")
    if build.returncode:
        _remove(part)
        raise ImageError("mmdebstrap failed:\n" + "\n".join(tail))
    part.rename(directory)


def _remove(part: Path) -> None:
    """Delete half a build, and nothing that is mounted in it."""
    shell.run("rm", "--recursive", "--force", "--one-file-system", part)
