"""What alarms make of a group: policies ask for a capacity, and the largest is taken."""

import logging
from datetime import UTC, timedelta
from itertools import pairwise

from localcloud.services.autoscaling import policy as policies
from localcloud.services.autoscaling.engine import Engine
from localcloud.services.autoscaling.errors import invalid
from localcloud.services.autoscaling.model import Group
from localcloud.services.autoscaling.policy import SIMPLE, STEP, TRACKING, Policy
from localcloud.services.autoscaling.tracking import PERIOD, Tracking
from localcloud.services.cloudwatch.alarms import metric as metric_of
from localcloud.services.cloudwatch.metrics import Metrics

log = logging.getLogger("localcloud.autoscaling")

RECENT = timedelta(minutes=5)


class Scaling:
    """``change(group, desired, why)`` is the groups' own."""

    def __init__(self, engine: Engine, tracking: Tracking, change):
        self._engine, self._tracking, self._change = engine, tracking, change

    def alarmed(self, group: Group, policy: Policy, alarm, state: str) -> None:
        """An alarm that names the policy is in a state, or still in it a minute later."""
        if state != "ALARM" or group.suspends("AlarmNotification") or group.status:
            return
        why = f"a monitor alarm {alarm.name} in state {state} triggered policy {policy.name}"
        if policy.kind == TRACKING:
            self._track(group, policy, alarm.name in policy.alarms[:1], why)
        elif not policy.enabled:
            return
        elif policy.kind == STEP:
            value = self._latest(metric_of(alarm), self._aggregation(policy), alarm.period)
            if value is not None:
                self.step(group, policy, value, float(alarm.threshold), why)
        elif policy.kind == SIMPLE and not self.cools(group, policy):
            self.simple(group, policy, why)

    def simple(self, group: Group, policy: Policy, why: str) -> None:
        by = policy.asked["ScalingAdjustment"]
        self._set(group, policies.adjusted(policy.asked, group.desired_capacity, by), why)

    def step(self, group: Group, policy: Policy, value: float, threshold: float, why: str) -> None:
        """Out from what is warm, so that nothing is asked for twice; in when all are warm."""
        by = policies.step_for(policy.asked["StepAdjustments"], value - threshold)
        if by is None:
            return
        warming = self.warming(group, policy)
        desired = group.desired_capacity
        wanted = policies.adjusted(policy.asked, desired - warming, by)
        if wanted > desired or (wanted < desired and not warming):
            self._set(group, wanted, why)

    def cools(self, group: Group, policy: Policy) -> bool:
        """Whether the last change is too recent, or not done, for a simple policy."""
        cooldown = policy.asked.get("Cooldown")
        seconds = group.default_cooldown if cooldown is None else cooldown
        recent = group.last_scaling is not None and (
            self._engine.clock() - group.last_scaling < timedelta(seconds=seconds)
        )
        return recent or any(each.starting for each in group.members)

    def warming(self, group: Group, policy: Policy) -> int:
        """Instances that are there, or on their way, and not yet in the metrics as they will be."""
        seconds = policy.asked.get("EstimatedInstanceWarmup")
        if seconds is None:
            seconds = group.default_instance_warmup
        if seconds is None:
            seconds = group.default_cooldown
        warm = timedelta(seconds=seconds)
        now = self._engine.clock()
        ready = sum(each.in_service and now - each.since >= warm for each in group.counted())
        return max(0, group.desired_capacity - ready)

    # how

    def _track(self, group: Group, policy: Policy, high: bool, why: str) -> None:
        desired = group.desired_capacity
        if high:
            wanted = self._tracked(group, policy)
            if policy.enabled and wanted is not None and wanted > desired:
                self._set(group, wanted, why)
        elif self._all_low(group) and not self.warming(group, policy):
            asked = [self._tracked(group, each) for each in self._scaling_in(group)]
            if None not in asked and max(asked) < desired:
                self._set(group, desired - 1, why)  # gradually, as AWS does

    def _scaling_in(self, group: Group) -> list[Policy]:
        return [each for each in group.policies if each.kind == TRACKING and each.enabled
                and each.scales_in]  # fmt: skip

    def _all_low(self, group: Group) -> bool:
        """Whether every policy would scale in; one without data would not."""
        alarms = self._engine.cloud.backend("cloudwatch").alarms
        return all(
            each.alarms[-1] in alarms and alarms[each.alarms[-1]].state_value == "ALARM"
            for each in self._scaling_in(group)
        )

    def _tracked(self, group: Group, policy: Policy) -> int | None:
        """What a policy asks for now; None if nothing was measured."""
        metric, statistic = self._tracking.metric(group, policy.tracking)
        value = self._latest(metric, statistic, PERIOD)
        if value is None:
            return None
        in_service = sum(each.in_service for each in group.members)
        return policies.tracked(max(1, in_service), value, policy.tracking["TargetValue"])

    def _aggregation(self, policy: Policy) -> str:
        return policy.asked.get("MetricAggregationType") or "Average"

    def _latest(self, metric, statistic: str, period: int) -> float | None:
        """The statistic of the newest whole period that has data."""
        end = self._engine.clock().replace(tzinfo=UTC)
        end -= timedelta(seconds=end.timestamp() % period)
        found = self._engine.cloud.service(Metrics).statistics(
            metric.namespace, metric.name, dict(metric.dimensions), period, statistic,
            end - max(RECENT, timedelta(seconds=2 * period)), end,
        )  # fmt: skip
        return found[-1][1] if found else None

    def _set(self, group: Group, wanted: int, why: str) -> None:
        bounded = min(max(wanted, group.min_size), group.max_size)
        if wanted != bounded:
            log.info("%s: %s would be %d", group.name, why, wanted)
        self._change(group, bounded, why)


def check(asked: dict) -> None:
    """Raise for what PutScalingPolicy cannot be asked for."""
    kind = asked.get("PolicyType") or SIMPLE
    if kind not in (SIMPLE, STEP, TRACKING):
        raise invalid(f"The local cloud has the policies {SIMPLE}, {STEP}, {TRACKING}, not {kind}.")
    if kind == TRACKING:
        configuration = asked.get("TargetTrackingConfiguration")
        if not configuration:
            raise invalid("TargetTrackingConfiguration is required for TargetTrackingScaling.")
        if configuration["TargetValue"] <= 0:
            raise invalid("TargetValue must be greater than 0.")
        return
    if asked.get("AdjustmentType") not in policies.ADJUSTMENTS:
        raise invalid(f"AdjustmentType must be one of {', '.join(policies.ADJUSTMENTS)}.")
    if kind == SIMPLE:
        if asked.get("ScalingAdjustment") is None:
            raise invalid("You must specify a ScalingAdjustment for policy type: SimpleScaling")
        return
    steps = asked.get("StepAdjustments") or []
    if not steps:
        raise invalid("You must specify StepAdjustments for policy type: StepScaling")
    _check_steps(steps)


def _check_steps(steps: list[dict]) -> None:
    """The intervals must meet, and nothing may be in two."""
    infinite = float("inf")
    bounds = sorted(
        (each.get("MetricIntervalLowerBound", -infinite),
         each.get("MetricIntervalUpperBound", infinite))
        for each in steps
    )  # fmt: skip
    for (_, high), (low, _) in pairwise(bounds):
        if high != low:
            raise invalid("StepAdjustment intervals can't overlap and can't have gaps.")
    if any(low >= high for low, high in bounds):
        raise invalid("A StepAdjustment's lower bound must be below its upper bound.")
