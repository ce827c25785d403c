"""Once, a zone has no room: the first host that is asked for is not to be had for some seconds.

AWS's error is one that SDKs try again by themselves within a second or two, so the zone stays full
for longer than that.
"""

from localcloud.calls import Call
from localcloud.errors import Refusal
from localcloud.services.pace.recent import Recent

SECONDS = 12
CALLS = ("RunInstances", "StartInstances")


class Capacity:
    def __init__(self, recent: Recent):
        self._recent = recent
        self._missed = False

    def check(self, call: Call) -> None:
        if call.service != "ec2" or call.operation not in CALLS or call.parameters.get("DryRun"):
            return
        if not self._missed:
            self._missed = True
            self._recent.note("no capacity", SECONDS)
        if self._recent.find("no capacity"):
            raise Refusal(
                (500, "InsufficientInstanceCapacity"),
                "We currently do not have sufficient capacity in the Availability Zone you "
                "requested. Our system will be working on provisioning additional capacity.",
            )
