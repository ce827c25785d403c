"""Calls about single instances of a group."""

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.hooks import hook
from localcloud.services.autoscaling import activities
from localcloud.services.autoscaling.activities import at
from localcloud.services.autoscaling.engine import Engine
from localcloud.services.autoscaling.errors import invalid
from localcloud.services.autoscaling.groups import AutoScaling, find, find_member
from localcloud.services.autoscaling.health import USER, Health
from localcloud.services.autoscaling.model import (
    ASG_NAME_TAG,
    DETACHING,
    ENTERING,
    PENDING_PROCEED,
    STANDBY,
    Group,
    Member,
    Origin,
)
from localcloud.services.base import Service

USER_REQUEST = "in response to a user request"


class GroupMembers(Service):
    @property
    def _engine(self) -> Engine:
        return self.cloud.service(AutoScaling).engine

    @hook(AutoScalingResponse, "terminate_instance_in_auto_scaling_group", "self")
    def terminate(self, original, response):
        params = response.params
        group, member = find_member(response.autoscaling_backend, params["InstanceId"])
        if member.leaving:
            raise invalid(f"The instance {member.id} is {member.lifecycle_state} already.")
        now = self._engine.clock()
        cause = f"instance {member.id} was taken out of service {USER_REQUEST}"
        if params["ShouldDecrementDesiredCapacity"]:
            cause += self._shrink(group, 1)
        self._engine.end(group, member, now, at(now, cause))
        return ActionResult({"Activity": member.activity.described(group)})

    @hook(AutoScalingResponse, "set_instance_health", "self")
    def set_health(self, original, response):
        params = response.params
        if params["HealthStatus"] not in ("Healthy", "Unhealthy"):
            raise invalid("Valid instance health states are: [Healthy, Unhealthy].")
        group, member = find_member(response.autoscaling_backend, params["InstanceId"])
        if params["HealthStatus"] == "Healthy":
            member.health_status, member.unhealthy_because = "Healthy", ""
        elif not (
            params.get("ShouldRespectGracePeriod", True)
            and self._engine.health.graced(group, member, self._engine.clock())
        ):
            Health.mark(member, USER)
        return EmptyResult()

    @hook(AutoScalingResponse, "set_instance_protection", "self")
    def protect(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        for member in self._members(group, params["InstanceIds"]):
            member.protected_from_scale_in = params["ProtectedFromScaleIn"]
        return EmptyResult()

    @hook(AutoScalingResponse, "enter_standby", "self")
    def enter_standby(self, original, response):
        def cause(member: Member, shrinks: str) -> str:
            return f"instance {member.id} was moved to standby {USER_REQUEST}{shrinks}"

        return self._depart(response, ENTERING, "Moving EC2 instance to Standby", cause)

    @hook(AutoScalingResponse, "detach_instances", "self")
    def detach(self, original, response):
        def cause(member: Member, shrinks: str) -> str:
            return f"instance {member.id} was detached {USER_REQUEST}{shrinks}"

        return self._depart(response, DETACHING, "Detaching EC2 instance", cause)

    @hook(AutoScalingResponse, "exit_standby", "self")
    def exit_standby(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        members = self._members(group, params.get("InstanceIds") or [])
        for member in members:
            if member.lifecycle_state != STANDBY:
                raise invalid(f"The instance {member.id} is not in Standby.")
        self._check_room(group, len(members))
        now = self._engine.clock()
        for member in members:
            before = group.desired_capacity
            group.desired_capacity += 1
            member.lifecycle_state = PENDING_PROCEED
            member.activity = activities.begin(
                group, now, f"Moving EC2 instance out of Standby: {member.id}",
                at(now, f"instance {member.id} was moved out of standby {USER_REQUEST}, increasing "
                        f"the capacity from {before} to {before + 1}"),
            )  # fmt: skip
            member.activity.status, member.activity.progress = "PreInService", 30
        return self._answer(group, members)

    @hook(AutoScalingResponse, "attach_instances", "self")
    def attach(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        ec2 = self.cloud.backend("ec2")
        instances = [ec2.get_instance(each) for each in params.get("InstanceIds") or []]
        zones = set(self._engine.zones(group).values())
        for instance in instances:
            if instance.state != "running":
                raise invalid(f"The instance {instance.id} is not in correct state.")
            if instance.availability_zone not in zones:
                raise invalid(f"The instance {instance.id} is in no zone of the group.")
            if any(each.member(instance.id) for each in self._engine.groups()):
                raise invalid(f"The instance {instance.id} is already part of a group.")
        self._check_room(group, len(instances))
        now = self._engine.clock()
        for instance in instances:
            before = group.desired_capacity
            group.desired_capacity += 1
            ec2.create_tags([instance.id], {ASG_NAME_TAG: group.name})
            instance.autoscaling_group = group
            origin = Origin("", "", "0", instance.instance_type, instance.lifecycle == "spot")
            member = Member(instance, origin, now)
            member.activity = activities.begin(
                group, now, f"Attaching an existing EC2 instance: {instance.id}",
                at(now, f"an instance was attached {USER_REQUEST}, increasing the capacity from "
                        f"{before} to {before + 1}"),
            )  # fmt: skip
            group.members.append(member)
        return EmptyResult()

    # how

    def _depart(self, response, state: str, what: str, cause):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        members = self._members(group, params.get("InstanceIds") or [])
        for member in members:
            if not member.in_service:
                raise invalid(f"The instance {member.id} is not in InService.")
        shrinks = params["ShouldDecrementDesiredCapacity"]
        if shrinks and group.desired_capacity - len(members) < group.min_size:
            raise invalid(
                "Decrementing the desired capacity would bring it below the group's min size "
                f"{group.min_size}."
            )
        now = self._engine.clock()
        for member in members:
            said = cause(member, self._shrink(group, 1) if shrinks else "")
            self._engine.depart(group, member, now, state, f"{what}: {member.id}", at(now, said))
        return self._answer(group, members)

    def _shrink(self, group: Group, count: int) -> str:
        before = group.desired_capacity
        if before - count < group.min_size:
            raise invalid(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance "
                "without replacement will violate group's min size constraint. Either set "
                "shouldDecrementDesiredCapacity flag to false or lower group's min size."
            )
        group.desired_capacity -= count
        return f", shrinking the capacity from {before} to {group.desired_capacity}"

    def _members(self, group: Group, ids: list[str]) -> list[Member]:
        found = [group.member(each) for each in ids]
        if None in found:
            missing = ids[found.index(None)]
            raise invalid(f"The instance {missing} is not part of Auto Scaling group {group.name}.")
        return found

    def _check_room(self, group: Group, count: int) -> None:
        if group.desired_capacity + count > group.max_size:
            raise invalid(
                f"Instances cannot join {group.name}: the capacity would be above its max size "
                f"{group.max_size}."
            )

    def _answer(self, group: Group, members: list[Member]) -> ActionResult:
        return ActionResult({"Activities": [each.activity.described(group) for each in members]})
