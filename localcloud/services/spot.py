"""Spot instances: EC2 may take them back, and says so two minutes before.

What is taken back, and when, is a fault's to say (`fault spot-interrupt`): there is no market here.
"""

import logging
from datetime import timedelta

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import StateReason
from moto.ec2.responses.spot_instances import SpotInstances as SpotResponse

from localcloud.errors import Refusal
from localcloud.faults import FaultError
from localcloud.hooks import hook
from localcloud.services.background import threads
from localcloud.services.base import Service
from localcloud.services.instances import Instances, tag

log = logging.getLogger("localcloud.spot")

NOTICE = timedelta(minutes=2)
REASON = "Server.SpotInstanceTermination"


class Spot(Service):
    """Spot instances that are there until they are interrupted."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.clock = utcnow
        self.run = threads("spot", 2)
        self._ending: set[str] = set()

    def interrupt(self, target: str) -> bool:
        """Give notice to an instance, or to every Spot instance of a group."""
        found = [each for each in self.cloud.service(Instances).all() if each.state == "running"]
        group = self.cloud.backend("autoscaling").autoscaling_groups.get(target)
        if group is not None:
            ids = {each.instance.id for each in group.instance_states}
            chosen = [each for each in found if each.id in ids and each.lifecycle == "spot"]
        else:
            chosen = [
                each for each in found if target in (each.id, tag(each, "Name"), each.private_ip)
            ]
        if group is None and not chosen:
            return False
        if not chosen or any(each.lifecycle != "spot" for each in chosen):
            raise FaultError(f"{target} is not on Spot: `localcloud status` lists what is")
        now = self.clock()
        for instance in chosen:
            if getattr(instance, "spot_notice", None) is None:
                instance.rebalance_notice, instance.spot_notice = now, now + NOTICE
                log.warning("%s: interrupted at %s", instance.id, instance.spot_notice)
        return True

    def reconcile(self) -> None:
        now = self.clock()
        for instance in self.cloud.service(Instances).all():
            notice = getattr(instance, "spot_notice", None)
            if (
                notice is not None
                and notice <= now
                and instance.state == "running"
                and instance.id not in self._ending
            ):
                self._ending.add(instance.id)
                self.run(lambda instance=instance: self._take_back(instance))

    def _take_back(self, instance) -> None:
        try:
            instance.disable_api_termination = False
            self.cloud.backend("ec2").terminate_instances([instance.id])
            self.cloud.backend("elbv2").notify_terminate_instances([instance.id])
            message = f"{REASON}: Spot instance termination"
            instance._reason = message
            instance.state_reason = StateReason(message, REASON)
            self.cloud.settle()
        except EC2ClientError as error:  # another call changes it: once more in the next round
            log.info("%s: %s", instance.id, error)
        finally:
            self._ending.discard(instance.id)

    # calls

    @hook(SpotResponse, "describe_spot_price_history", "self")
    def prices(self, original, response):
        """moto makes them up."""
        raise Refusal("not supported", "The local cloud has no Spot market, and so no prices.")
