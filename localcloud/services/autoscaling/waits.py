"""How an instance waits for its group's lifecycle hooks."""

import uuid
from datetime import datetime, timedelta

from localcloud.services.autoscaling.errors import invalid
from localcloud.services.autoscaling.model import Group, Hook, Member, Wait

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
ENDING = "autoscaling:EC2_INSTANCE_TERMINATING"
TRANSITIONS = (LAUNCHING, ENDING)
CONTINUE, ABANDON = "CONTINUE", "ABANDON"
SHORTEST, LONGEST = 30, 7200


def read(params: dict, old: Hook | None = None) -> Hook:
    """A hook as PutLifecycleHook and CreateAutoScalingGroup name it; ``old`` is what was there."""
    transition = params.get("LifecycleTransition") or (old.transition if old else None)
    timeout = params.get("HeartbeatTimeout") or (old.timeout if old else 3600)
    default = params.get("DefaultResult") or (old.default if old else ABANDON)
    if transition not in TRANSITIONS:
        raise invalid(f"Invalid lifecycle transition: {transition}")
    if not SHORTEST <= timeout <= LONGEST:
        raise invalid(
            f"HeartbeatTimeout must be between {SHORTEST} and {LONGEST} seconds, not {timeout}."
        )
    if default not in (CONTINUE, ABANDON):
        raise invalid("DefaultResult must be CONTINUE or ABANDON.")
    if params.get("NotificationTargetARN"):
        raise invalid("The local cloud notifies nobody of lifecycle actions: ask the metadata.")
    metadata = params.get("NotificationMetadata") or (old.metadata if old else None)
    return Hook(params["LifecycleHookName"], transition, timeout, default, metadata)


def begin(group: Group, member: Member, transition: str, now: datetime) -> bool:
    """Let it wait for every hook of this transition; False if there is none."""
    member.waits = [_wait(each, now) for each in group.hooks if each.transition == transition]
    return bool(member.waits)


def _wait(hook: Hook, now: datetime) -> Wait:
    return Wait(
        hook.name,
        str(uuid.uuid4()),
        now + timedelta(seconds=hook.timeout),
        now + timedelta(seconds=hook.longest),
        hook.default,
    )


def heartbeat(group: Group, wait: Wait, now: datetime) -> None:
    """Start the hook's time again, but never beyond the longest that AWS lets it wait."""
    hook = next((each for each in group.hooks if each.name == wait.hook), None)
    if hook is not None:
        wait.until = min(now + timedelta(seconds=hook.timeout), wait.latest)


def complete(member: Member, wait: Wait, result: str) -> None:
    """The hook's action is done; ABANDON ends the other hooks' time too."""
    member.waits.remove(wait)
    if result == ABANDON:
        _abandon(member, wait, "Lifecycle Action Completed with ABANDON Result")


def expire(member: Member, now: datetime) -> None:
    """What the hooks say whose time is over."""
    for wait in [each for each in member.waits if each.until <= now]:
        if wait in member.waits:
            member.waits.remove(wait)
            if wait.default == ABANDON:
                _abandon(member, wait, "Heartbeat Timeout")


def _abandon(member: Member, wait: Wait, why: str) -> None:
    member.waits = []
    member.abandoned = (
        "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token "
        f"{wait.token} was abandoned: {why}"
    )
