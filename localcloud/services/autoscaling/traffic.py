"""Into the target groups when an instance is in service, out of them before its end."""

import logging

from moto.core.exceptions import ServiceException

from localcloud.services.autoscaling.model import Group, Member

log = logging.getLogger("localcloud.autoscaling")


class Traffic:
    def __init__(self, cloud):
        self._cloud = cloud

    def begin(self, group: Group, member: Member, arns: list[str] | None = None) -> None:
        for arn in group.target_group_arns if arns is None else arns:
            self._call("register_targets", arn, member)

    def end(self, group: Group, member: Member, arns: list[str] | None = None) -> None:
        backend = self._cloud.backend("elbv2")
        for arn in group.target_group_arns if arns is None else arns:
            target_group = backend.target_groups.get(arn)
            if target_group is not None and member.id in target_group.targets:
                self._call("deregister_targets", arn, member)

    def _call(self, what: str, arn: str, member: Member) -> None:
        try:
            getattr(self._cloud.backend("elbv2"), what)(arn, [{"Id": member.id}])
        except ServiceException as error:  # it is gone, or a node does not answer
            log.warning("%s %s: %s", what, member.id, error)
