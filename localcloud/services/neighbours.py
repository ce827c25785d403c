"""No service of AWS: sees to it that other firewalls of this machine let the hosts' packets by."""

from localcloud.neighbours import Neighbours
from localcloud.services.base import Service

EVERY = 5


class OtherFirewalls(Service):
    """Docker may be installed, and ufw reloaded, while the cloud runs."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._neighbours = Neighbours(cloud.settings.id)
        self._rounds = 0

    def adopt(self) -> list[str]:
        self._neighbours.settle()
        return []

    def reconcile(self) -> None:
        self._rounds += 1
        if self._rounds % EVERY == 0:
            self._neighbours.settle()
