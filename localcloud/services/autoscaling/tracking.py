"""Target tracking: the metric, and the two alarms on it that AWS makes for a policy."""

import uuid

from localcloud.services.autoscaling.errors import invalid
from localcloud.services.autoscaling.model import Group
from localcloud.services.autoscaling.policy import Policy
from localcloud.services.cloudwatch.store import Metric

PERIOD = 60
HIGH_PERIODS, LOW_PERIODS = 3, 15
LOW_SHARE = 0.9
OF_GROUP = {
    "ASGAverageCPUUtilization": "CPUUtilization",
    "ASGAverageNetworkIn": "NetworkIn",
    "ASGAverageNetworkOut": "NetworkOut",
}
REQUESTS = "ALBRequestCountPerTarget"


class Tracking:
    def __init__(self, cloud):
        self._cloud = cloud

    def metric(self, group: Group, configuration: dict) -> tuple[Metric, str]:
        """What is tracked, and which statistic of it."""
        predefined = configuration.get("PredefinedMetricSpecification")
        custom = configuration.get("CustomizedMetricSpecification")
        if bool(predefined) == bool(custom):
            raise invalid(
                "TargetTrackingConfiguration must have either a PredefinedMetricSpecification or a "
                "CustomizedMetricSpecification."
            )
        if custom:
            return self._custom(custom)
        kind = predefined["PredefinedMetricType"]
        if kind == REQUESTS:
            return self._requests(group, predefined.get("ResourceLabel") or "")
        if kind not in OF_GROUP:
            raise invalid(f"The local cloud tracks no {kind}.")
        return Metric.of("AWS/EC2", OF_GROUP[kind], {"AutoScalingGroupName": group.name}), "Average"

    def _custom(self, custom: dict) -> tuple[Metric, str]:
        if custom.get("Metrics"):
            raise invalid("The local cloud tracks one metric: metric math is refused.")
        if custom.get("Period", PERIOD) != PERIOD:
            raise invalid("The local cloud tracks metrics by the minute.")
        missing = [name for name in ("Namespace", "MetricName", "Statistic") if name not in custom]
        if missing:
            raise invalid(f"CustomizedMetricSpecification lacks {', '.join(missing)}.")
        dimensions = {each["Name"]: each["Value"] for each in custom.get("Dimensions") or []}
        return Metric.of(custom["Namespace"], custom["MetricName"], dimensions), custom["Statistic"]

    def _requests(self, group: Group, label: str) -> tuple[Metric, str]:
        """The label is app/NAME/ID/targetgroup/NAME/ID."""
        balancer, found, rest = label.partition("/targetgroup/")
        target_group = f"targetgroup/{rest}"
        arns = [each for each in group.target_group_arns if each.endswith(f":{target_group}")]
        attached = found and any(
            arn.endswith(f":loadbalancer/{balancer}")
            for each in arns
            for arn in self._cloud.backend("elbv2").target_groups[each].load_balancer_arns
        )
        if not attached:
            raise invalid(
                f"Invalid resource label {label!r}: it must be the load balancer's and the target "
                "group's (app/NAME/ID/targetgroup/NAME/ID), and the target group must be attached "
                "to the Auto Scaling group."
            )
        dimensions = {"LoadBalancer": balancer, "TargetGroup": target_group}
        return Metric.of("AWS/ApplicationELB", "RequestCountPerTarget", dimensions), "Sum"

    def make_alarms(self, group: Group, policy: Policy) -> None:
        """Alarms as AWS makes them; a policy that does not scale in has the upper one only."""
        configuration = policy.tracking
        metric, statistic = self.metric(group, configuration)
        target = configuration["TargetValue"]
        wanted = [("AlarmHigh", "GreaterThanThreshold", HIGH_PERIODS, target)]
        if policy.scales_in:
            wanted.append(("AlarmLow", "LessThanThreshold", LOW_PERIODS, target * LOW_SHARE))
        self.remove_alarms(policy)
        for kind, comparison, periods, threshold in wanted:
            name = f"TargetTracking-{group.name}-{kind}-{uuid.uuid4()}"
            alarm = self._cloud.backend("cloudwatch").put_metric_alarm(
                name=name,
                namespace=metric.namespace,
                metric_name=metric.name,
                comparison_operator=comparison,
                evaluation_periods=periods,
                period=PERIOD,
                threshold=threshold,
                statistic=statistic,
                description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}",
                dimensions=[{"Name": key, "Value": value} for key, value in metric.dimensions],
                alarm_actions=[policy.arn],
                ok_actions=[],
                insufficient_data_actions=[],
            )
            alarm.state_value, alarm.state_reason_data = "INSUFFICIENT_DATA", None
            policy.alarms.append(name)

    def remove_alarms(self, policy: Policy) -> None:
        backend = self._cloud.backend("cloudwatch")
        backend.delete_alarms([each for each in policy.alarms if each in backend.alarms])
        policy.alarms = []
