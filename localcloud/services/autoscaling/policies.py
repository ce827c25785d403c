"""Calls about scaling policies, and the alarms that execute them."""

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.hooks import hook
from localcloud.services.autoscaling import scaling
from localcloud.services.autoscaling.errors import in_progress, invalid
from localcloud.services.autoscaling.groups import AutoScaling, find, page
from localcloud.services.autoscaling.model import Group
from localcloud.services.autoscaling.policy import SIMPLE, STEP, TRACKING, Policy
from localcloud.services.autoscaling.scaling import Scaling
from localcloud.services.autoscaling.tracking import Tracking
from localcloud.services.base import Service
from localcloud.services.cloudwatch.actions import ALARM_ACTIONS, Action

ACTION = "arn:aws:autoscaling:"


class ScalingPolicies(Service):
    def __init__(self, cloud):
        super().__init__(cloud)
        self._tracking = Tracking(cloud)
        ALARM_ACTIONS[ACTION] = Action(self.alarmed, repeats=True)

    @property
    def _groups(self) -> AutoScaling:
        return self.cloud.service(AutoScaling)

    @property
    def _scaling(self) -> Scaling:
        return Scaling(self._groups.engine, self._tracking, self._groups.change)

    def adopt(self) -> list[str]:
        self._groups.engine.endings.append(self._forget)
        return []

    def alarmed(self, arn: str, alarm, state: str) -> None:
        """What CloudWatch calls; an alarm may name a policy that is not there any more."""
        with self._groups.engine.lock:
            for group in self._groups.engine.groups():
                for policy in group.policies:
                    if policy.arn == arn:
                        self._scaling.alarmed(group, policy, alarm, state)
                        return
        raise LookupError(f"there is no scaling policy {arn}")

    @hook(AutoScalingResponse, "put_scaling_policy", "self")
    def put(self, original, response):
        params = dict(response.params)
        group = find(response.autoscaling_backend, params.pop("AutoScalingGroupName"))
        name = params.pop("PolicyName")
        scaling.check(params)
        old = next((each for each in group.policies if each.name == name), None)
        made = Policy(group.name, name, params)
        if old is not None:
            if old.kind != made.kind:
                raise invalid("The type of a policy cannot be changed.")
            made.id, made.alarms = old.id, old.alarms
        if made.kind == TRACKING:
            self._tracking.make_alarms(group, made)
        group.policies = [each for each in group.policies if each is not old] + [made]
        return ActionResult({"PolicyARN": made.arn, "Alarms": self._alarms(made)})

    @hook(AutoScalingResponse, "describe_policies", "self")
    def describe(self, original, response):
        params = response.params
        name, names = params.get("AutoScalingGroupName"), params.get("PolicyNames")
        kinds = params.get("PolicyTypes")
        found = [
            self._described(policy)
            for group in self._groups.engine.groups()
            for policy in group.policies
            if name in (None, group.name)
            and (not names or policy.name in names or policy.arn in names)
            and (not kinds or policy.kind in kinds)
        ]
        shown, token = page(found, params)
        return ActionResult({"ScalingPolicies": shown, "NextToken": token})

    @hook(AutoScalingResponse, "delete_policy", "self")
    def delete(self, original, response):
        group, policy = self._policy(response)
        self._tracking.remove_alarms(policy)
        group.policies.remove(policy)
        return EmptyResult()

    @hook(AutoScalingResponse, "execute_policy", "self")
    def execute(self, original, response):
        params = response.params
        group, policy = self._policy(response)
        why = f"a user request executed policy {policy.name}"
        if policy.kind == TRACKING:
            raise invalid("Policies of type TargetTrackingScaling cannot be executed.")
        if policy.kind == STEP:
            value, threshold = params.get("MetricValue"), params.get("BreachThreshold")
            if value is None or threshold is None:
                raise invalid(
                    "MetricValue and BreachThreshold are required for policy type: StepScaling"
                )
            self._scaling.step(group, policy, value, threshold, why)
        elif params.get("HonorCooldown") and self._scaling.cools(group, policy):
            raise in_progress("Scaling activity is in progress and blocks this action")
        else:
            self._scaling.simple(group, policy, why)
        return EmptyResult()

    # how

    def _forget(self, group: Group) -> None:
        """The group has been deleted: its alarms have nothing to do."""
        for policy in group.policies:
            self._tracking.remove_alarms(policy)

    def _policy(self, response) -> tuple[Group, Policy]:
        wanted, name = response.params["PolicyName"], response.params.get("AutoScalingGroupName")
        found = [
            (group, policy)
            for group in self._groups.engine.groups()
            for policy in group.policies
            if name in (None, group.name) and wanted in (policy.name, policy.arn)
        ]
        if not found:
            raise invalid(f"PolicyName not found - No scaling policy found with name {wanted}")
        if len(found) > 1:
            raise invalid("AutoScalingGroupName must be given: several groups have this policy.")
        return found[0]

    def _alarms(self, policy: Policy) -> list[dict]:
        """A tracking policy's own alarms, or those that name another one."""
        alarms = self.cloud.backend("cloudwatch").alarms
        return [
            {"AlarmName": each.name, "AlarmARN": each.alarm_arn}
            for each in list(alarms.values())
            if policy.arn in [*each.alarm_actions, *each.ok_actions]
        ]

    def _described(self, policy: Policy) -> dict:
        found = {
            **policy.asked,
            "AutoScalingGroupName": policy.group,
            "PolicyName": policy.name,
            "PolicyARN": policy.arn,
            "PolicyType": policy.kind,
            "Enabled": policy.enabled,
            "Alarms": self._alarms(policy),
        }
        if policy.kind == TRACKING:
            found["TargetTrackingConfiguration"] = {"DisableScaleIn": False, **policy.tracking}
        if policy.kind == STEP:
            found.setdefault("MetricAggregationType", "Average")
        if policy.kind == SIMPLE:
            found.setdefault("StepAdjustments", [])
        return found
