"""Route 53: zones answered by the resolver inside the VPC and followed by the site's door."""

from localcloud.firewall import RESOLVER
from localcloud.services.base import Row, Service

DEPTH = 8


class Route53(Service):
    """Finds records: zones first, then names that services announce."""

    def names(self) -> dict[str, list[str]]:
        return {"aws.localcloud": [RESOLVER]}

    def lookup(self, name: str, kind: str) -> list[tuple[str, str]] | None:
        """Records for a host in the VPC: (type, value), or None for a name that is not ours."""
        return self._follow(name, kind, inside=True, depth=DEPTH)

    def visit(self, name: str) -> list[str] | None:
        """Loopback addresses that ``name`` leads to from this machine; None without a record."""
        records = self._follow(name, "A", inside=False, depth=DEPTH)
        if records is None:
            return None
        return [value for kind, value in records if kind == "A"]

    def rows(self) -> list[Row]:
        rows = []
        for zone in self._zones():
            kind = "private zone" if zone.private_zone else "public zone"
            rows.append(
                Row(
                    id=zone.resource_id,
                    kind="zone",
                    name=zone.name.rstrip("."),
                    state=kind,
                    real=f"resolver at {RESOLVER}",
                    health="ok",
                )
            )
            for record in zone.rrsets:
                if record.type in ("NS", "SOA"):
                    continue
                name = record.name.rstrip(".")
                found = self.visit(name) if record.type in ("A", "CNAME") else None
                rows.append(
                    Row(
                        id=zone.resource_id,
                        kind=f"record {record.type}",
                        name=name,
                        state=kind,
                        address=" ".join(_values(record)),
                        real=" ".join(found or []),
                        health="" if found is None else "ok" if found else "leads nowhere",
                    )
                )
        return rows

    def _zones(self):
        return list(self.cloud.backend("route53", "aws").zones.values())

    def _follow(self, name, kind, inside, depth):
        """Look ``name`` up, following CNAME and alias records."""
        name = name.rstrip(".").lower()
        addresses = self.cloud.addresses(name, inside)
        if addresses is not None:
            return [("A", each) for each in addresses] if kind == "A" else []
        zone = self._zone(name, inside)
        if zone is None or depth == 0:
            return None
        result, found = [], inside  # outside, a zone without such a record is as good as none
        for record in [each for each in zone.rrsets if _matches(each.name, name)]:
            if record.type == "CNAME" and kind != "CNAME":
                target = record.records[0].rstrip(".")
                return [("CNAME", target), *(self._follow(target, kind, inside, depth - 1) or [])]
            if record.type != kind:
                continue
            found = True
            if record.alias_target:
                target = record.alias_target["DNSName"].removeprefix("dualstack.")
                result += self._follow(target, kind, inside, depth - 1) or []
            else:
                result += [(kind, self._address(value, inside)) for value in record.records]
        return result if found else None

    def _zone(self, name: str, inside: bool):
        """The zone with the longest name that ends ``name``; private ones are seen inside only."""
        zones = [
            zone
            for zone in self._zones()
            if (inside or not zone.private_zone)
            and (name == zone.name.rstrip(".") or name.endswith("." + zone.name.rstrip(".")))
        ]
        return max(zones, key=lambda zone: (len(zone.name), zone.private_zone), default=None)

    def _address(self, value: str, inside: bool) -> str:
        """A public address leads a host in the VPC to the private one behind it."""
        if inside and value.startswith("127."):
            for interface in self.cloud.backend("ec2").enis.values():
                if interface.public_ip == value:
                    return interface.private_ip_address
        return value


def _matches(record_name: str, name: str) -> bool:
    record_name = record_name.rstrip(".").lower().replace("\\052", "*")
    if record_name.startswith("*."):
        return name.endswith(record_name[1:])
    return record_name == name


def _values(record) -> list[str]:
    if record.alias_target:
        return [f"alias {record.alias_target['DNSName']}"]
    return list(record.records)
