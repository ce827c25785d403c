"""A scaling policy, and the capacity that it asks for."""

import math
import uuid
from dataclasses import dataclass, field

from localcloud.settings import ACCOUNT, REGION

SIMPLE, STEP, TRACKING = "SimpleScaling", "StepScaling", "TargetTrackingScaling"
ADJUSTMENTS = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")


@dataclass(eq=False)
class Policy:
    """``asked`` is what PutScalingPolicy was asked for, by its names."""

    group: str
    name: str
    asked: dict
    alarms: list[str] = field(default_factory=list)  # of a tracking policy's own
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def kind(self) -> str:
        return self.asked.get("PolicyType") or SIMPLE

    @property
    def arn(self) -> str:
        return (
            f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:{self.id}:"
            f"autoScalingGroupName/{self.group}:policyName/{self.name}"
        )

    @property
    def enabled(self) -> bool:
        return self.asked.get("Enabled", True)

    @property
    def tracking(self) -> dict:
        return self.asked.get("TargetTrackingConfiguration") or {}

    @property
    def scales_in(self) -> bool:
        return not self.tracking.get("DisableScaleIn", False)


def adjusted(asked: dict, capacity: int, by: int) -> int:
    """The capacity after an adjustment: AWS rounds a share away from no change at all."""
    kind = asked["AdjustmentType"]
    if kind == "ExactCapacity":
        return by
    if kind == "ChangeInCapacity":
        return capacity + by
    change = capacity * by / 100
    change = math.floor(change) if change >= 1 else math.ceil(change) if change <= -1 else change
    if 0 < abs(change) < 1:
        change = math.copysign(1, change)
    least = asked.get("MinAdjustmentMagnitude") or 0
    if by and abs(change) < least:
        change = math.copysign(least, by)
    return capacity + int(change)


def step_for(steps: list[dict], distance: float) -> int | None:
    """The adjustment for a metric that is so far from its alarm's threshold.

    Of an interval that bound belongs to it which is nearer to the threshold.
    """
    for each in sorted(steps, key=_below):
        low, high = (each.get(f"MetricInterval{which}Bound") for which in ("Lower", "Upper"))
        if _below(each):
            found = (low is None or distance > low) and (high is None or distance <= high)
        else:
            found = (low is None or distance >= low) and (high is None or distance < high)
        if found:
            return each["ScalingAdjustment"]
    return None


def _below(step: dict) -> bool:
    """Whether an interval is below the threshold."""
    high = step.get("MetricIntervalUpperBound")
    return high is not None and high <= 0


def tracked(in_service: int, value: float, target: float) -> int:
    """How many would bring the metric to its target, if it falls as the number grows."""
    return math.ceil(in_service * value / target - 1e-9)
