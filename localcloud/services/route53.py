"""Route 53: zones answered by the resolver inside the VPC and followed by the site's door."""

import ipaddress
import random

from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend
from moto.route53.responses import Route53 as Route53Response

from localcloud.dns import Answer
from localcloud.firewall import RESOLVER
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.pace.pace import Pace
from localcloud.settings import REGION

DEPTH = 8
# Ways of choosing an answer that need to know where the asker is, or how a target does.
UNSUPPORTED = ("GeoLocation", "GeoProximityLocation", "CidrRoutingConfig", "HealthCheckId",
               "Failover")  # fmt: skip


class Route53(Service):
    """Finds records: names that services announce first, then zones."""

    def names(self) -> dict[str, list[str]]:
        return {"aws.localcloud": [RESOLVER]}

    def answer(self, name: str, kind: str, client: str | None = None) -> Answer | None:
        """What the host with this address is told, or None for a name that is not ours."""
        return self._follow(name, kind, True, self._vpc(client), DEPTH)

    def lookup(self, name: str, kind: str) -> list[tuple[str, str]] | None:
        """Records for any host: (type, value), or None for a name that is not ours."""
        found = self._follow(name, kind, True, None, DEPTH)
        return found and found.records

    def visit(self, name: str) -> list[str] | None:
        """Loopback addresses that ``name`` leads to from this machine; None without a record."""
        found = self._follow(name, "A", False, None, DEPTH)
        if found is None or not found.records:
            # outside, a zone without such a record is as good as none
            return None
        return [value for kind, value in found.records if kind == "A"]

    def published(self, name: str, kind: str) -> list[str]:
        """What the world finds: values of the record in its public zone."""
        name = _plain(name)
        zone = self._zone(name, False, None)
        return [v for r in self._records(zone, name) or () if r.type == kind for v in _texts(r)]

    @hook(Route53Backend, "change_resource_record_sets", "self, zoneid, change_list")
    def change(self, original, backend, zoneid, change_list):
        """All changes or none, and only such as Route 53 takes and this resolver answers."""
        zone = backend.get_hosted_zone(zoneid)
        before, journal = list(zone.rrsets), list(zone.rr_changes)
        _check(zone, change_list)
        deleted = {
            _key(each["ResourceRecordSet"]) for each in change_list if each["Action"] == "DELETE"
        }
        try:
            original(backend, zoneid, change_list)
        except Exception:
            zone.rrsets[:] = before
            zone.rr_changes[:] = journal
            raise
        # moto deletes by SetIdentifier whatever the name is
        there = {_key_of(each) for each in zone.rrsets}
        zone.rrsets += [
            each for each in before if each.set_identifier and _key_of(each) not in deleted | there
        ]
        self.cloud.service(Pace).changed(zone, before)

    @hook(Route53Response, "change_resource_record_sets", "self")
    def changing(self, original, response):
        return self._pending(original(response))

    @hook(Route53Response, "get_change", "self")
    def change_of(self, original, response):
        return self._pending(original(response))

    def _pending(self, answer):
        """A change is in sync when all name servers answer it."""
        if self.cloud.service(Pace).spreads():
            answer.result["ChangeInfo"]["Status"] = "PENDING"
        return answer

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

    def _vpc(self, client: str | None) -> str | None:
        """The VPC of the host with this private address."""
        for interface in list(self.cloud.backend("ec2").enis.values()):
            if client and interface.private_ip_address == client:
                return interface.subnet.vpc_id
        return None

    def _follow(self, name, kind, inside, vpc, depth) -> Answer | None:
        """Look ``name`` up, following CNAME and alias records."""
        name = _plain(name)
        addresses = self.cloud.addresses(name, inside)
        if addresses is not None:
            return Answer([("A", each) for each in addresses] if kind == "A" else [])
        zone = self._zone(name, inside, vpc)
        if zone is None or depth == 0:
            return None
        found = self._records(zone, name)
        soa = _soa(zone)
        if found is None:
            return Answer([], exists=False, authority=soa)
        records = []
        cname = _chosen([each for each in found if each.type == "CNAME"])
        if cname and kind != "CNAME":
            target = _plain(_texts(cname[0])[0])
            rest = self._follow(target, kind, inside, vpc, depth - 1)
            records = [("CNAME", target), *(rest.records if rest else [])]
            return Answer(records, authority=soa, ends_at=target if rest is None else "")
        for record in _chosen([each for each in found if each.type == kind]):
            if record.alias_target:
                target = record.alias_target["DNSName"].removeprefix("dualstack.")
                rest = self._follow(target, kind, inside, vpc, depth - 1)
                records += rest.records if rest else []
            else:
                records += [(kind, self._address(value, inside)) for value in _texts(record)]
        return Answer(records, authority=soa)

    def _records(self, zone, name: str) -> list | None:
        """What the zone's name servers have of a name; None without such a zone or name."""
        if zone is None:
            return None
        return _named(self.cloud.service(Pace).records(zone), _plain(zone.name), name)

    def _zone(self, name: str, inside: bool, vpc: str | None):
        """The zone with the longest name that ends ``name``, if it is seen there."""
        zones = [
            zone
            for zone in self._zones()
            if (not zone.private_zone or (inside and _seen(zone, vpc)))
            and (name == _plain(zone.name) or name.endswith("." + _plain(zone.name)))
        ]
        return max(zones, key=lambda zone: (len(zone.name), zone.private_zone), default=None)

    def _address(self, value: str, inside: bool) -> str:
        """A public address leads a host in the VPC to the private one behind it."""
        if inside and value.startswith("127."):
            for interface in list(self.cloud.backend("ec2").enis.values()):
                if interface.public_ip == value:
                    return interface.private_ip_address
        return value


def _soa(zone) -> str:
    """The zone's name and the value of its SOA record."""
    for record in zone.rrsets:
        if record.type == "SOA":
            return f"{zone.name} {_texts(record)[0]}"
    return ""


def _plain(name: str) -> str:
    return name.rstrip(".").lower().replace("\\052", "*")


def _seen(zone, vpc: str | None) -> bool:
    """Whether a private zone answers in this VPC; without one named it does in any."""
    return vpc is None or any(each.get("vpc_id") == vpc for each in zone.vpcs)


def _named(records: list, apex: str, name: str) -> list | None:
    """Those of a name, of every type; None when the zone has no such name."""
    there: dict[str, list] = {}
    for record in records:
        there.setdefault(_plain(record.name), []).append(record)

    def exists(wanted: str) -> bool:
        return wanted in there or any(each.endswith(f".{wanted}") for each in there)

    if exists(name):
        return there.get(name, [])
    # a wildcard stands for what its parent has not, and not for what is below another name
    while name != apex and "." in name:
        name = name.partition(".")[2]
        if f"*.{name}" in there:
            return there[f"*.{name}"]
        if exists(name):
            return None
    return None


def _chosen(records: list) -> list:
    """Of records that share name and type, those that this answer has."""
    weighted = [each for each in records if each.weight is not None]
    if weighted:
        weights = [int(each.weight) for each in weighted]
        return random.choices(weighted, weights if any(weights) else None)  # noqa: S311
    regional = [each for each in records if each.region]
    if regional:
        return [each for each in regional if each.region == REGION][:1] or regional[:1]
    if any(each.multi_value_answer for each in records):
        return random.sample(records, min(8, len(records)))
    return records


def _texts(record) -> list[str]:
    """A record's values; moto's own ones, a new zone's, are not taken apart."""
    return [each["Value"] if isinstance(each, dict) else each for each in record.records]


def _values(record) -> list[str]:
    if record.alias_target:
        return [f"alias {record.alias_target['DNSName']}"]
    return _texts(record)


def _key(record_set: dict) -> tuple:
    return _plain(record_set["Name"]), record_set["Type"], record_set.get("SetIdentifier")


def _key_of(record) -> tuple:
    return _plain(record.name), record.type, record.set_identifier


def _check(zone, changes) -> None:
    """Refuse a batch that Route 53 would, or whose answers would not be what was asked for."""
    there = {_key_of(each) for each in zone.rrsets}
    for each in changes:
        action, wanted = each["Action"], each["ResourceRecordSet"]
        key = name, kind, _ = _key(wanted)
        if action == "DELETE":
            if key not in there:
                raise _bad_batch(
                    f"[Tried to delete resource record set [name='{name}.', type='{kind}'] but it "
                    "was not found]"
                )
            there.discard(key)
            continue
        for feature in UNSUPPORTED:
            if wanted.get(feature):
                raise Route53ClientError(
                    "InvalidInput", f"This local cloud answers no records with {feature}."
                )
        if action == "CREATE" and key in there:
            raise _bad_batch(
                f"[Tried to create resource record set [name='{name}.', type='{kind}'] but it "
                "already exists]"
            )
        there.add(key)
        if kind == "CNAME" and name == _plain(zone.name):
            raise _bad_batch(
                f"[RRSet of type CNAME with DNS name {name}. is not permitted at apex in zone "
                f"{zone.name}]"
            )
        if len({other for at, other, _ in there if at == name} - {kind}) and "CNAME" in {
            kind, *(other for at, other, _ in there if at == name)
        }:  # fmt: skip
            raise _bad_batch(
                f"[RRSet of type {kind} with DNS name {name}. is not permitted as it conflicts "
                f"with other records with the same DNS name in zone {zone.name}]"
            )
        for record in wanted.get("ResourceRecords") or ():
            _check_value(kind, record["Value"])


def _check_value(kind: str, value: str) -> None:
    classes = {"A": ipaddress.IPv4Address, "AAAA": ipaddress.IPv6Address}
    try:
        classes.get(kind, str)(value)
    except ValueError:
        raise _bad_batch(
            f"[Invalid Resource Record: '{value}' is not a valid value of type {kind}]"
        ) from None


def _bad_batch(message: str) -> Route53ClientError:
    return Route53ClientError("InvalidChangeBatch", message)
