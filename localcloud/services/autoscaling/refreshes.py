"""Calls about instance refreshes."""

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from localcloud.hooks import addition
from localcloud.services.autoscaling import checks, configuration
from localcloud.services.autoscaling.errors import (
    invalid,
    irreversible,
    no_refresh,
    refresh_in_progress,
)
from localcloud.services.autoscaling.groups import AutoScaling, find, page
from localcloud.services.autoscaling.model import Group
from localcloud.services.autoscaling.refresh import PREFERENCES, Refresh, running
from localcloud.services.autoscaling.rolling import Rolling
from localcloud.services.base import Service

CHOICES = {
    "ScaleInProtectedInstances": ("Refresh", "Ignore", "Wait"),
    "StandbyInstances": ("Terminate", "Ignore", "Wait"),
}
RANGES = {
    "MinHealthyPercentage": (0, 100),
    "MaxHealthyPercentage": (100, 200),
    "InstanceWarmup": (0, 86400),
    "CheckpointDelay": (0, 172800),
    "BakeTime": (0, 172800),
}
MOVING = ("$Latest", "$Default", None)


class InstanceRefreshes(Service):
    """Groups whose instances are replaced by others, a few at a time."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._rolling: Rolling | None = None

    @property
    def rolling(self) -> Rolling:
        if self._rolling is None:
            engine = self.cloud.service(AutoScaling).engine
            self._rolling = Rolling(engine, self._alarmed)
        return self._rolling

    def adopt(self) -> list[str]:
        return [
            f"the refresh {refresh.id} of {group.name} goes on"
            for group in self.rolling.engine.groups()
            if (refresh := running(group))
        ]

    @addition(AutoScalingResponse, "start_instance_refresh", "self")
    def start(self, response):
        params, group = response.params, self._group(response)
        if params.get("Strategy", "Rolling") != "Rolling":
            raise invalid("The local cloud refreshes with the strategy Rolling only.")
        if running(group):
            raise refresh_in_progress(
                "An Instance Refresh is already in progress and blocks the execution of this "
                "Instance Refresh."
            )
        desired = self._desired(params.get("DesiredConfiguration") or {})
        before = configuration.current(group)
        wanted = self._preferences(group, params.get("Preferences") or {})
        if wanted["AutoRollback"]:
            self._check_way_back(desired, before)
        alarms = (wanted.get("AlarmSpecification") or {}).get("Alarms") or []
        self._check_alarms(alarms)
        now = self.rolling.engine.clock()
        refresh = Refresh(wanted, now, before, desired)
        alarmed = self._alarmed(alarms)
        if alarmed:
            refresh.status, refresh.end = "Failed", now
            refresh.reason = f"Alarm(s) {', '.join(alarmed)} are in ALARM state."
            group.refreshes.insert(0, refresh)
        else:
            self.rolling.start(group, refresh, now)
        return ActionResult({"InstanceRefreshId": refresh.id})

    @addition(AutoScalingResponse, "cancel_instance_refresh", "self")
    def cancel(self, response):
        refresh = self._running(self._group(response))
        refresh.status = "Cancelling"
        return ActionResult({"InstanceRefreshId": refresh.id})

    @addition(AutoScalingResponse, "rollback_instance_refresh", "self")
    def roll_back(self, response):
        group = self._group(response)
        refresh = self._running(group)
        if refresh.rollback is not None or refresh.status == "Cancelling":
            raise irreversible(f"The instance refresh is {refresh.status} already.")
        try:
            self._check_way_back(refresh.desired, refresh.before)
        except Exception as error:
            raise irreversible(error.message) from error
        now = self.rolling.engine.clock()
        self.rolling.roll_back(group, refresh, now, "Rollback due to user request.")
        return ActionResult({"InstanceRefreshId": refresh.id})

    @addition(AutoScalingResponse, "describe_instance_refreshes", "self")
    def describe(self, response):
        group, wanted = self._group(response), response.params.get("InstanceRefreshIds")
        found = [each.described(group) for each in group.refreshes
                 if not wanted or each.id in wanted]  # fmt: skip
        shown, token = page(found, response.params)
        return ActionResult({"InstanceRefreshes": shown, "NextToken": token})

    # how

    def _group(self, response) -> Group:
        return find(response.autoscaling_backend, response.params["AutoScalingGroupName"])

    def _running(self, group: Group) -> Refresh:
        found = running(group)
        if found is None:
            raise no_refresh(
                "No in progress or pending Instance Refresh found for Auto Scaling group "
                f"{group.name}"
            )
        return found

    def _desired(self, given: dict) -> dict | None:
        if not given:
            return None
        ec2 = self.cloud.backend("ec2")
        if bool(given.get("LaunchTemplate")) == bool(given.get("MixedInstancesPolicy")):
            raise invalid(
                "DesiredConfiguration must contain either LaunchTemplate or MixedInstancesPolicy."
            )
        if given.get("LaunchTemplate"):
            return {"LaunchTemplate": checks.launch_template(ec2, given["LaunchTemplate"])}
        return {"MixedInstancesPolicy": checks.mixed_policy(ec2, given["MixedInstancesPolicy"])}

    def _preferences(self, group: Group, given: dict) -> dict:
        warmup = group.default_instance_warmup
        if warmup is None:
            warmup = group.health_check_grace_period or 0
        found = {**PREFERENCES, "InstanceWarmup": warmup, **given}
        for name, (least, most) in RANGES.items():
            if not least <= found.get(name, least) <= most:
                raise invalid(f"{name} must be from {least} to {most}, not {found[name]}.")
        for name, known in CHOICES.items():
            if found[name] not in known:
                raise invalid(f"{name} must be one of {', '.join(known)}.")
        if found["MaxHealthyPercentage"] - found["MinHealthyPercentage"] > 100:
            raise invalid(
                "The difference between MinHealthyPercentage and MaxHealthyPercentage cannot be "
                "greater than 100."
            )
        points = found.get("CheckpointPercentages") or []
        if points != sorted(set(points)) or any(not 1 <= each <= 100 for each in points):
            raise invalid("CheckpointPercentages must rise, from 1 to 100.")
        return found

    def _check_way_back(self, desired: dict | None, before: dict) -> None:
        """Raise unless there is something to go back to."""
        if desired is None:
            raise invalid("A rollback needs a DesiredConfiguration.")
        if configuration.read(before).specification.get("Version") in MOVING:
            raise invalid(
                "A rollback needs a launch template with a numbered version, not $Latest or "
                "$Default, in the Auto Scaling group."
            )

    def _alarms(self) -> dict:
        return self.cloud.backend("cloudwatch").alarms

    def _check_alarms(self, names: list[str]) -> None:
        missing = [each for each in names if each not in self._alarms()]
        if missing:
            raise invalid(f"Alarm(s) {', '.join(missing)} do not exist.")

    def _alarmed(self, names: list[str]) -> list[str]:
        """Those of these alarms that are in ALARM; one that has been deleted is in none."""
        found = self._alarms()
        return [each for each in names if each in found and found[each].state_value == "ALARM"]
