"""Faults on purpose, for drills: each is started by one command and undone by one.

A fault does to the real thing what an accident would do; what the API, the balancers and the
databases make of it is theirs. Faults are kept in the state directory, so a restart of the local
cloud does not heal them.
"""

import dataclasses
import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from localcloud import shell

log = logging.getLogger("localcloud.faults")

KINDS = {
    "kill": "end a host at once, as when its machine loses power",
    "freeze": "stop a host's processes; connections to it hang",
    "isolate": "cut a host off the network",
    "zone-down": "cut a whole zone off the network; EC2 has no hosts there either",
    "slow": "limit what a host sends and receives to --rate Mbit/s, with --delay milliseconds",
    "fill-disk": "fill a host's volume, but for --leave MiB",
    "unavailable": "let S3, or one bucket of it, answer 503 (target: s3, or the bucket's name)",
    "throttle": "let DynamoDB throttle every read and write (target: dynamodb, or a table of it)",
    "no-capacity": "let EC2 have no more hosts (target: spot, an instance type or a zone)",
    "spot-interrupt": "take Spot hosts back in two minutes (target: one, or a group: all its "
    "Spot hosts; there is nothing to undo)",
    "crash": "end a function's process in the middle of a request (target: a function; there is "
    "nothing to undo)",
    "hang": "stop a function's process in the middle of a request, so that it runs out of time "
    "(target: a function; there is nothing to undo)",
    "exhaust": "fill a function's memory in the middle of a request, until the kernel ends it "
    "(target: a function; there is nothing to undo)",
    "failover": "fail a Multi-AZ database or a cache over (there is nothing to undo)",
}
RATE = 1.0
FILLER = "filled-by-a-fault"


class FaultError(Exception):
    """The fault cannot be made; the message says what to do instead."""


@dataclass
class Fault:
    """One fault that is in effect. ``host`` is the id of the host it is on, if it is on one."""

    id: str
    kind: str
    target: str
    host: str = ""
    options: dict[str, float] = field(default_factory=dict)
    until: float = 0.0
    """When it is undone without being asked to, if it is: of the clock."""


@dataclass(frozen=True)
class Machine:
    """A host that a fault can be on."""

    id: str
    names: tuple[str, ...]
    address: str
    interface_id: str
    ec2: bool


class Faults:
    """The faults of one local cloud."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.file = cloud.settings.state / "faults.json"
        self.active: list[Fault] = []

    def load(self) -> list[str]:
        """After a restart: what was broken stays so."""
        if self.file.exists():
            self.active = [Fault(**each) for each in json.loads(self.file.read_text())]
        self.refresh()
        return [f"fault {each.id}: {each.kind} {each.target}" for each in self.active]

    def refresh(self) -> None:
        """Cut off hosts that have come into a zone that is down."""
        isolated = {each.host for each in self.active if each.kind == "isolate"}
        zones = {each.target for each in self.active if each.kind == "zone-down"}
        self.cloud.isolated = {each.address for each in self.machines() if each.id in isolated} | {
            interface.private_ip_address
            for interface in list(self.cloud.backend("ec2").enis.values())
            if interface.subnet.availability_zone in zones
        }

    def start(self, kind: str, target: str, **options: float) -> Fault | None:
        """Make a fault; return it, or None for one that leaves nothing to undo."""
        if kind not in KINDS:
            raise FaultError(f"There is no fault {kind}: {', '.join(KINDS)}")
        if kind in self._events:
            self._events[kind](self, kind, target)
            self.cloud.settle()
            return None
        fault = Fault(self._free_id(kind), kind, target, options=options)
        if seconds := options.get("seconds"):
            fault.until = time.time() + seconds
        machine = None
        if kind in self._checks:
            self._checks[kind](self, target)
        else:
            machine = self._machine(target)
            fault.host = machine.id
        if any(
            each.kind == kind and (each.host or each.target) == (fault.host or target)
            for each in self.active
        ):
            raise FaultError(f"{target} has that fault already")
        if machine:
            self._starters[kind](self, machine, options)
        self.active.append(fault)
        self._changed()
        log.warning("fault %s: %s %s", fault.id, kind, target)
        return fault

    def heal(self, fault_id: str | None = None) -> list[Fault]:
        """Undo one fault, or all; return those undone."""
        chosen = [each for each in self.active if fault_id in (None, each.id)]
        if fault_id and not chosen:
            listed = ", ".join(each.id for each in self.active) or "there are none"
            raise FaultError(f"There is no fault {fault_id}: {listed}")
        for fault in chosen:
            self.active.remove(fault)
            self._changed()
            machine = next((each for each in self.machines() if each.id == fault.host), None)
            undo = self._enders.get(fault.kind)
            if machine and undo:
                undo(self, machine)
            log.warning("healed %s: %s %s", fault.id, fault.kind, fault.target)
        return chosen

    def expire(self) -> None:
        """Undo those whose time is over."""
        for fault in [each for each in self.active if 0 < each.until < time.time()]:
            with suppress(FaultError):  # somebody was faster
                self.heal(fault.id)

    def answer(self, request: dict) -> list[dict]:
        """A command of `localcloud fault` or `heal`; the faults made or healed."""
        if request["action"] == "heal":
            done = self.heal(request.get("id"))
        else:
            made = self.start(request["kind"], request["target"], **request["options"])
            done = [made] if made else []
        return [dataclasses.asdict(each) for each in done]

    def targets(self, kind: str) -> set[str]:
        """What has a fault of this kind."""
        return {each.target for each in self.active if each.kind == kind}

    def machines(self) -> list[Machine]:
        """Every host there is: instances, and those that services run."""
        found = []
        for instance in self.cloud.backend("ec2").all_instances():
            if instance.state != "terminated":
                tags = {each["key"]: each["value"] for each in instance.get_tags()}
                names = (instance.id, tags.get("Name", ""), instance.private_ip)
                found.append(
                    Machine(instance.id, names, instance.private_ip, instance.nics[0].id, True)
                )
        for service in self.cloud.services:
            called = service.host_names()
            for host in service.hosts():
                others = [name for name, identity in called.items() if identity == host.id]
                names = (host.id, host.address, *others)
                found.append(Machine(host.id, names, host.address, host.interface_id, False))
        return found

    # each fault

    def _kill(self, machine: Machine, options: dict) -> None:
        self.cloud.engine.kill(machine.id)

    def _revive(self, machine: Machine) -> None:
        """Start an instance again; services look after their own hosts."""
        if machine.ec2:
            backend = self.cloud.backend("ec2")
            if backend.get_instance(machine.id).state == "running":
                for service in self.cloud.services:
                    service.reconcile()  # the death may not have been noticed yet
            if backend.get_instance(machine.id).state == "stopped":
                backend.start_instances([machine.id])

    def _freeze(self, machine: Machine, options: dict) -> None:
        self.cloud.engine.pause(machine.id)

    def _thaw(self, machine: Machine) -> None:
        if self._runs(machine):
            self.cloud.engine.unpause(machine.id)

    def _isolate(self, machine: Machine, options: dict) -> None:
        """The address joins the firewall's set when the fault is listed."""

    def _slow(self, machine: Machine, options: dict) -> None:
        device = self.cloud.network.device(machine.interface_id)
        namespace = self.cloud.network.namespace(machine.interface_id)
        rate, delay = options.get("rate") or RATE, options.get("delay") or 0
        shape = ["tbf", "rate", f"{rate:g}mbit", "burst", "32kbit", "latency", "500ms"]
        if delay:
            shape = ["netem", "delay", f"{delay:g}ms", "rate", f"{rate:g}mbit"]
        try:
            for where in (["-n", namespace], []):
                name = "eth0" if where else device
                shell.run("tc", *where, "qdisc", "replace", "dev", name, "root", *shape)
        except shell.CommandError as error:
            self._hasten(machine)
            if delay:
                raise FaultError(
                    "This machine's kernel cannot delay packets (it has no sch_netem): "
                    "use --rate without --delay"
                ) from error
            raise FaultError(str(error)) from error

    def _hasten(self, machine: Machine) -> None:
        device = self.cloud.network.device(machine.interface_id)
        namespace = self.cloud.network.namespace(machine.interface_id)
        shell.run("tc", "qdisc", "delete", "dev", device, "root", check=False)
        shell.run("tc", "-n", namespace, "qdisc", "delete", "dev", "eth0", "root", check=False)

    def _fill(self, machine: Machine, options: dict) -> None:
        volume = self._volume(machine)
        leave = int(options.get("leave") or 0) << 20
        chunk = shutil.disk_usage(volume).free
        with (volume / FILLER).open("wb") as file:
            # what is free counts blocks that the file system keeps for itself
            while chunk >= 1 << 20:
                chunk = min(chunk, shutil.disk_usage(volume).free - leave)
                try:
                    if chunk > 0:
                        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), chunk)
                except OSError:
                    chunk //= 2

    def _empty(self, machine: Machine) -> None:
        (self._volume(machine) / FILLER).unlink(missing_ok=True)

    def _fail_over(self, kind: str, target: str) -> None:
        known = {
            name: act for each in self.cloud.services for name, act in each.failovers().items()
        }
        found = [name for name in known if target in (name, name.partition(":")[2])]
        if len(found) != 1:
            listed = ", ".join(sorted(found or known)) or "there is nothing that could"
            what = f"{target} names several" if found else f"Nothing called {target} can fail over"
            raise FaultError(f"{what}: {listed}")
        try:
            known[found[0]]()
        except Exception as error:  # the service's own kind, of the API or the machine
            raise FaultError(getattr(error, "message", str(error))) from error

    def _interrupt(self, kind: str, target: str) -> None:
        if not any(service.interrupt(target) for service in self.cloud.services):
            raise FaultError(
                f"There is no running host or group {target}: `localcloud status` lists them"
            )

    def _befall(self, kind: str, target: str) -> None:
        if not any(service.befall(kind, target) for service in self.cloud.services):
            raise FaultError(f"There is no function {target}: `localcloud status` lists them")

    def _check_capacity(self, target: str) -> None:
        # Here, since it takes a second, and every command of `localcloud` imports this module.
        from moto.ec2.models.instance_types import INSTANCE_TYPES

        zones = {each.name for each in self.cloud.backend("ec2").describe_availability_zones()}
        if target not in {"spot", *INSTANCE_TYPES, *zones}:
            raise FaultError(f"{target} is neither spot nor an instance type nor a zone")

    def _check_zone(self, zone: str) -> None:
        zones = {each.subnet.availability_zone for each in self.cloud.backend("ec2").enis.values()}
        if zone not in zones:
            listed = ", ".join(sorted(zones)) or "there are no hosts"
            raise FaultError(f"There are no hosts in zone {zone}: {listed}")

    def _check_bucket(self, target: str) -> None:
        buckets = self.cloud.backend("s3", "aws").buckets
        if target not in ("s3", *buckets):
            listed = ", ".join(sorted(buckets)) or "there is none"
            raise FaultError(f"There is no bucket {target}: {listed}; s3 is all of them")

    def _check_table(self, target: str) -> None:
        tables = self.cloud.backend("dynamodb").tables
        if target != "dynamodb" and target.removeprefix("dynamodb:") not in tables:
            listed = ", ".join(sorted(tables)) or "there is none"
            raise FaultError(f"There is no table {target}: {listed}; dynamodb is all of them")

    # of faults that are on no host: whether the target is there
    _checks: ClassVar[dict[str, Callable]] = {
        "zone-down": _check_zone,
        "unavailable": _check_bucket,
        "throttle": _check_table,
        "no-capacity": _check_capacity,
    }
    # what happens once, and leaves nothing to undo
    _events: ClassVar[dict[str, Callable]] = {
        "failover": _fail_over,
        "spot-interrupt": _interrupt,
        "crash": _befall,
        "hang": _befall,
        "exhaust": _befall,
    }
    _starters: ClassVar[dict[str, Callable]] = {
        "kill": _kill,
        "freeze": _freeze,
        "isolate": _isolate,
        "slow": _slow,
        "fill-disk": _fill,
    }
    _enders: ClassVar[dict[str, Callable]] = {
        "kill": _revive,
        "freeze": _thaw,
        "slow": _hasten,
        "fill-disk": _empty,
    }

    # how

    def _machine(self, target: str) -> Machine:
        found = [each for each in self.machines() if target and target in each.names]
        if not found:
            raise FaultError(f"There is no host {target}: `localcloud status` lists them")
        if len(found) > 1:
            listed = ", ".join(each.id for each in found)
            raise FaultError(f"{target} names several hosts: {listed}")
        if not self._runs(found[0]):
            raise FaultError(f"{target} does not run")
        return found[0]

    def _runs(self, machine: Machine) -> bool:
        state = self.cloud.engine.containers().get(machine.id)
        return bool(state and state.running)

    def _volume(self, machine: Machine) -> Path:
        return self.cloud.storage.upper(machine.id).parent

    def _free_id(self, kind: str) -> str:
        taken = {each.id for each in self.active}
        return next(name for n in range(1, 1000) if (name := f"{kind}-{n}") not in taken)

    def _changed(self) -> None:
        self.refresh()
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps([dataclasses.asdict(each) for each in self.active]))
        part.rename(self.file)
        self.cloud.settle()
