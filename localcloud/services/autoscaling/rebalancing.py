"""Capacity Rebalancing: another instance comes before EC2 takes a Spot instance back."""

from datetime import datetime

from localcloud.services.autoscaling.activities import at
from localcloud.services.autoscaling.engine import Engine
from localcloud.services.autoscaling.model import Group, Member
from localcloud.services.autoscaling.refresh import running

EXTRA = "spot"


class Rebalancing:
    def __init__(self, engine: Engine):
        self._engine = engine
        engine.steps.append(self.step)

    def step(self, group: Group, now: datetime) -> None:
        for member in list(group.members):
            if member.at_risk and member.in_service and group.capacity_rebalance:
                self._succeed(group, member, now)
        awaited = [each.successor for each in group.members if not each.leaving]
        for member in group.members:
            if member.extra == EXTRA and member not in awaited:
                member.extra = ""  # the one that it came for has gone before

    def _succeed(self, group: Group, member: Member, now: datetime) -> None:
        successor = member.successor
        if successor is not None and successor in group.members and not successor.leaving:
            if self._engine.health.ready(group, successor) and not group.suspends("Terminate"):
                self._engine.end(group, member, now, at(
                    now, "an instance was taken out of service in response to an EC2 instance "
                    "rebalance recommendation",
                ))  # fmt: skip
            return
        coming = any(each.replaces is member for each in self._engine.hosts.flying(group))
        if not coming and self._engine.may_launch(group, now) and running(group) is None:
            cause = at(now, "an instance was launched in response to an EC2 instance rebalance "
                            "recommendation")  # fmt: skip
            self._engine.launch(group, cause, now, EXTRA, zone=member.zone, replaces=member)
