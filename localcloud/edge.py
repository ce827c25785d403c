"""The edge: a network outside every VPC, for hosts that are nobody's in particular (CloudFront).

From there only what is public can be reached, through the security groups of whoever is public,
and the API at the address that hosts use. Visitors come by a loopback address, as to every public
address of this cloud; hosts in a VPC need a way out.
"""

import ipaddress

from localcloud import firewall, registry
from localcloud.appliance import Appliances, Host
from localcloud.firewall import Interface, Rule
from localcloud.services.network import Interfaces


class EdgeAppliances(Appliances):
    """Hosts on the edge. They have no network interface in EC2, since they are in no account."""

    def create(self, name: str, size: int, public: bool = True) -> Host:
        """Reserve an address for a new host; nothing runs yet."""
        used = {host.address for service in self.cloud.services for host in service.hosts()}
        # the first address is this machine's side
        free = [str(each) for each in list(self._network.hosts())[1:] if str(each) not in used]
        if not free:
            raise OSError(f"every address of the edge {self._network} is taken")
        return Host(
            id=name,
            kind=self.recipe.name,
            interface_id=f"edge-{int(ipaddress.ip_address(free[0])):09x}",
            address=free[0],
            zone="edge",
            size=size,
            public_address=self.cloud.service(Interfaces).free_address() if public else None,
        )

    def interface(self, host: Host, ingress: tuple[Rule, ...] = (),
                  egress: tuple[Rule, ...] = ()) -> Interface:  # fmt: skip
        return firewall.Interface(
            id=host.interface_id,
            address=host.address,
            vpc="edge",
            ingress=ingress,
            egress=(Rule("-1", None, ("0.0.0.0/0",)), *egress),
            public=(host.public_address,) if host.public_address else (),
            edge=True,
            isolated=host.address in self.cloud.isolated,
        )

    def set_groups(self, host: Host, groups: list[str]) -> None:
        raise TypeError("nothing on the edge has security groups")

    def _plug(self, host: Host) -> str:
        number = int(ipaddress.ip_address(host.address))
        mac = "02:ed:" + ":".join(f"{number >> shift & 0xFF:02x}" for shift in (24, 16, 8, 0))
        return self.cloud.network.plug(host.interface_id, host.address, str(self._network), mac)

    def _release(self, host: Host) -> None:
        """The address is free when the host is no longer known."""

    @property
    def _network(self) -> ipaddress.IPv4Network:
        return registry.edge_block(self.cloud.settings.id)
