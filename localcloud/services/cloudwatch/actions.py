"""What alarms do: who is called for which ARN.

A service says what it takes by an entry of ``ALARM_ACTIONS``, when it is made:

    ALARM_ACTIONS["arn:aws:autoscaling:"] = Action(self.policy_alarmed, repeats=True)

and is called with the action's ARN, moto's alarm and the new state ("OK", "ALARM",
"INSUFFICIENT_DATA"); ``alarm.state_value`` is that state already. What it raises becomes a failed
action of the alarm's history. It is called in the thread that evaluates alarms, so what takes
long belongs into another.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """``repeats``: not only when the state changes, but each minute while it lasts."""

    call: Callable[[str, object, str], None]
    repeats: bool = False


ALARM_ACTIONS: dict[str, Action] = {}
"""By the beginning of the action's ARN."""


def find(arn: str) -> Action | None:
    """Who does this; None if nobody does."""
    return next((ALARM_ACTIONS[each] for each in ALARM_ACTIONS if arn.startswith(each)), None)
