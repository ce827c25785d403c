"""An instance refresh: what it was asked for and how far it is."""

import math
import uuid
from dataclasses import dataclass, field
from datetime import datetime

ACTIVE = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
PREFERENCES = {
    "MinHealthyPercentage": 90,
    "MaxHealthyPercentage": 100,
    "SkipMatching": False,
    "AutoRollback": False,
    "ScaleInProtectedInstances": "Wait",
    "StandbyInstances": "Wait",
}
CHECKPOINT_DELAY = 3600


@dataclass
class Rollback:
    """What there was when a refresh began to go back."""

    reason: str
    start: datetime
    percentage: int
    left: int


@dataclass(eq=False)
class Refresh:
    """``old`` are the instances that are still to be replaced; ``before`` is what they are of."""

    preferences: dict
    start: datetime
    before: dict
    desired: dict | None = None
    old: set[str] = field(default_factory=set)
    total: int = 0
    status: str = "Pending"
    reason: str = ""
    end: datetime | None = None
    rollback: Rollback | None = None
    failures: int = 0
    passed: set[int] = field(default_factory=set)  # checkpoints
    resume_at: datetime | None = None
    waits_since: datetime | None = None  # for protected instances or such in standby
    baked_at: datetime | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def percentage(self) -> int:
        return 100 if not self.total else (self.total - len(self.old)) * 100 // self.total

    def aim(self, ids: set[str]) -> None:
        """These instances are to be replaced, from now on."""
        self.old, self.total = set(ids), len(ids)

    def least(self, desired: int) -> int:
        """How many must be healthy at every moment."""
        return math.ceil(desired * self.preferences["MinHealthyPercentage"] / 100)

    def most(self, desired: int) -> int:
        """How many there may be."""
        return math.ceil(desired * max(100, self.preferences["MaxHealthyPercentage"]) / 100)

    def allowance(self) -> int:
        """How many may be replaced until the next checkpoint."""
        replaced = self.total - len(self.old)
        if self.rollback is not None:
            return len(self.old)
        for each in sorted(self.preferences.get("CheckpointPercentages") or ()):
            if each not in self.passed:
                return max(0, math.ceil(self.total * each / 100) - replaced)
        return len(self.old)

    def described(self, group) -> dict:
        found = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": group.name,
            "Status": self.status,
            "StatusReason": self.reason or None,
            "StartTime": self.start,
            "EndTime": self.end,
            "PercentageComplete": self.percentage,
            "InstancesToUpdate": len(self.old),
            "ProgressDetails": {
                "LivePoolProgress": {
                    "PercentageComplete": self.percentage, "InstancesToUpdate": len(self.old),
                }
            },
            "Preferences": self.preferences,
            "DesiredConfiguration": self.desired,
            "Strategy": "Rolling",
        }  # fmt: skip
        if self.rollback is not None:
            found["RollbackDetails"] = {
                "RollbackReason": self.rollback.reason,
                "RollbackStartTime": self.rollback.start,
                "PercentageCompleteOnRollback": self.rollback.percentage,
                "InstancesToUpdateOnRollback": self.rollback.left,
            }
        return {key: value for key, value in found.items() if value is not None}


def running(group) -> Refresh | None:
    """The refresh that a group is in."""
    return next((each for each in group.refreshes if each.active), None)
