"""What a service module gives the local cloud; the middle knows services only by this."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from localcloud.firewall import Interface
from localcloud.shelves import Shelf


@dataclass(frozen=True)
class Row:
    """One AWS resource beside the real thing behind it, for `localcloud status`."""

    id: str
    kind: str
    name: str = ""
    state: str = ""
    address: str = ""
    real: str = ""
    health: str = ""


class Service:
    """A service of AWS made real. Override what applies; every method has a harmless default.

    ``cloud`` is the running :class:`localcloud.cloud.Cloud`. moto is changed by methods marked
    with :func:`localcloud.hooks.hook`. Anything that must survive a restart of the process is
    either put on moto's objects (they are saved with the API's state) or found by label.
    """

    def __init__(self, cloud):
        self.cloud = cloud

    def adopt(self) -> list[str]:
        """After a restart: take over or clean what an earlier process left; say what was done."""
        return []

    def shelves(self) -> Iterable[Shelf]:
        """Where its entries lie that are too many for the state file (`localcloud.shelves`)."""
        return ()

    def save(self) -> None:
        """Before a change is answered: write what changed on them."""

    def tidy(self) -> None:
        """After that: remove files which nothing on the disk names any more."""

    def reconcile(self) -> None:
        """Every second: bring what AWS promises and what runs together again."""

    def host_started(self, instance) -> None:
        """An EC2 instance has just been started (moto's Instance): give it what is yours."""

    def interfaces(self) -> Iterable[Interface]:
        """Network interfaces of this service's hosts, for the firewall."""
        return ()

    def memberships(self) -> dict[str, set[str]]:
        """Private address to ids of its security groups, for groups named as a rule's source."""
        return {}

    def names(self) -> dict[str, list[str]]:
        """DNS names inside the VPC (without trailing dot) and their addresses."""
        return {}

    def public_names(self) -> dict[str, list[str]]:
        """The same names as the world sees them: loopback addresses reachable from this machine."""
        return {}

    def close(self) -> None:
        """The cloud ends: let go of files."""

    def rows(self) -> list[Row]:
        """What `localcloud status` shows."""
        return []

    def hosts(self) -> Iterable:
        """Hosts that this service runs for its customers (`appliance.Host`)."""
        return ()

    def host_names(self) -> dict[str, str]:
        """What people call those hosts by what they do, such as shop:primary, to their ids."""
        return {}

    def failovers(self) -> dict[str, Callable[[], None]]:
        """What can fail over, by a name such as rds:shop, and what does it."""
        return {}

    def befall(self, kind: str, target: str) -> bool:
        """Let a function's request meet a mishap; False if ``target`` is not this service's."""
        return False

    def interrupt(self, target: str) -> bool:
        """Take Spot capacity back, with notice; False if ``target`` is not this service's."""
        return False
