"""The gateway: a host on the edge whose HAProxy ends TLS for all APIs and custom domains.

What they are asked goes to this process through a socket, and from here to the functions.
"""

import datetime
import hashlib
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from localcloud.appliance import Host, Recipe
from localcloud.authority import Authority
from localcloud.edge import EdgeAppliances
from localcloud.errors import Refusal
from localcloud.firewall import Interface, Rule
from localcloud.services.acm import Certificates
from localcloud.services.apigateway import haproxy
from localcloud.services.apigateway.front import Front
from localcloud.services.apigateway.model import TIMEOUTS
from localcloud.services.apigateway.serving import SUFFIX, Serving
from localcloud.services.base import Row
from localcloud.services.elbv2.runtime import Haproxy, HaproxyError
from localcloud.services.managed import FAILURES, ManagedService

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


class Gateways(ManagedService):
    """One gateway serves all APIs."""

    recipe = RECIPE
    noun = "gateway"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.appliances = EdgeAppliances(cloud, RECIPE)
        self.authority = Authority(cloud.settings.state / "authority")
        self._fronts: dict[str, Front] = {}
        self._applying = threading.RLock()

    # what the cloud asks

    def all(self) -> list[GatewayState]:
        found = getattr(self._backend(), "gateway", None)
        return [found] if found else []

    def name(self, state) -> str:
        return state.host.id

    def identity(self, state) -> str:
        return state.host.id

    def hosts_of(self, state) -> list[Host]:
        return [state.host]

    def unfinished(self) -> list[GatewayState]:
        return [each for each in self.all() if not each.ready]

    def forget(self, state) -> None:
        self._backend().gateway = None

    def take_over(self, state) -> None:
        self._listen(state)

    def remove(self, state) -> None:
        front = self._fronts.pop(state.host.id, None)
        if front:
            front.close()
        super().remove(state)

    def close(self) -> None:
        for each in self._fronts.values():
            each.close()

    def watch(self, state) -> None:
        if not state.ready:
            return
        self._listen(state)
        gateway, certificates = self._gateway(state), self._certificates()
        if not self.appliances.running(state.host):
            log.warning("gateway %s died: starting it", state.host.id)
            gateway.start(self._text(), certificates)
        elif gateway.haproxy.ready():
            gateway.configure(self._text(), certificates)  # a certificate was imported anew

    def adopt(self) -> list[str]:
        said = super().adopt()
        if self._wanted() and not self.all():
            self.apply()
        return said

    def interfaces(self) -> list[Interface]:
        web = (Rule("tcp", (443, 443), ("0.0.0.0/0",)),)
        return [self.appliances.interface(host, ingress=web) for host in self.hosts()]

    def names(self) -> dict[str, list[str]]:
        return self._names(lambda host: host.address)

    def public_names(self) -> dict[str, list[str]]:
        return self._names(lambda host: host.public_address)

    def rows(self) -> list[Row]:
        real = ", ".join(host.id for host in self.hosts())
        running = any(self.appliances.running(host) for host in self.hosts())
        health = "ok" if running else "gateway down"
        address = " ".join(host.public_address for host in self.hosts() if host.public_address)
        backend = self._backend()
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
        """Make the gateway as the API says; make it when there is something to serve, and remove
        it when there is nothing."""
        try:
            with self._applying:  # two calls at once make one gateway
                self._match()
        except FAILURES as error:
            log.exception("the gateway")
            raise Refusal("internal", f"The gateway does not start: {error}") from error
        self._tell_certificates()

    # how

    def _backend(self):
        return self.cloud.backend("apigatewayv2")

    def _wanted(self) -> bool:
        return bool(self._backend().apis or self._backend().domain_names)

    def _match(self) -> None:
        states = self.all()
        if not self._wanted():
            for state in states:
                self.dismiss(state)
        elif states:
            with self.lock(states[0]):
                self._gateway(states[0]).configure(self._text(), self._certificates())
        else:
            self._make()

    def _make(self) -> None:
        with self.cloud.lock:
            state = GatewayState(self.appliances.create("gateway-1", VOLUME))
            self._backend().gateway = state
        with self.lock(state):
            try:
                self._listen(state)
                self._gateway(state).start(self._text(), self._certificates())
            except BaseException:
                self.dismiss(state)
                raise
            state.ready = True

    def _gateway(self, state: GatewayState) -> Gateway:
        return Gateway(self.appliances, self.authority, state.host)

    def _listen(self, state: GatewayState) -> None:
        """Be there for what the gateway's host hands on."""
        if state.host.id not in self._fronts:
            serve = self.cloud.service(Serving).serve
            self._fronts[state.host.id] = Front(self._gateway(state).socket, serve)

    def _text(self) -> str:
        return haproxy.render(TIMEOUTS[1] / 1000 + 10)

    def _certificates(self) -> Files:
        acm = self.cloud.service(Certificates)
        return {
            f"{each.domain_name}.pem": (acm.pem(_certificate(each)), (each.domain_name,))
            for each in list(self._backend().domain_names.values())
            if _complete(each)
        }

    def _names(self, address) -> dict[str, list[str]]:
        found = [address(host) for host in self.hosts() if address(host)]
        if not found:
            return {}
        backend = self._backend()
        names = [f"{each}{SUFFIX}" for each in list(backend.apis)]
        names += [_regional(each) for each in list(backend.domain_names.values())]
        return dict.fromkeys(names, found)

    def _tell_certificates(self) -> None:
        users: dict[str, list[str]] = {}
        for each in self._backend().domain_names.values():
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
