"""See an instance refresh through, and say how far it is: library/asg_refresh.py has the manual."""

import time

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

POLL_SECONDS = 5
DONE = "Successful"


def progress(name, refresh):
    """One line for who waits."""
    left = refresh["left"]
    hosts = "no instance" if not left else f"{left} instance{'s' if left > 1 else ''}"
    reason = f"; {refresh['reason']}" if refresh["reason"] else ""
    return f"{name}: {refresh['status']}, {refresh['percent']} %, {hosts} to go{reason}"


def ended(name, refresh):
    """Why it is a failure; nothing when it is none."""
    if refresh["status"] == DONE:
        return ""
    back = {
        "RollbackSuccessful": "It was led back: every instance is what it was before",
        "RollbackFailed": "It could not be led back either, and has instances of both",
    }.get(refresh["status"], "What was replaced stays so, and the others are what they were")
    reason = refresh["reason"] or "AWS gives no reason"
    return f"{name} was not brought to the new version ({refresh['status']}): {reason}. {back}."


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        given = self._task.args
        result = self._call(given, task_vars)
        if result.get("failed") or not result.get("running"):
            return result
        first, name, said = result, given["name"], ""
        deadline = time.monotonic() + int(given.get("wait_timeout", 3600))
        while result["running"]:
            line = progress(name, result["refresh"])
            if line != said:
                Display().display(line)
                said = line
            if time.monotonic() > deadline:
                return first | {"failed": True, "msg": f"{said}. It goes on without us."}
            time.sleep(POLL_SECONDS)
            result = self._call(given | {"follow": first["refresh"]["id"]}, task_vars)
            if result.get("failed"):
                return result
        problem = ended(name, result["refresh"])
        final = first | {"refresh": result["refresh"], "running": False}
        return final | ({"failed": True, "msg": problem} if problem else {})

    def _call(self, arguments, task_vars):
        return self._execute_module("asg_refresh", module_args=arguments, task_vars=task_vars)
