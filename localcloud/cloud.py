"""The running local cloud: the drivers, the services, and what they share."""

import logging
import threading
import time
from pathlib import Path

from moto.backends import get_backend

from localcloud import firewall, hooks, services, state
from localcloud.engine import Podman
from localcloud.faults import Faults
from localcloud.lxcfs import Lxcfs
from localcloud.network import Network
from localcloud.settings import ACCOUNT, REGION, Settings
from localcloud.shelves import Store
from localcloud.state import State
from localcloud.storage import Storage

log = logging.getLogger("localcloud")


class Cloud:
    """Everything behind one API endpoint.

    ``base_image`` is the directory of the Debian image; ``ports`` are where this process's own
    servers listen, set before hosts start.
    """

    def __init__(self, settings: Settings, base_image: Path, engine=None, network=None,
                 storage=None, lxcfs=None, apply_firewall=firewall.apply):  # fmt: skip
        self.settings = settings
        self.base_image = base_image
        self.engine = engine or Podman(settings.id, settings.state / "engine")
        self.network = network or Network(settings.id)
        self.storage = storage or Storage(settings.state)
        self.lxcfs = lxcfs or Lxcfs(settings.state)
        self.ports: firewall.Services | None = None
        self.lock = threading.RLock()
        self.isolated: set[str] = set()
        self.faults = Faults(self)
        self.adopted: list[str] = []
        self.state = State(settings.state / "api.pickle")
        self.store = Store(settings.state / "entries.sqlite", state.pickled, state.unpickled)
        self._apply_firewall = apply_firewall
        self._firewall_script = ""
        self.services = [service(self) for service in services.discover()]
        self._uninstall = [hooks.install(service) for service in self.services]

    def backend(self, service: str, region: str = REGION):
        """moto's backend of ``service`` ("ec2"); global services live in region "global"."""
        return get_backend(service)[ACCOUNT][region]

    def service(self, cls: type[services.Service]):
        """The running object of a service's class, for services that build on another."""
        return next(each for each in self.services if type(each) is cls)

    def adopt(self) -> list[str]:
        """Take over what an earlier process left; say what was done about each thing."""
        said = self.state.load()
        self.storage.clean()
        said += self.faults.load()
        said += [line for service in self.services for line in service.adopt()]
        self.store.keep_only(shelf for service in self.services for shelf in service.shelves())
        return said

    def settle(self) -> None:
        """Make the firewall and the disk say what the API says; runs before a change's answer."""
        with self.lock:
            interfaces = [each for service in self.services for each in service.interfaces()]
            script = firewall.render(self.settings.id, interfaces, self.ports)
            if script != self._firewall_script:
                self._apply_firewall(script)
                self._firewall_script = script
            self.save()

    def save(self) -> None:
        """Put on disk at once what must be known should this process die in the next moment."""
        with self.lock:
            for service in self.services:
                service.save()
            self.state.save()
            for service in self.services:
                service.tidy()

    def save_entries(self) -> None:
        """The same after a call that changed entries of shelves only: there may be many a second.

        Files that nothing names any more are left to the next call, or second: what is on the disk
        of other calls may name them yet.
        """
        with self.lock:
            for service in self.services:
                service.save()

    def reconcile(self) -> None:
        """One round; a service that fails is logged and tried again in the next."""
        for service in self.services:
            try:
                service.reconcile()
            except Exception:
                log.exception("reconcile %s", type(service).__name__)
        try:
            self.faults.expire()
            self.faults.refresh()
            self.settle()
        except Exception:
            log.exception("settle")

    def run_reconciler(self, stop: threading.Event, seconds: float = 1.0) -> None:
        while not stop.wait(seconds):
            started = time.monotonic()
            self.reconcile()
            if time.monotonic() - started > 5:
                log.warning("a round took %.1f s", time.monotonic() - started)

    def addresses(self, name: str, inside: bool = True) -> list[str] | None:
        """Addresses of a name that a service announces, as hosts or as the world see it.

        A service that cannot tell hides no other's names; that there is no such name, nobody says
        then.
        """
        failure = None
        for service in self.services:
            try:
                names = service.names() if inside else service.public_names()
            except Exception as error:
                log.exception("names of %s", type(service).__name__)
                failure = error
                continue
            if name in names:
                return names[name]
        if failure:
            raise failure
        return None

    def rows(self) -> list[services.base.Row]:
        """What runs; a service that cannot tell is a row that says so, and hides no other."""
        rows = []
        for service in self.services:
            try:
                rows += service.rows()
            except Exception as error:
                name = type(service).__name__
                log.exception("status of %s", name)
                rows.append(
                    services.base.Row(
                        id=name, kind="service", health=f"unknown: {type(error).__name__}: {error}"
                    )
                )
        return rows

    def close(self) -> None:
        """Take our hooks out of moto again."""
        for service in self.services:
            service.close()
        self.store.close()
        for uninstall in reversed(self._uninstall):
            uninstall()
