"""What EC2 and the load balancers say of an instance."""

from datetime import datetime, timedelta

from localcloud.services.autoscaling.model import STANDBY, Group, Member
from localcloud.services.elbv2 import health as elb
from localcloud.services.elbv2.targets import TargetGroups

ENDED = "an EC2 health check indicating it has been terminated or stopped"
ELB = "an ELB system health check failure"
USER = "a user health-check"


class Health:
    def __init__(self, cloud):
        self._cloud = cloud

    def check(self, group: Group, now: datetime) -> None:
        """Mark what is not well, and why; a mark stays."""
        for member in group.members:
            if member.leaving or member.lifecycle_state == STANDBY or member.unhealthy_because:
                continue
            if member.instance.state not in ("running", "pending"):
                self.mark(member, ENDED)
            elif (
                "ELB" in group.health_check_type
                and member.in_service
                and not self.graced(group, member, now)
                and any(each.state == "unhealthy" for each in self.seen(group, member))
            ):
                self.mark(member, ELB)

    @staticmethod
    def mark(member: Member, why: str) -> None:
        member.health_status, member.unhealthy_because = "Unhealthy", why

    @staticmethod
    def graced(group: Group, member: Member, now: datetime) -> bool:
        """Whether it has not been in service for long enough to be judged."""
        grace = timedelta(seconds=group.health_check_grace_period or 0)
        return member.since is None or now - member.since < grace

    def ready(self, group: Group, member: Member) -> bool:
        """Whether it does what it was launched for: in service, and its balancers say so too."""
        return (
            member.in_service
            and not member.unhealthy_because
            and all(
                each.state == "healthy" or each == elb.NOT_IN_USE
                for each in self.seen(group, member)
            )
        )

    def draining(self, group: Group, member: Member) -> bool:
        return any(each == elb.DRAINING for each in self.seen(group, member))

    def seen(self, group: Group, member: Member) -> list[elb.Health]:
        """What each of the group's target groups says of it."""
        backend = self._cloud.backend("elbv2")
        found = [backend.target_groups.get(arn) for arn in group.target_group_arns]
        targets = self._cloud.service(TargetGroups)
        return [targets.health(each, member.id) for each in found if each is not None]
