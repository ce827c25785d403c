"""The edge: one host for all distributions, with HAProxy before and behind a Varnish."""

import datetime
import hashlib
import http.client
import logging
import os
import socket
import time
from pathlib import Path

from localcloud.appliance import Host, Recipe
from localcloud.authority import Authority
from localcloud.edge import EdgeAppliances
from localcloud.services.cloudfront import haproxy
from localcloud.services.elbv2.runtime import Haproxy
from localcloud.services.managed import HostError

log = logging.getLogger("localcloud.cloudfront")

RECIPE = Recipe(
    name="edge",
    prefix="edge-",
    packages=("haproxy", "varnish"),
    files=Path(__file__).parent / "host",
    owner="amazon-cloudfront",
)
CORES, MEMORY, VOLUME = 1.0, 1024, 4
START_SECONDS = 30
CERTIFICATE_LIFETIME = datetime.timedelta(days=3 * 365)
FORBIDDEN = """\
HTTP/1.1 403 Forbidden\r
Content-Type: text/html\r
Connection: close\r
\r
<html><head><title>403</title></head><body><h1>403 ERROR</h1>
The request could not be satisfied: this edge has no distribution of that name, or its behavior
does not take this method or protocol.</body></html>
"""


class EdgeError(HostError):
    """The edge did not do what was asked; the message says why."""


class Edge:
    """What runs on ``host``."""

    def __init__(self, appliances: EdgeAppliances, authority: Authority, host: Host):
        self.appliances = appliances
        self.authority = authority
        self.host = host
        self.haproxy = Haproxy(appliances.sockets(host))

    def start(self, text: str, certificates: dict[str, tuple[bytes, tuple[str, ...]]]) -> None:
        """Boot the host; return when both answer."""
        volume = self.appliances.mount(self.host)
        self.haproxy.directory.mkdir(parents=True, exist_ok=True)
        # the cache makes its socket there as a user of its own
        self.haproxy.directory.chmod(0o777)
        (volume / "etc").mkdir(exist_ok=True)
        self._write(text, certificates)
        mounts = {volume / "etc": haproxy.DIRECTORY, self.haproxy.directory: haproxy.SOCKETS}
        self.appliances.start(self.host, CORES, MEMORY, mounts)
        give_up = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > give_up or not self.appliances.running(self.host):
                raise EdgeError(f"{self.host.id} does not start: {self._log()}")
            time.sleep(0.05)

    def answers(self) -> bool:
        return self.haproxy.ready() and self._cache("GET", {"x-lc-pass": "1"}) is not None

    def configure(self, text: str, certificates: dict[str, tuple[bytes, tuple[str, ...]]]) -> bool:
        """Make it so; False if it was so already. Connections stay with who has them."""
        if self.host.extra.get("digest") == _digest(text, certificates):
            return False
        self._write(text, certificates)
        self.haproxy.reload()
        return True

    def ban(self, distribution: str, path: str) -> None:
        """Forget what is kept under ``path``, which may end in a wildcard."""
        pattern = haproxy.expression(path)
        status = self._cache("BAN", {"x-lc-distribution": distribution, "x-lc-pattern": pattern})
        if status != 200:
            raise EdgeError(f"the cache does not forget {path}: {status}")

    def _cache(self, method: str, headers: dict[str, str]) -> int | None:
        """Ask the cache itself; None if it does not answer."""
        connection = http.client.HTTPConnection("edge", timeout=5)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5)
        try:
            connection.sock.connect(str(self.haproxy.directory / "cache.sock"))
            connection.request(method, "/", headers=headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    # files

    def _write(self, text: str, certificates: dict[str, tuple[bytes, tuple[str, ...]]]) -> None:
        directory = self.appliances.volume(self.host) / "etc"
        (directory / "certificates").mkdir(mode=0o700, exist_ok=True)
        lines = [f"{haproxy.DIRECTORY}/certificates/default.pem"]
        _replace(directory / "certificates/default.pem", self._default(), 0o600)
        for name, (content, names) in sorted(certificates.items()):
            _replace(directory / "certificates" / name, content, 0o600)
            lines.append(f"{haproxy.DIRECTORY}/certificates/{name} {' '.join(names)}")
        for path in (directory / "certificates").iterdir():
            if path.name not in (*certificates, "default.pem"):
                path.unlink()
        _replace(directory / "certificates.list", "\n".join(lines).encode() + b"\n", 0o644)
        _replace(directory / "authority.pem", self.authority.root(), 0o644)
        _replace(directory / "403.http", FORBIDDEN.encode(), 0o644)
        _replace(directory / "haproxy.cfg", text.encode(), 0o600)
        self.host.extra["digest"] = _digest(text, certificates)

    def _default(self) -> bytes:
        """CloudFront's own certificate, made once for a host."""
        path = self.appliances.volume(self.host) / "etc/certificates/default.pem"
        if path.exists():
            return path.read_bytes()
        certificate, key = self.authority.issue(["*.cloudfront.net"], CERTIFICATE_LIFETIME)
        return certificate + self.authority.root() + key

    def _log(self) -> str:
        try:
            return self.appliances.cloud.engine.execute(
                self.host.id, "journalctl", "--no-pager", "--lines=8", "--output=cat",
                "--unit=edge", "--unit=edge-cache", timeout=10,
            )  # fmt: skip
        except Exception as error:  # the reason for the reason does not matter
            return str(error)


def _digest(text: str, certificates: dict) -> str:
    digest = hashlib.sha256(text.encode())
    for name, (content, names) in sorted(certificates.items()):
        digest.update(f"{name} {names}".encode() + content)
    return digest.hexdigest()


def _replace(path: Path, content: bytes, mode: int) -> None:
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    part.rename(path)
