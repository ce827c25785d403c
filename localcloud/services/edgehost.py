"""What CloudFront and API Gateway share: each serves all it has from one host on the edge."""

import logging
import threading
from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from localcloud.appliance import Host
from localcloud.authority import Authority
from localcloud.edge import EdgeAppliances
from localcloud.firewall import Interface, Rule
from localcloud.services.managed import ManagedService

log = logging.getLogger("localcloud.edge")


class EdgeService(ManagedService):
    """One host, as long as there is something to serve.

    A subclass says what is to be served and what runs on the host, which starts with a text and
    certificates, and is changed to others. The state is an attribute of moto's backend, called as
    `noun` is; it has the ``host``, and is half made until ``ready``.
    """

    ports: ClassVar[tuple[int, ...]]
    volume: ClassVar[int]
    state: ClassVar[type]

    def __init__(self, cloud):
        super().__init__(cloud)
        self.appliances = EdgeAppliances(cloud, self.recipe)
        self.authority = Authority(cloud.settings.state / "authority")
        self._applying = threading.RLock()

    # what a subclass says

    @abstractmethod
    def backend(self):
        """moto's, which keeps the state."""

    @abstractmethod
    def is_wanted(self) -> bool:
        """Whether there is something to serve."""

    @abstractmethod
    def served(self) -> Iterable[str]:
        """The names that lead to the host."""

    @abstractmethod
    def node(self, state):
        """What runs on the host: ``start(text, certificates)``, ``configure(...)``, ``haproxy``."""

    @abstractmethod
    def configuration(self, state) -> tuple[str, dict]:
        """The text, and certificates by file name with the names that they are for."""

    def prepare(self, state) -> None:
        """Be there for what the host will ask of this process."""

    # what is the same for both

    def match(self) -> None:
        """Make the host as the API says; make it when there is something to serve, and remove it
        when there is nothing."""
        with self._applying:  # two calls at once make one host
            states = self.all()
            if not self.is_wanted():
                for state in states:
                    self.dismiss(state)
            elif states:
                with self.lock(states[0]):
                    self.node(states[0]).configure(*self.configuration(states[0]))
            else:
                self._make()

    def all(self) -> list:
        found = getattr(self.backend(), self.noun, None)
        return [found] if found else []

    def name(self, state) -> str:
        return state.host.id

    def identity(self, state) -> str:
        return state.host.id

    def hosts_of(self, state) -> list[Host]:
        return [state.host]

    def unfinished(self) -> list:
        return [each for each in self.all() if not each.ready]

    def forget(self, state) -> None:
        setattr(self.backend(), self.noun, None)

    def take_over(self, state) -> None:
        self.prepare(state)

    def watch(self, state) -> None:
        if not state.ready:
            return
        self.prepare(state)
        node, configuration = self.node(state), self.configuration(state)
        if not self.appliances.running(state.host):
            log.warning("%s %s died: starting it", self.noun, state.host.id)
            node.start(*configuration)
        elif node.haproxy.ready():
            # a certificate was imported anew, or a name leads elsewhere now
            node.configure(*configuration)

    def adopt(self) -> list[str]:
        said = super().adopt()
        if self.is_wanted() and not self.all():
            self.apply()
        return said

    @abstractmethod
    def apply(self) -> None:
        """`match`, with a failure as the API says it."""

    def interfaces(self) -> list[Interface]:
        web = tuple(Rule("tcp", (port, port), ("0.0.0.0/0",)) for port in self.ports)
        return [self.appliances.interface(host, ingress=web) for host in self.hosts()]

    def names(self) -> dict[str, list[str]]:
        return self._lead([host.address for host in self.hosts()])

    def public_names(self) -> dict[str, list[str]]:
        return self._lead([host.public_address for host in self.hosts() if host.public_address])

    # how

    def _make(self) -> None:
        with self.cloud.lock:
            state = self.state(self.appliances.create(f"{self.noun}-1", self.volume))
            setattr(self.backend(), self.noun, state)
        with self.lock(state):
            try:
                self.prepare(state)
                self.node(state).start(*self.configuration(state))
            except BaseException:
                self.dismiss(state)
                raise
            state.ready = True

    def _lead(self, addresses: list[str]) -> dict[str, list[str]]:
        return dict.fromkeys(self.served(), addresses) if addresses else {}
