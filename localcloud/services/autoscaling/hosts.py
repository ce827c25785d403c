"""Launches and terminations, which take a second or two: they run beside the reconciler."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from moto.core.exceptions import ServiceException
from moto.ec2.models.instances import Instance

from localcloud.services.autoscaling import activities, configuration
from localcloud.services.autoscaling.activities import at, together
from localcloud.services.autoscaling.model import ASG_NAME_TAG, Group, Member, Origin
from localcloud.services.background import threads

log = logging.getLogger("localcloud.autoscaling")

AT_ONCE = 3
NO_CAPACITY = ("InsufficientInstanceCapacity", "UnfulfillableCapacity")
RETRY, LONGEST_RETRY = 5, 60
BALANCE = "balance"  # why an instance comes before another one goes


@dataclass(frozen=True)
class Pool:
    """Where an instance may come from."""

    zone: str
    subnet: str | None
    origin: Origin


@dataclass(eq=False)
class Launch:
    """One instance on its way; ``pools`` are tried in their order."""

    group: Group
    pools: list[Pool]
    cause: str
    extra: str = ""
    replaces: Member | None = None

    @property
    def orphaned(self) -> bool:
        """Whether what it comes for has gone already."""
        old = self.replaces
        return old is not None and (old.leaving or old not in self.group.members)

    @property
    def zone(self) -> str:
        return self.pools[0].zone

    @property
    def spot(self) -> bool:
        return self.pools[0].origin.spot


class Hosts:
    """``run`` takes what takes long to a thread; ``clock`` gives the time."""

    def __init__(self, cloud, lock, clock):
        self._cloud, self._lock, self._clock = cloud, lock, clock
        self.run: Callable[[Callable[[], None]], None] = threads("autoscaling", AT_ONCE)
        self._flying: list[Launch] = []
        self._ending: set[str] = set()

    def flying(self, group: Group) -> list[Launch]:
        return [each for each in self._flying if each.group is group]

    def launch(self, launch: Launch) -> None:
        self._flying.append(launch)
        self.run(lambda: self._settled(self._launch, launch))

    def terminate(self, group: Group, member: Member) -> None:
        if member.id not in self._ending:
            self._ending.add(member.id)
            self.run(lambda: self._settled(self._terminate, group, member))

    # how

    def _settled(self, job, *arguments) -> None:
        job(*arguments)
        self._cloud.settle()

    def _launch(self, launch: Launch) -> None:
        instance = pool = None
        failed = []
        try:
            for pool in launch.pools:
                try:
                    instance = self._start(launch.group, pool)
                    break
                except ServiceException as error:
                    failed.append(error)
                    if error.code not in NO_CAPACITY:
                        break
                except Exception as error:
                    failed.append(error)
                    log.exception("launch for %s", launch.group.name)
                    break
        finally:
            with self._lock:
                self._flying.remove(launch)
                if instance is not None:
                    self._launched(launch, pool, instance)
                elif failed:
                    self._failed(launch, failed[-1])

    def _start(self, group: Group, pool: Pool) -> Instance:
        ec2 = self._cloud.backend("ec2")
        version = ec2.get_launch_template(pool.origin.template_id).get_version(pool.origin.version)
        tags = {
            **version.instance_tags,
            **group.get_propagated_tags(),
            ASG_NAME_TAG: group.name,
            "aws:ec2launchtemplate:id": pool.origin.template_id,
            "aws:ec2launchtemplate:version": pool.origin.version,
        }
        market = {"instance_market_options": "spot"} if pool.origin.spot else {}
        (instance,) = ec2.run_instances(
            version.image_id,
            1,
            version.user_data,
            version.security_groups,
            instance_type=pool.origin.instance_type,
            tags={"instance": tags},
            placement=None if pool.subnet else pool.zone,
            launch_config=None,
            launch_template={
                "LaunchTemplateId": pool.origin.template_id,
                "Version": pool.origin.version,
            },
            is_instance_type_default=False,
            associate_public_ip=None,
            subnet_id=pool.subnet,
            **market,
        ).instances
        return instance

    def _launched(self, launch: Launch, pool: Pool, instance: Instance) -> None:
        group, now = launch.group, self._clock()
        instance.autoscaling_group = group
        member = Member(
            instance,
            pool.origin,
            now,
            protected_from_scale_in=bool(group.new_instances_protected_from_scale_in),
            extra=launch.extra,
        )
        member.activity = activities.begin(
            group, now, f"Launching a new EC2 instance: {instance.id}", launch.cause
        )
        member.activity.details = details(pool)
        group.members.append(member)
        group.failures, group.retry_at = 0, None
        if launch.replaces is not None:
            launch.replaces.successor = member

    def _failed(self, launch: Launch, error: Exception) -> None:
        group, now = launch.group, self._clock()
        if launch.extra != BALANCE:  # that can wait, and nothing else is to wait for it
            group.failures += 1
            seconds = min(LONGEST_RETRY, RETRY * 2 ** (group.failures - 1))
            group.retry_at = now + timedelta(seconds=seconds)
        message = getattr(error, "message", None) or str(error)
        if launch.spot and getattr(error, "code", ""):
            message = f"Could not launch Spot Instances. {error.code} - {message}"
        made = activities.begin(group, now, "Launching a new EC2 instance", launch.cause)
        made.details = details(launch.pools[-1])
        made.finish(now, "Failed", f"{message} Launching EC2 instance failed.")
        log.warning("%s: %s", group.name, message)

    def _terminate(self, group: Group, member: Member) -> None:
        ec2 = self._cloud.backend("ec2")
        try:
            member.instance.disable_api_termination = False  # it does not protect from this
            if member.instance.state != "terminated":
                ec2.terminate_instances([member.id])
            self._cloud.backend("elbv2").notify_terminate_instances([member.id])
        finally:
            with self._lock:
                self._ending.discard(member.id)
        with self._lock:
            if member in group.members:
                group.members.remove(member)
            if member.activity is not None:
                member.activity.finish(self._clock())


def details(pool: Pool) -> str:
    subnet = f'"Subnet ID":"{pool.subnet}",' if pool.subnet else ""
    return f'{{{subnet}"Availability Zone":"{pool.zone}"}}'


def pools(cloud, group: Group, zones: list[str], types: list[str], spot: bool) -> list[Pool]:
    """Every pool of these zones and types: first all types of the first zone."""
    ec2 = cloud.backend("ec2")
    wanted = configuration.of(group)
    subnets = {ec2.get_subnet(each).availability_zone: each for each in reversed(group.subnets)}
    return [
        Pool(zone, subnets.get(zone), wanted.origin(ec2, kind, spot))
        for zone in zones
        for kind in types
    ]


def started(now, before: int, after: int, cause: str) -> str:
    return together(
        cause,
        at(now, f"an instance was started {activities.DIFFERENCE}, increasing the capacity "
                f"from {before} to {after}"),
    )  # fmt: skip
