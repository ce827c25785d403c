"""Lifecycle hooks: put, described, completed, kept alive, deleted."""

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.hooks import addition, hook
from localcloud.services.autoscaling import waits
from localcloud.services.autoscaling.errors import invalid
from localcloud.services.autoscaling.groups import AutoScaling, find
from localcloud.services.autoscaling.model import Group, Hook, Member, Wait
from localcloud.services.base import Service


class LifecycleHooks(Service):
    """What an instance waits for before it goes into service, and before its end."""

    @hook(AutoScalingResponse, "put_lifecycle_hook", "self")
    def put(self, original, response):
        group = self._group(response)
        name = response.params["LifecycleHookName"]
        old = next((each for each in group.hooks if each.name == name), None)
        made = waits.read(response.params, old)
        group.hooks = [each for each in group.hooks if each.name != name] + [made]
        return EmptyResult()

    @hook(AutoScalingResponse, "describe_lifecycle_hooks", "self")
    def describe(self, original, response):
        group = self._group(response)
        wanted = response.params.get("LifecycleHookNames")
        found = [_described(group, each) for each in group.hooks
                 if not wanted or each.name in wanted]  # fmt: skip
        return ActionResult({"LifecycleHooks": found})

    @hook(AutoScalingResponse, "delete_lifecycle_hook", "self")
    def delete(self, original, response):
        """Instances that wait for it go on as if it had been completed."""
        group = self._group(response)
        name = response.params["LifecycleHookName"]
        self._hook(group, name)
        group.hooks = [each for each in group.hooks if each.name != name]
        for member in group.members:
            member.waits = [each for each in member.waits if each.hook != name]
        return EmptyResult()

    @addition(AutoScalingResponse, "complete_lifecycle_action", "self")
    def complete(self, response):
        result = response.params["LifecycleActionResult"]
        if result not in (waits.CONTINUE, waits.ABANDON):
            raise invalid("LifecycleActionResult must be CONTINUE or ABANDON.")
        _, member, wait = self._waiting(response)
        waits.complete(member, wait, result)
        return EmptyResult()

    @addition(AutoScalingResponse, "record_lifecycle_action_heartbeat", "self")
    def heartbeat(self, response):
        group, _, wait = self._waiting(response)
        waits.heartbeat(group, wait, self.cloud.service(AutoScaling).engine.clock())
        return EmptyResult()

    # how

    def _group(self, response) -> Group:
        return find(response.autoscaling_backend, response.params["AutoScalingGroupName"])

    def _hook(self, group: Group, name: str) -> Hook:
        for each in group.hooks:
            if each.name == name:
                return each
        raise invalid(f"No Lifecycle Hook found with name: {name}")

    def _waiting(self, response) -> tuple[Group, Member, Wait]:
        """What an action's token, or the instance, names."""
        params, group = response.params, self._group(response)
        hook = self._hook(group, params["LifecycleHookName"])
        token, instance_id = params.get("LifecycleActionToken"), params.get("InstanceId")
        if not token and not instance_id:
            raise invalid("Either LifecycleActionToken or InstanceId must be specified.")
        for member in group.members:
            for wait in member.waits:
                if wait.hook == hook.name and (
                    wait.token == token if token else member.id == instance_id
                ):
                    return group, member, wait
        named = f"token {token}" if token else f"instance ID {instance_id}"
        raise invalid(f"No active Lifecycle Action found with {named}")


def _described(group: Group, hook: Hook) -> dict:
    found = {
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": group.name,
        "LifecycleTransition": hook.transition,
        "HeartbeatTimeout": hook.timeout,
        "GlobalTimeout": hook.longest,
        "DefaultResult": hook.default,
    }
    return found | ({"NotificationMetadata": hook.metadata} if hook.metadata else {})
