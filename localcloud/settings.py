"""Where this local cloud keeps things and what it is called, from the environment."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from localcloud import client

ACCOUNT = "123456789012"
REGION = "us-east-1"
# Characters that have a meaning in mount options and in the engine's arguments.
MEANINGFUL = ',:\\"'
DEBIAN_ACCOUNT = "136693071363"
# What signs for the account itself, and does so on this machine only.
ROOT_KEY = ROOT_SECRET = "localcloud"  # noqa: S105 - everybody may know it
# moto reads these when it is imported
MOTO = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}


class SettingsError(Exception):
    """A LOCALCLOUD_* variable has a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """One local cloud. Ports are TCP ports on 127.0.0.1."""

    state: Path
    cache: Path
    port: int
    http_port: int
    https_port: int
    site: str
    pace: int | None = None  # the seed of AWS's manners; None is instant

    @classmethod
    def from_environment(cls, environ=os.environ) -> "Settings":
        checkout = Path(__file__).resolve().parent.parent
        state = Path(environ.get("LOCALCLOUD_STATE") or checkout / ".localcloud").resolve()
        if odd := set(str(state)) & set(MEANINGFUL):
            raise SettingsError(
                f"{state} has {' and '.join(sorted(odd))} in its name, which mounts cannot take. "
                "Keep the local cloud's state elsewhere: LOCALCLOUD_STATE=DIRECTORY"
            )
        return cls(
            state=state,
            cache=Path(environ.get("LOCALCLOUD_CACHE") or "/var/cache/localcloud"),
            port=_port(environ, "LOCALCLOUD_PORT", 5000),
            http_port=_port(environ, "LOCALCLOUD_HTTP_PORT", 8080),
            https_port=_port(environ, "LOCALCLOUD_HTTPS_PORT", 8443),
            site=environ.get("LOCALCLOUD_SITE") or "mustache.localhost",
            pace=_pace(environ),
        )

    @property
    def id(self) -> str:
        """Four hexadecimal digits that mark everything which belongs to this cloud."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:4]

    @property
    def label(self) -> str:
        return f"localcloud={self.id}"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.state / "localcloud.log"

    @property
    def run(self) -> Path:
        """For sockets, whose paths must be short."""
        return Path("/run/localcloud", self.id)

    @property
    def pid_file(self) -> Path:
        return self.state / "localcloud.pid"

    def environment(self) -> dict[str, str]:
        """The variables that recreate these settings in another process."""
        return {
            "LOCALCLOUD_STATE": str(self.state),
            "LOCALCLOUD_CACHE": str(self.cache),
            "LOCALCLOUD_PORT": str(self.port),
            "LOCALCLOUD_HTTP_PORT": str(self.http_port),
            "LOCALCLOUD_HTTPS_PORT": str(self.https_port),
            "LOCALCLOUD_SITE": self.site,
            "LOCALCLOUD_PACE": "" if self.pace is None else f"aws:{self.pace}",
        }


def _port(environ, name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SettingsError(f"{name}={text!r} is not a TCP port (1-65535).")
    return int(text)


def _pace(environ) -> int | None:
    text = environ.get("LOCALCLOUD_PACE") or "instant"
    if text == "instant":
        return None
    name, _, seed = text.partition(":")
    if name != "aws" or not (seed or "1").isdigit():
        raise SettingsError(
            f"LOCALCLOUD_PACE={text!r} is none of: instant (the default), aws, aws:SEED (a number)."
        )
    return int(seed or 1)


def prepare_moto(settings: "Settings") -> None:
    """Set the environment that moto reads, and keep its own calls on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        MOTO | client.without_proxy(os.environ),
        MOTO_PORT=str(settings.port),
        AWS_ENDPOINT_URL=settings.endpoint,
        AWS_ACCESS_KEY_ID=ROOT_KEY,
        AWS_SECRET_ACCESS_KEY=ROOT_SECRET,
    )
