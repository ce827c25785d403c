"""Detailed monitoring of instances, which moto cannot switch."""

from moto.core.responses import ActionResult
from moto.ec2.responses.monitoring import Monitoring

from localcloud.hooks import hook
from localcloud.services.base import Service


class DetailedMonitoring(Service):
    """MonitorInstances: a data point for each minute instead of one for five."""

    @hook(Monitoring, "monitor_instances", "self")
    def monitor(self, original, response):
        return self._switch(response, "enabled")

    @hook(Monitoring, "unmonitor_instances", "self")
    def unmonitor(self, original, response):
        return self._switch(response, "disabled")

    def _switch(self, response, state: str):
        response.error_on_dryrun()
        backend = response.ec2_backend
        found = [backend.get_instance(each) for each in response._get_param("InstanceIds", [])]
        for instance in found:
            instance.monitoring_state = state
        return ActionResult(
            {
                "InstanceMonitorings": [
                    {"InstanceId": each.id, "Monitoring": {"State": state}} for each in found
                ]
            }
        )
