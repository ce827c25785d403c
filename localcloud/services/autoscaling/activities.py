"""What a group did and why, in AWS's words."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

KEPT = 200  # AWS keeps six weeks

DIFFERENCE = "in response to a difference between desired and actual capacity"


@dataclass(eq=False)
class Activity:
    description: str
    cause: str
    start: datetime
    status: str = "InProgress"
    message: str = ""
    end: datetime | None = None
    progress: int = 0
    details: str = "{}"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def finish(self, now: datetime, status: str = "Successful", message: str = "") -> None:
        if self.end is None:
            self.status, self.message, self.end, self.progress = status, message, now, 100

    def described(self, group) -> dict:
        found = {
            "ActivityId": self.id,
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.start,
            "StatusCode": self.status,
            "Progress": self.progress,
            "Details": self.details,
        }
        if self.end is not None:
            found["EndTime"] = self.end
        if self.message:
            found["StatusMessage"] = self.message
        return found


def begin(group, now: datetime, description: str, cause: str) -> Activity:
    """Note that a group has begun to do something; the newest is first."""
    made = Activity(description, cause, now)
    group.activities.insert(0, made)
    del group.activities[KEPT:]
    return made


def at(now: datetime, what: str) -> str:
    """A sentence of a cause."""
    return f"At {now:%Y-%m-%dT%H:%M:%SZ} {what}."


def together(*sentences: str) -> str:
    return "  ".join(each for each in sentences if each)
