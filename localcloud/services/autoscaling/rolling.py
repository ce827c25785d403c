"""How a refresh goes on, step by step: replace, wait until that is well, and back if it is not."""

import logging
from datetime import datetime, timedelta

from localcloud.services.autoscaling import configuration
from localcloud.services.autoscaling.activities import at
from localcloud.services.autoscaling.engine import Engine
from localcloud.services.autoscaling.model import STANDBY, Group, Member
from localcloud.services.autoscaling.refresh import CHECKPOINT_DELAY, Refresh, Rollback, running

log = logging.getLogger("localcloud.autoscaling")

EXTRA = "refresh"
# AWS tries for an hour. Two hosts that do not get ready are a release that does not.
LOST, FAILED_LAUNCHES = 2, 4
PATIENCE = timedelta(hours=1)


class Rolling:
    """``alarmed`` names those of these alarms that are in ALARM."""

    def __init__(self, engine: Engine, alarmed):
        self.engine = engine
        self.alarmed = alarmed
        engine.steps.append(self.step)
        engine.losses.append(self.lost)

    def step(self, group: Group, now: datetime) -> None:
        refresh = running(group)
        if refresh is None or group.suspends("InstanceRefresh"):
            return
        refresh.old &= {each.id for each in group.members}
        if refresh.status == "Pending":
            refresh.status = "InProgress"
        elif refresh.status == "Cancelling":
            self._end(group, refresh, now, "Cancelled", "Cancelled due to user request.")
        elif not self._troubled(group, refresh, now):
            self._go_on(group, refresh, now)

    def lost(self, group: Group, member: Member, why: str) -> None:
        """A new instance did not get or stay well."""
        refresh = running(group)
        if (
            refresh is not None
            and member.id not in refresh.old
            and member.launched >= refresh.start
        ):
            refresh.failures += 1
            refresh.reason = f"Instance {member.id} failed: {why}"

    def start(self, group: Group, refresh: Refresh, now: datetime) -> None:
        """Name what is to be replaced; what the refresh is to skip is not of it."""
        if refresh.desired is not None:
            group.desired_configuration = refresh.desired
        wanted = configuration.of(group)
        ec2 = self.engine.cloud.backend("ec2")
        skipped = refresh.preferences["SkipMatching"]
        refresh.aim({
            each.id
            for each in group.members
            if not (each.leaving or (skipped and wanted.made(each, ec2)))
            and not self._ignored(refresh, each)
        })  # fmt: skip
        group.refreshes.insert(0, refresh)

    def roll_back(self, group: Group, refresh: Refresh, now: datetime, reason: str) -> None:
        """Begin to bring back what there was before."""
        refresh.rollback = Rollback(reason, now, refresh.percentage, len(refresh.old))
        refresh.status, refresh.reason = "RollbackInProgress", reason
        refresh.failures, refresh.resume_at, refresh.waits_since = 0, None, None
        group.desired_configuration = refresh.before
        group.failures, group.retry_at = 0, None
        for member in group.members:
            if member.extra == EXTRA and not member.leaving:
                self.engine.end(group, member, now, _because(now, "taken out of service"))
        wanted, ec2 = configuration.read(refresh.before), self.engine.cloud.backend("ec2")
        refresh.aim({
            each.id
            for each in group.members
            if not each.leaving and not wanted.made(each, ec2) and not self._ignored(refresh, each)
        })  # fmt: skip

    # how

    @staticmethod
    def _ignored(refresh: Refresh, member: Member) -> bool:
        wanted = refresh.preferences
        if member.lifecycle_state == STANDBY:
            return wanted["StandbyInstances"] == "Ignore"
        return member.protected_from_scale_in and wanted["ScaleInProtectedInstances"] == "Ignore"

    def _troubled(self, group: Group, refresh: Refresh, now: datetime) -> bool:
        """Whether it cannot go on as it is; then it has ended, or goes back."""
        reason = ""
        names = (refresh.preferences.get("AlarmSpecification") or {}).get("Alarms") or []
        alarmed = self.alarmed(names) if refresh.rollback is None else []
        if alarmed:
            reason = f"Alarm(s) {', '.join(alarmed)} went into ALARM state."
        elif refresh.failures >= LOST:
            reason = refresh.reason or "New instances do not get ready."
        elif group.failures >= FAILED_LAUNCHES:
            reason = next(each.message for each in group.activities if each.status == "Failed")
        elif refresh.waits_since is not None and now - refresh.waits_since > PATIENCE:
            reason = (
                "The instance refresh has waited for an hour for instances that are protected "
                "from scale-in or in Standby."
            )
        if reason:
            self._fail(group, refresh, now, reason)
        return bool(reason)

    def _fail(self, group: Group, refresh: Refresh, now: datetime, reason: str) -> None:
        if refresh.rollback is not None:
            self._end(group, refresh, now, "RollbackFailed", reason)
        elif refresh.preferences["AutoRollback"]:
            self.roll_back(group, refresh, now, reason)
        else:
            self._end(group, refresh, now, "Failed", reason)

    def _end(self, group: Group, refresh: Refresh, now: datetime, status: str, reason: str) -> None:
        refresh.status, refresh.reason, refresh.end = status, reason, now
        group.desired_configuration = None
        for member in group.members:
            if member.extra == EXTRA:
                member.extra = ""  # one too many by now: the group ends one as it always does
        log.info("%s: refresh %s: %s %s", group.name, refresh.id, status, reason)

    def _go_on(self, group: Group, refresh: Refresh, now: datetime) -> None:
        flying = self.engine.hosts.flying(group)
        self._swap(group, refresh, now)
        if self._pauses(refresh, now):
            return
        if not refresh.old:
            self._finish(group, refresh, now, bool(flying))
            return
        for member in self._replaceable(group, refresh):
            if member.starting:  # nobody misses it
                self._replace(group, refresh, member, now)
        if refresh.most(group.desired_capacity) > group.desired_capacity:
            self._launch_first(group, refresh, now, len(flying))
        else:
            self._end_first(group, refresh, now, len(flying))

    def _swap(self, group: Group, refresh: Refresh, now: datetime) -> None:
        """For each new instance that is ready an old one goes."""
        for extra in [each for each in group.members if each.extra == EXTRA]:
            if self._ready(group, refresh, extra, now):
                found = self._replaceable(group, refresh)
                found.sort(key=lambda each, zone=extra.zone: each.zone != zone)
                if found:
                    self._replace(group, refresh, found[0], now)
                extra.extra = ""

    def _launch_first(self, group: Group, refresh: Refresh, now: datetime, flying: int) -> None:
        alive = sum(not each.leaving and each.lifecycle_state != STANDBY for each in group.members)
        coming = flying + sum(each.extra == EXTRA for each in group.members)
        found = self._replaceable(group, refresh)
        count = min(
            refresh.most(group.desired_capacity) - alive - flying,
            min(len(found), refresh.allowance()) - coming,
        )
        for victim in found[coming : coming + max(0, count)]:
            if not self.engine.may_launch(group, now):
                break
            self.engine.launch(
                group, _because(now, "started"), now, EXTRA, zone=self._zone(group, victim)
            )

    def _zone(self, group: Group, victim: Member) -> str:
        zones = self.engine.zones(group).values()
        return victim.zone if victim.zone in zones else ""

    def _end_first(self, group: Group, refresh: Refresh, now: datetime, flying: int) -> None:
        counted = group.counted()
        ready = [each for each in counted if self._ready(group, refresh, each, now)]
        count = len(ready) - refresh.least(group.desired_capacity)
        if count <= 0 and not flying and len(ready) >= group.desired_capacity:
            count = 1  # one at a time, however many are to stay
        for victim in self._replaceable(group, refresh)[: min(count, refresh.allowance())]:
            self._replace(group, refresh, victim, now)

    def _replaceable(self, group: Group, refresh: Refresh) -> list[Member]:
        """Those that may go now, as they came; remembers since when others hold it up."""
        found = []
        wanted = refresh.preferences
        for member in group.members:
            if member.id not in refresh.old or member.leaving:
                continue
            held = (
                wanted["StandbyInstances"] != "Terminate"
                if member.lifecycle_state == STANDBY
                else member.protected_from_scale_in
                and wanted["ScaleInProtectedInstances"] != "Refresh"
            )
            if not held:
                found.append(member)
        if found:
            refresh.waits_since = None
        elif refresh.waits_since is None and refresh.old:
            refresh.waits_since = self.engine.clock()
        return found

    def _replace(self, group: Group, refresh: Refresh, member: Member, now: datetime) -> None:
        refresh.old.discard(member.id)
        self.engine.end(group, member, now, _because(now, "taken out of service"))

    def _ready(self, group: Group, refresh: Refresh, member: Member, now: datetime) -> bool:
        if not self.engine.health.ready(group, member):
            return False
        warm = timedelta(seconds=refresh.preferences["InstanceWarmup"])
        return member.id in refresh.old or member.since is None or now - member.since >= warm

    def _pauses(self, refresh: Refresh, now: datetime) -> bool:
        """Whether it rests at a checkpoint."""
        if refresh.resume_at is None and refresh.rollback is None:
            for each in sorted(refresh.preferences.get("CheckpointPercentages") or ()):
                if each not in refresh.passed and refresh.percentage >= each:
                    refresh.passed.add(each)
                    delay = refresh.preferences.get("CheckpointDelay", CHECKPOINT_DELAY)
                    refresh.resume_at = now + timedelta(seconds=delay) if refresh.old else None
        if refresh.resume_at is None:
            return False
        if now < refresh.resume_at:
            refresh.reason = f"Waiting at a checkpoint until {refresh.resume_at:%H:%M:%S}."
            return True
        refresh.resume_at, refresh.reason = None, ""
        return False

    def _finish(self, group: Group, refresh: Refresh, now: datetime, flying: bool) -> None:
        """It is done when everything that is there is ready, and has been for the bake time."""
        settled = not flying and all(
            each.lifecycle_state == STANDBY or self._ready(group, refresh, each, now)
            for each in group.members
        )
        if not settled or len(group.counted()) != group.desired_capacity:
            return
        if refresh.rollback is not None:
            self._end(group, refresh, now, "RollbackSuccessful", refresh.rollback.reason)
            return
        bake = timedelta(seconds=refresh.preferences.get("BakeTime") or 0)
        if refresh.baked_at is None and bake:
            refresh.status, refresh.baked_at = "Baking", now + bake
        if refresh.baked_at is None or now >= refresh.baked_at:
            if refresh.desired is not None:
                take(group, refresh.desired)
            self._end(group, refresh, now, "Successful", "")


def take(group: Group, desired: dict) -> None:
    """The configuration that a refresh brought becomes the group's own."""
    mixed = desired.get("MixedInstancesPolicy")
    group.mixed_instances_policy = mixed
    specification = (
        mixed["LaunchTemplate"]["LaunchTemplateSpecification"]
        if mixed
        else desired["LaunchTemplate"]
    )
    named = {key: value for key, value in specification.items() if key != "LaunchTemplateName"}
    if mixed:
        mixed["LaunchTemplate"]["LaunchTemplateSpecification"] = named
        group._set_launch_configuration(None, {}, mixed)
    else:
        group._set_launch_configuration(None, named, None)


def _because(now: datetime, what: str) -> str:
    return at(now, f"an instance was {what} in response to an instance refresh")
