"""Scheduled actions: at their time a group has other bounds, or another capacity.

``Recurrence`` is refused: no library that reads cron's times is among the project's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.hooks import hook
from localcloud.services.autoscaling import checks
from localcloud.services.autoscaling.errors import invalid
from localcloud.services.autoscaling.groups import AutoScaling, find, page
from localcloud.services.autoscaling.model import Group
from localcloud.services.base import Service
from localcloud.settings import ACCOUNT, REGION

SIZES = ("MinSize", "MaxSize", "DesiredCapacity")


@dataclass(eq=False)
class Scheduled:
    """``sizes`` by the API's names; what is not among them stays as it is."""

    name: str
    at: datetime
    sizes: dict[str, int]

    def described(self, group: Group) -> dict:
        return {
            "AutoScalingGroupName": group.name,
            "ScheduledActionName": self.name,
            "ScheduledActionARN": f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scheduledUpdateGroup"
            f"Action:{group._id}:autoScalingGroupName/{group.name}:"
            f"scheduledActionName/{self.name}",
            "Time": self.at,
            "StartTime": self.at,
            **self.sizes,
        }


class ScheduledActions(Service):
    """Actions that are done once, and forgotten then."""

    @property
    def _groups(self) -> AutoScaling:
        return self.cloud.service(AutoScaling)

    def adopt(self) -> list[str]:
        self._groups.engine.steps.append(self.step)
        return []

    def step(self, group: Group, now: datetime) -> None:
        for each in [each for each in group.scheduled if each.at <= now]:
            group.scheduled.remove(each)
            if group.suspends("ScheduledActions"):
                continue
            least = each.sizes.get("MinSize", group.min_size)
            most = max(least, each.sizes.get("MaxSize", group.max_size))
            desired = each.sizes.get("DesiredCapacity", group.desired_capacity)
            group.min_size, group.max_size = least, most
            self._groups.change(
                group, min(max(desired, least), most),
                f"a scheduled action update of AutoScalingGroup constraints to min: {least}, max: "
                f"{most}, desired: {desired}",
            )  # fmt: skip

    @hook(AutoScalingResponse, "put_scheduled_update_group_action", "self")
    def put(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        at = _naive(params.get("StartTime") or params.get("Time"))
        sizes = {each: params[each] for each in SIZES if params.get(each) is not None}
        if not sizes:
            raise invalid("At least one of MinSize, MaxSize, DesiredCapacity must be specified.")
        if at is None or at <= self._groups.engine.clock():
            raise invalid("Given start time is in the past")
        if {"MinSize", "MaxSize"} <= set(sizes):
            checks.sizes(
                sizes["MinSize"], sizes["MaxSize"], sizes.get("DesiredCapacity", sizes["MinSize"])
            )
        name = params["ScheduledActionName"]
        kept = [each for each in group.scheduled if each.name != name]
        group.scheduled = [*kept, Scheduled(name, at, sizes)]
        return EmptyResult()

    @hook(AutoScalingResponse, "describe_scheduled_actions", "self")
    def describe(self, original, response):
        params = response.params
        name, names = params.get("AutoScalingGroupName"), params.get("ScheduledActionNames")
        first, last = _naive(params.get("StartTime")), _naive(params.get("EndTime"))
        found = [
            each.described(group)
            for group in self._groups.engine.groups()
            for each in sorted(group.scheduled, key=lambda each: each.at)
            if name in (None, group.name)
            and (not names or each.name in names)
            and (first is None or each.at >= first)
            and (last is None or each.at <= last)
        ]
        shown, token = page(found, params)
        return ActionResult({"ScheduledUpdateGroupActions": shown, "NextToken": token})

    @hook(AutoScalingResponse, "delete_scheduled_action", "self")
    def delete(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        name = params["ScheduledActionName"]
        kept = [each for each in group.scheduled if each.name != name]
        if len(kept) == len(group.scheduled):
            raise invalid(f"Scheduled action name not found - {name}")
        group.scheduled = kept
        return EmptyResult()


def _naive(moment) -> datetime | None:
    """As moto keeps times: UTC, without a zone."""
    if moment is None:
        return None
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
