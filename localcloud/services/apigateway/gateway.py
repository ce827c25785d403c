"""The gateway: a host on the edge whose HAProxy ends TLS for all APIs and custom domains.

What they are asked goes to this process through a socket, and from here to the functions.
"""

import datetime
import hashlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from localcloud.appliance import Host, Recipe
from localcloud.authority import Authority
from localcloud.edge import EdgeAppliances
from localcloud.errors import Refusal
from localcloud.services.acm import Certificates
from localcloud.services.apigateway import haproxy
from localcloud.services.apigateway.front import Front
from localcloud.services.apigateway.model import TIMEOUTS
from localcloud.services.apigateway.serving import SUFFIX, Serving
from localcloud.services.base import Row
from localcloud.services.edgehost import EdgeService
from localcloud.services.elbv2.runtime import Haproxy, HaproxyError
from localcloud.services.managed import FAILURES

log = logging.getLogger("localcloud.apigateway")

RECIPE = Recipe(
    name="gateway",
    prefix="gateway-",
    packages=("haproxy",),
    files=Path(__file__).parent / "host",
    owner="amazon-apigateway",
)
CORES, MEMORY, VOLUME = 1.0, 512, 2
START_SECONDS = 30
CERTIFICATE_LIFETIME = datetime.timedelta(days=3 * 365)

Files = dict[str, tuple[bytes, tuple[str, ...]]]
"""Certificates by file name, with the names that they are for."""


@dataclass
class GatewayState:
    """The gateway's host, kept on moto's backend. Half made until ``ready``."""

    host: Host
    ready: bool = False


class Gateway:
    """What runs on ``host``."""

    def __init__(self, appliances: EdgeAppliances, authority: Authority, host: Host):
        self.appliances = appliances
        self.authority = authority
        self.host = host
        self.haproxy = Haproxy(appliances.sockets(host))

    @property
    def socket(self) -> Path:
        return self.haproxy.directory / haproxy.FRONT

    def start(self, text: str, certificates: Files) -> None:
        """Boot the host; return when it listens."""
        volume = self.appliances.mount(self.host)
        self.haproxy.directory.mkdir(parents=True, exist_ok=True)
        (volume / "etc").mkdir(exist_ok=True)
        self._write(text, certificates)
        mounts = {volume / "etc": haproxy.DIRECTORY, self.haproxy.directory: haproxy.SOCKETS}
        self.appliances.start(self.host, CORES, MEMORY, mounts)
        give_up = time.monotonic() + START_SECONDS
        while not self.haproxy.ready():
            if time.monotonic() > give_up or not self.appliances.running(self.host):
                raise HaproxyError(f"HAProxy on {self.host.id} does not start")
            time.sleep(0.05)

    def configure(self, text: str, certificates: Files) -> None:
        """Make it so, if it is not. Connections stay with who has them."""
        if self.host.extra.get("digest") != _digest(text, certificates):
            self._write(text, certificates)
            self.haproxy.reload()

    def _write(self, text: str, certificates: Files) -> None:
        directory = self.appliances.volume(self.host) / "etc"
        kept = directory / "certificates"
        kept.mkdir(mode=0o700, exist_ok=True)
        lines = [f"{haproxy.DIRECTORY}/certificates/default.pem"]
        _replace(kept / "default.pem", self._default(kept / "default.pem"), 0o600)
        for name, (content, names) in sorted(certificates.items()):
            _replace(kept / name, content, 0o600)
            lines.append(f"{haproxy.DIRECTORY}/certificates/{name} {' '.join(names)}")
        for path in kept.iterdir():
            if path.name not in (*certificates, "default.pem"):
                path.unlink()
        _replace(directory / "certificates.list", "\n".join(lines).encode() + b"\n", 0o644)
        _replace(directory / "haproxy.cfg", text.encode(), 0o644)
        self.host.extra["digest"] = _digest(text, certificates)

    def _default(self, path: Path) -> bytes:
        """API Gateway's own certificate, made once for a host."""
        if path.exists():
            return path.read_bytes()
        certificate, key = self.authority.issue([f"*{SUFFIX}"], CERTIFICATE_LIFETIME)
        return certificate + self.authority.root() + key


class Gateways(EdgeService):
    """One gateway serves all APIs."""

    recipe = RECIPE
    noun = "gateway"
    ports = (443,)
    volume = VOLUME
    state = GatewayState

    def __init__(self, cloud):
        super().__init__(cloud)
        self._fronts: dict[str, Front] = {}

    # what the edge asks

    def backend(self):
        return self.cloud.backend("apigatewayv2")

    def is_wanted(self) -> bool:
        return bool(self.backend().apis or self.backend().domain_names)

    def served(self) -> list[str]:
        backend = self.backend()
        regional = [_regional(each) for each in list(backend.domain_names.values())]
        return [*(f"{each}{SUFFIX}" for each in list(backend.apis)), *regional]

    def node(self, state) -> Gateway:
        return Gateway(self.appliances, self.authority, state.host)

    def configuration(self, state) -> tuple[str, Files]:
        acm = self.cloud.service(Certificates)
        certificates = {
            f"{each.domain_name}.pem": (acm.pem(_certificate(each)), (each.domain_name,))
            for each in list(self.backend().domain_names.values())
            if _complete(each)
        }
        return haproxy.render(TIMEOUTS[1] / 1000 + 10), certificates

    def prepare(self, state) -> None:
        if state.host.id not in self._fronts:
            serve = self.cloud.service(Serving).serve
            self._fronts[state.host.id] = Front(self.node(state).socket, serve)

    # what the cloud asks

    def remove(self, state) -> None:
        front = self._fronts.pop(state.host.id, None)
        if front:
            front.close()
        super().remove(state)

    def close(self) -> None:
        for each in self._fronts.values():
            each.close()

    def rows(self) -> list[Row]:
        real = ", ".join(host.id for host in self.hosts())
        running = any(self.appliances.running(host) for host in self.hosts())
        health = "ok" if running else "gateway down"
        address = " ".join(host.public_address for host in self.hosts() if host.public_address)
        backend = self.backend()
        return [
            *(
                Row(
                    id=each.api_id,
                    kind="http api",
                    name=each.name,
                    state=", ".join(each.stages) or "no stage",
                    address=f"{each.api_id}{SUFFIX} {address}",
                    real=real,
                    health=health,
                )
                for each in list(backend.apis.values())
            ),
            *(
                Row(
                    id=each.domain_name,
                    kind="custom domain",
                    name=", ".join(
                        f"/{mapping.api_mapping_key or ''} to {mapping.api_id}"
                        for mapping in backend.get_api_mappings(each.domain_name)
                    ),
                    state="AVAILABLE",
                    address=f"{_regional(each)} {address}",
                    real=real,
                    health=health,
                )
                for each in list(backend.domain_names.values())
            ),
        ]

    # what the rest of API Gateway asks

    def apply(self) -> None:
        try:
            self.match()
        except FAILURES as error:
            log.exception("the gateway")
            raise Refusal("internal", f"The gateway does not start: {error}") from error
        self._tell_certificates()

    # how

    def _tell_certificates(self) -> None:
        users: dict[str, list[str]] = {}
        for each in self.backend().domain_names.values():
            users.setdefault(_certificate(each), []).append(each.domain_name_arn)
        self.cloud.service(Certificates).used_by("apigateway", users)


def _complete(domain) -> bool:
    """Whether it is more than what moto has made a moment ago."""
    return "apiGatewayDomainName" in domain.domain_name_configurations[0]


def _certificate(domain) -> str:
    return domain.domain_name_configurations[0]["certificateArn"]


def _regional(domain) -> str:
    return domain.domain_name_configurations[0].get("apiGatewayDomainName", "")


def _digest(text: str, certificates: Files) -> str:
    digest = hashlib.sha256(text.encode())
    for name, (content, names) in sorted(certificates.items()):
        digest.update(f"{name} {names}".encode() + content)
    return digest.hexdigest()


def _replace(path: Path, content: bytes, mode: int) -> None:
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    part.rename(path)
