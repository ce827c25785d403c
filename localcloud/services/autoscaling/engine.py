"""The round in which every group takes a step towards what it should be."""

import logging
import threading
from datetime import datetime, timedelta

from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow

from localcloud.services.autoscaling import activities, choice, configuration, waits
from localcloud.services.autoscaling.activities import DIFFERENCE, at, together
from localcloud.services.autoscaling.health import Health
from localcloud.services.autoscaling.hosts import BALANCE, Hosts, Launch, Pool, pools
from localcloud.services.autoscaling.model import (
    ASG_NAME_TAG,
    DETACHING,
    ENTERING,
    IN_SERVICE,
    PENDING,
    PENDING_PROCEED,
    PENDING_WAIT,
    STANDBY,
    TERMINATING,
    TERMINATING_PROCEED,
    TERMINATING_WAIT,
    Group,
    Member,
    Origin,
)
from localcloud.services.autoscaling.refresh import running
from localcloud.services.autoscaling.traffic import Traffic

log = logging.getLogger("localcloud.autoscaling")

REBALANCE_EVERY = timedelta(seconds=60)


class Engine:
    """``lock`` guards what is kept of the groups; nothing that takes long happens in it."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.lock = threading.RLock()
        self.clock = utcnow
        self.hosts = Hosts(cloud, self.lock, lambda: self.clock())
        self.health = Health(cloud)
        self.traffic = Traffic(cloud)
        self.steps = []  # what else is done for a group in each round: step(group, now)
        self.losses = []  # who is told that an instance was not well: lost(group, member, why)
        self.endings = []  # who is told that a group is no more: ending(group)

    def groups(self) -> list[Group]:
        found = self.cloud.backend("autoscaling").autoscaling_groups.values()
        return [each for each in list(found) if isinstance(each, Group)]

    def round(self) -> None:
        """One step of every group; one that fails keeps no other from its own."""
        for group in self.groups():
            try:
                with self.lock:
                    self.step(group)
            except Exception:
                log.exception("%s", group.name)

    def step(self, group: Group) -> None:
        now = self.clock()
        if not group.suspends("HealthCheck"):
            self.health.check(group, now)
        if group.status is None:
            for member in list(group.members):
                self._advance(group, member, now)
            for step in self.steps:
                step(group, now)
            self._replace(group, now)
            self._scale(group, now)
            self._rebalance(group, now)
        else:
            self._delete(group)

    def _delete(self, group: Group) -> None:
        """Once more for what was on its way when the group was deleted; hooks are not asked."""
        for member in list(group.members):
            if not member.leaving:
                self.traffic.end(group, member)
            member.lifecycle_state = TERMINATING_PROCEED
            self.hosts.terminate(group, member)
        if not group.members and not self.hosts.flying(group):
            self.cloud.backend("autoscaling").autoscaling_groups.pop(group.name, None)
            for each in self.endings:
                each(group)

    def take_in(self, group: Group, instance, tags: dict[str, str]) -> None:
        """An instance that was launched for the group, and not noted before the process ended."""
        template = tags.get("aws:ec2launchtemplate:id", "")
        found = self.cloud.backend("ec2").launch_templates.get(template)
        origin = Origin(
            template,
            found.name if found else "",
            tags.get("aws:ec2launchtemplate:version", "0"),
            instance.instance_type,
            instance.lifecycle == "spot",
        )
        now = self.clock()
        instance.autoscaling_group = group
        member = Member(instance, origin, now)
        member.activity = activities.begin(
            group, now, f"Launching a new EC2 instance: {instance.id}",
            at(now, f"an instance was started {DIFFERENCE}"),
        )  # fmt: skip
        group.members.append(member)

    def cools(self, group: Group) -> bool:
        """Whether the cooldown after the last change of capacity is not over."""
        cooldown = timedelta(seconds=group.default_cooldown)
        return group.last_scaling is not None and self.clock() - group.last_scaling < cooldown

    # one instance

    def _advance(self, group: Group, member: Member, now: datetime) -> None:
        """Go on through the states of an instance's life."""
        state = member.lifecycle_state
        if state == PENDING:
            if waits.begin(group, member, waits.LAUNCHING, now):
                member.lifecycle_state = PENDING_WAIT
                member.activity.status, member.activity.progress = "MidLifecycleAction", 60
            else:
                self._enter(group, member, now)
        elif state == PENDING_WAIT:
            self._await_launch(group, member, now)
        elif state == PENDING_PROCEED:
            self._enter(group, member, now)
        elif member.leaving:
            self._leave(group, member, now)
        elif member.in_service and member.extra == BALANCE:
            member.extra = ""

    def _await_launch(self, group: Group, member: Member, now: datetime) -> None:
        waits.expire(member, now)
        if member.abandoned:
            member.activity.finish(now, "Cancelled", member.abandoned)
            self._lost(group, member, member.abandoned)
            self.end(group, member, now, at(
                now, "an instance was taken out of service in response to a user's lifecycle "
                "action that was abandoned",
            ))  # fmt: skip
        elif not member.waits:
            member.lifecycle_state = PENDING_PROCEED

    def _enter(self, group: Group, member: Member, now: datetime) -> None:
        if member.unhealthy_because:
            return
        if not group.suspends("AddToLoadBalancer"):
            self.traffic.begin(group, member)
        member.lifecycle_state, member.since = IN_SERVICE, now
        if member.activity is not None:
            member.activity.finish(now)

    def _leave(self, group: Group, member: Member, now: datetime) -> None:
        if member.draining and self.health.draining(group, member):
            return
        member.draining = False
        state = member.lifecycle_state
        if state == DETACHING:
            group.members.remove(member)
            self.cloud.backend("ec2").delete_tags([member.id], {ASG_NAME_TAG: None})
            member.activity.finish(now)
        elif state == ENTERING:
            member.lifecycle_state = STANDBY
            member.activity.finish(now)
        elif state == TERMINATING:
            ended = member.instance.state == "terminated"  # nobody is there to act
            if not ended and waits.begin(group, member, waits.ENDING, now):
                member.lifecycle_state = TERMINATING_WAIT
                member.activity.status, member.activity.progress = "MidLifecycleAction", 60
            else:
                member.lifecycle_state = TERMINATING_PROCEED
        elif state == TERMINATING_WAIT:
            waits.expire(member, now)
            if not member.waits or member.instance.state == "terminated":
                member.lifecycle_state = TERMINATING_PROCEED
        if member.lifecycle_state == TERMINATING_PROCEED:
            self.hosts.terminate(group, member)

    def end(self, group: Group, member: Member, now: datetime, cause: str) -> None:
        """Begin to terminate an instance: no new requests, then its hooks, then its end."""
        description = f"Terminating EC2 instance: {member.id}"
        self.depart(group, member, now, TERMINATING, description, cause)

    def depart(self, group: Group, member: Member, now: datetime, state: str, description: str,
               cause: str) -> activities.Activity:  # fmt: skip
        """Begin to take an instance out of service."""
        if member.activity is not None:
            member.activity.finish(now, "Cancelled")
        member.lifecycle_state, member.extra, member.abandoned = state, "", ""
        if member.successor is not None:
            member.successor.extra = ""  # it counts in this one's place
        member.waits = []
        member.activity = activity = activities.begin(group, now, description, cause)
        self.traffic.end(group, member)
        member.draining = bool(group.target_group_arns)
        activity.progress = 50
        if member.draining:
            activity.status = "WaitingForELBConnectionDraining"
        return activity

    # the group

    def _replace(self, group: Group, now: datetime) -> None:
        """Terminate what is not well, and what has a successor; capacity then brings another."""
        if group.suspends("Terminate"):
            return
        for member in list(group.members):
            if member.leaving or member.lifecycle_state == STANDBY:
                continue
            if member.unhealthy_because and not group.suspends("ReplaceUnhealthy"):
                self._lost(group, member, member.unhealthy_because)
                self.end(group, member, now, at(
                    now, "an instance was taken out of service in response to "
                    + member.unhealthy_because,
                ))  # fmt: skip

    def _lost(self, group: Group, member: Member, why: str) -> None:
        for each in self.losses:
            each(group, member, why)

    def _scale(self, group: Group, now: datetime) -> None:
        flying = self.hosts.flying(group)
        counted = group.counted()
        have = len(counted) + sum(not each.extra or each.orphaned for each in flying)
        wanted = group.desired_capacity
        if have < wanted and self.may_launch(group, now):
            self._launch_missing(group, wanted - have, now)
        elif have > wanted and not flying and not group.suspends("Terminate"):
            self._terminate_surplus(group, have, now)

    def may_launch(self, group: Group, now: datetime) -> bool:
        return not group.suspends("Launch") and (group.retry_at is None or group.retry_at <= now)

    def _launch_missing(self, group: Group, count: int, now: datetime) -> None:
        before = group.desired_capacity - count
        why = at(
            now, f"an instance was started {DIFFERENCE}, increasing the capacity from {before} "
            f"to {group.desired_capacity}",
        )  # fmt: skip
        cause = together(*group.causes, why)
        for _ in range(count):
            if not self.launch(group, cause, now):
                break
        group.causes = []

    def launch(self, group: Group, cause: str, now: datetime, extra: str = "", zone: str = "",
               replaces: Member | None = None) -> Launch | None:  # fmt: skip
        """Begin a launch in this zone, or where the group has the fewest instances.

        None if it cannot even be asked for.
        """
        try:
            found = self._pools(group, zone, only=extra == BALANCE)
        except ServiceException as error:  # the template or its version is gone
            group.retry_at = now + timedelta(seconds=30)
            made = activities.begin(group, now, "Launching a new EC2 instance", cause)
            made.finish(now, "Failed", f"{error.message} Launching EC2 instance failed.")
            return None
        launch = Launch(group, found, cause, extra, replaces)
        self.hosts.launch(launch)
        return launch

    def _pools(self, group: Group, zone: str, only: bool) -> list[Pool]:
        wanted = configuration.of(group)
        flying = self.hosts.flying(group)
        alive = [each for each in group.members if not each.leaving]
        used = [each.zone for each in alive] + [each.zone for each in flying]
        zones = choice.zones(self.zones(group), used)
        if zone in zones:
            zones = [zone, *(each for each in zones if each != zone and not only)]
        # What a refresh is to replace does not stay: so many as were on demand are again.
        refresh = running(group)
        going = refresh.old if refresh is not None else ()
        bought = [each.origin.spot for each in alive if each.id not in going]
        bought += [each.spot for each in flying]
        spot = choice.wants_spot(wanted, bought, max(group.desired_capacity, len(bought) + 1))
        own = wanted.origin(self.cloud.backend("ec2")).instance_type
        return pools(self.cloud, group, zones, choice.types(wanted, own, spot), spot)

    def zones(self, group: Group) -> dict[str, str]:
        """The zone of each subnet of the group, or of each zone."""
        ec2 = self.cloud.backend("ec2")
        if not group.subnets:
            return {each: each for each in group.availability_zones}
        return {each: ec2.get_subnet(each).availability_zone for each in group.subnets}

    def _terminate_surplus(self, group: Group, have: int, now: datetime) -> None:
        wanted = group.desired_capacity
        for number in range(have, wanted, -1):
            counted = group.counted()
            member = choice.victim(
                counted,
                group.termination_policies,
                configuration.of(group),
                self.cloud.backend("ec2"),
                number - 1,
                now,
            )
            if member is None:
                self._all_protected(group, now)
                return
            cause = together(
                *group.causes,
                at(now, f"an instance was taken out of service {DIFFERENCE}, shrinking the "
                        f"capacity from {number} to {number - 1}"),
                at(now, f"instance {member.id} was selected for termination"),
            )  # fmt: skip
            self.end(group, member, now, cause)
        group.causes = []

    def _all_protected(self, group: Group, now: datetime) -> None:
        said = (
            "Could not scale to desired capacity because all remaining instances are protected "
            "from scale-in."
        )
        if not group.activities or group.activities[0].description != said:
            cause = together(*group.causes, at(now, "could not scale to desired capacity because "
                             "all remaining instances are protected from scale-in"))  # fmt: skip
            activities.begin(group, now, said, cause).finish(now, "Failed", said)
        group.causes = []

    def _rebalance(self, group: Group, now: datetime) -> None:
        """One more in the emptiest zone, before one of the fullest goes."""
        counted = group.counted()
        quiet = all(each.in_service and not each.extra for each in group.members)
        if (
            group.suspends("AZRebalance")
            or running(group) is not None
            or not quiet
            or self.hosts.flying(group)
            or len(counted) != group.desired_capacity
            or not self.may_launch(group, now)
            or (group.rebalanced_at and now - group.rebalanced_at < REBALANCE_EVERY)
        ):
            return
        zones = self.zones(group)
        if choice.unbalanced(zones, [each.zone for each in counted]):
            group.rebalanced_at = now
            cause = at(now, "an instance was launched to aid in balancing the group's zones")
            emptiest, *_ = choice.zones(zones, [each.zone for each in counted])
            self.launch(group, cause, now, BALANCE, zone=emptiest)
