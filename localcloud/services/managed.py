"""What services that run hosts for their customers share: RDS, load balancers and their like."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar

import psycopg

from localcloud.appliance import Appliances, Host, Recipe
from localcloud.engine import EngineError
from localcloud.firewall import Interface
from localcloud.network import NetworkError
from localcloud.services.base import Service
from localcloud.shell import CommandError

log = logging.getLogger("localcloud.managed")


class HostError(RuntimeError):
    """What runs on a host did not do what was asked; the message says why."""


FAILURES = (HostError, EngineError, NetworkError, CommandError, OSError, psycopg.Error)
"""Whatever can go wrong with a host, its network, its volume or what runs on it."""


class ManagedService(Service, ABC):
    """A service whose resources have hosts (`appliance.Host`) behind them.

    A subclass says which resources there are and which hosts are behind each; adoption after a
    restart, the sweep of hosts that nothing names, locks, and the watch that one bad resource
    cannot stop for the others are here. ``recipe`` is the image of the hosts, ``noun`` what people
    call a resource.
    """

    recipe: ClassVar[Recipe]
    noun: ClassVar[str]

    def __init__(self, cloud):
        super().__init__(cloud)
        self.appliances = Appliances(cloud, self.recipe)
        self._locks: dict[str, threading.RLock] = {}
        self._jobs: dict[str, threading.Thread] = {}

    # what a subclass says

    @abstractmethod
    def all(self) -> list:
        """moto's resources that have hosts."""

    @abstractmethod
    def name(self, resource) -> str:
        """What its owner calls it."""

    @abstractmethod
    def identity(self, resource) -> str:
        """What stays the same when it is renamed."""

    @abstractmethod
    def hosts_of(self, resource) -> list[Host]:
        """The hosts behind it."""

    @abstractmethod
    def unfinished(self) -> list:
        """Resources whose making was cut off: the call was never answered."""

    @abstractmethod
    def forget(self, resource) -> None:
        """Take it out of the API's answers."""

    @abstractmethod
    def watch(self, resource) -> None:
        """Look at it once a second, holding its lock, and take a step if something is wrong."""

    def take_over(self, resource) -> None:
        """After a restart: bring hosts that ran on without this process to what is known."""

    # what is the same for all

    def lock(self, resource) -> threading.RLock:
        return self._locks.setdefault(self.identity(resource), threading.RLock())

    def remove(self, resource) -> None:
        """Remove the hosts with their volumes and addresses."""
        for host in self.hosts_of(resource):
            self.appliances.remove(host)

    def dismiss(self, resource) -> None:
        """Remove what its owner wants no more. The watch, which would start its hosts again, is
        kept off meanwhile and does not look at it afterwards."""
        with self.lock(resource):
            self.remove(resource)
            self.forget(resource)

    def work(self, key: str, job: Callable[[], None]) -> bool:
        """Run what takes long beside the reconciler; False while the same still runs."""
        running = self._jobs.get(key)
        if running and running.is_alive():
            return False

        def run():
            try:
                job()
            except FAILURES as error:
                log.warning("%s: %s", key, error)
            except Exception:
                log.exception("%s", key)
            finally:
                self.cloud.settle()

        self._jobs[key] = threading.Thread(target=run, name=key, daemon=True)
        self._jobs[key].start()
        return True

    def adopt(self) -> list[str]:
        self.appliances.warm()
        said = []
        for resource in self.unfinished():
            self.dismiss(resource)
            said.append(f"removed {self.noun} {self.name(resource)}: it was half made")
        for resource in self.all():
            name = self.name(resource)
            try:
                self.take_over(resource)
            except FAILURES as error:
                log.warning("%s: %s", name, error)
            except Exception:  # one that is odd must not keep all others from being there
                log.exception("%s", name)
            said.append(f"adopted {self.noun} {name}")
        return said + self._sweep()

    def _sweep(self) -> list[str]:
        """Remove hosts that no resource has, and volumes: their API call was never answered."""
        engine, storage, prefix = self.cloud.engine, self.cloud.storage, self.recipe.prefix
        there = {
            name
            for name, container in engine.containers().items()
            if container.labels.get("kind") == self.recipe.name
        }
        there |= storage.mounted_hosts(prefix) | storage.volume_ids(prefix)
        unknown = sorted(there - {host.id for host in self.hosts()})
        for name in unknown:
            engine.remove(name)
            storage.unmount_root(name, name)
            storage.delete(name)
        return [f"removed {self.noun} host {name}: the API does not know it" for name in unknown]

    def reconcile(self) -> None:
        for resource in self.all():
            lock = self.lock(resource)
            if not lock.acquire(blocking=False):
                continue
            try:
                if any(each is resource for each in self.all()):  # it may have gone meanwhile
                    self.watch(resource)
            except FAILURES as error:
                log.warning("%s: %s", self.name(resource), error)
            except Exception:  # one bad resource must not keep the others from being looked after
                log.exception("%s", self.name(resource))
            finally:
                lock.release()

    def hosts(self) -> list[Host]:
        return [host for resource in self.all() for host in self.hosts_of(resource)]

    def interfaces(self) -> Iterable[Interface]:
        return [seen for host in self.hosts() if (seen := self.appliances.interface(host))]
