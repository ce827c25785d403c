"""Groups as the API makes, changes and describes them."""

from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.hooks import addition, hook
from localcloud.services.autoscaling import checks, waits
from localcloud.services.autoscaling.activities import at
from localcloud.services.autoscaling.engine import Engine
from localcloud.services.autoscaling.errors import already_exists, in_progress, in_use, invalid
from localcloud.services.autoscaling.model import ASG_NAME_TAG, Group, Member
from localcloud.services.autoscaling.rebalancing import Rebalancing
from localcloud.services.base import Row, Service

METRICS = tuple(
    f"{of}{what}"
    for of, whats in {
        "Group": (
            "MinSize", "MaxSize", "DesiredCapacity", "InServiceInstances", "PendingInstances",
            "StandbyInstances", "TerminatingInstances", "TotalInstances", "InServiceCapacity",
            "PendingCapacity", "StandbyCapacity", "TerminatingCapacity", "TotalCapacity",
        ),
        "WarmPool": (
            "DesiredCapacity", "WarmedCapacity", "PendingCapacity", "TerminatingCapacity",
            "TotalCapacity",
        ),
        "GroupAndWarmPool": ("DesiredCapacity", "TotalCapacity"),
    }.items()
    for what in whats
)  # fmt: skip
PAGE, LONGEST_PAGE = 50, 100
DELETING = "Delete in progress"


class AutoScaling(Service):
    """Groups, and the engine that makes them so."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.engine = Engine(cloud)
        Rebalancing(self.engine)

    def reconcile(self) -> None:
        self.engine.round()

    def adopt(self) -> list[str]:
        """Take in what was launched for a group when the process ended."""
        said = []
        for group in self.engine.groups():
            for instance in self.cloud.backend("ec2").all_instances():
                tags = {each["key"]: each["value"] for each in instance.get_tags()}
                if (
                    instance.state == "running"
                    and tags.get(ASG_NAME_TAG) == group.name
                    and group.member(instance.id) is None
                ):
                    self.engine.take_in(group, instance, tags)
                    said.append(f"{instance.id} joins the group {group.name}: it was on its way")
        return said

    def rows(self) -> list[Row]:
        return [self._row(each) for each in self.engine.groups()]

    def _row(self, group: Group) -> Row:
        there = [each for each in group.members if each.in_service]
        states = [f"{each.id} {each.lifecycle_state}" for each in group.members]
        short = len(there) < group.desired_capacity
        last = next((each.message for each in group.activities if each.end), "")
        return Row(
            id=group.name,
            kind="Auto Scaling group",
            state=group.status or f"{group.min_size} to {group.max_size}",
            real=", ".join(states),
            health=f"{len(there)} of {group.desired_capacity} in service"
            + (f": {last}" if short and last else ""),
        )

    # calls

    @hook(AutoScalingResponse, "call_action", "self")
    def known(self, original, response):
        """moto trips over a group that is not there, or says yes."""
        action = response._get_action()
        name = response._get_param("AutoScalingGroupName")
        try:
            if name and (not action.startswith(("Create", "Describe")) or action.endswith("Hooks")):
                group = find(response.autoscaling_backend, name)
                if group.status and not action.startswith(("Describe", "DeleteAuto")):
                    raise invalid(f"AutoScalingGroup {name} is being deleted")
        except Exception as error:
            status, headers, body = response.serialized(ActionResult(error))
            return status, {**headers, "status": status}, body
        with self.engine.lock:
            return original(response)

    @hook(AutoScalingResponse, "create_auto_scaling_group", "self")
    def create(self, original, response):
        params, backend = response.params, response.autoscaling_backend
        name = params["AutoScalingGroupName"]
        if name in backend.autoscaling_groups:
            raise already_exists(
                "AutoScalingGroup by this name already exists - A group with the name "
                f"{name} already exists"
            )
        least, most = params["MinSize"], params["MaxSize"]
        desired = params.get("DesiredCapacity", least)
        checks.sizes(least, most, desired)
        checks.health_check(params.get("HealthCheckType"))
        checks.termination_policies(params.get("TerminationPolicies"))
        checks.target_groups(self.cloud.backend("elbv2"), params.get("TargetGroupARNs") or [])
        group = Group(
            name=name,
            availability_zones=params.get("AvailabilityZones") or [],
            desired_capacity=desired,
            max_size=most,
            min_size=least,
            launch_config_name=None,
            vpc_zone_identifier=params.get("VPCZoneIdentifier"),
            default_cooldown=params.get("DefaultCooldown"),
            health_check_period=params.get("HealthCheckGracePeriod", 0),
            health_check_type=params.get("HealthCheckType"),
            load_balancers=[],
            target_group_arns=list(params.get("TargetGroupARNs") or []),
            placement_group=None,
            termination_policies=params.get("TerminationPolicies") or [],
            autoscaling_backend=backend,
            ec2_backend=self.cloud.backend("ec2"),
            tags=params.get("Tags") or [],
            capacity_rebalance=params.get("CapacityRebalance", False),
            new_instances_protected_from_scale_in=params.get(
                "NewInstancesProtectedFromScaleIn", False
            ),
            **self._launches(params, None),
        )
        group.default_cooldown = params.get("DefaultCooldown", 300)
        group.default_instance_warmup = params.get("DefaultInstanceWarmup")
        group.hooks = [
            waits.read(each) for each in params.get("LifecycleHookSpecificationList", [])
        ]
        group.causes = [
            at(self.engine.clock(), "a user request created an AutoScalingGroup changing the "
               f"desired capacity from 0 to {desired}")
        ]  # fmt: skip
        backend.autoscaling_groups[name] = group
        return EmptyResult()

    @hook(AutoScalingResponse, "update_auto_scaling_group", "self")
    def update(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        least = params.get("MinSize", group.min_size)
        most = params.get("MaxSize", group.max_size)
        desired = params.get(
            "DesiredCapacity", max(least, min(most, group.desired_capacity))
        )  # fmt: skip
        checks.sizes(least, most, desired)
        checks.health_check(params.get("HealthCheckType"))
        checks.termination_policies(params.get("TerminationPolicies"))
        launches = self._launches(params, group)
        if launches and group.desired_configuration is not None:
            raise invalid(
                "An active instance refresh with a desired configuration exists. All configuration "
                "options derived from the desired configuration are not available for update while "
                "the instance refresh is active."
            )
        if params.get("VPCZoneIdentifier") or params.get("AvailabilityZones"):
            group._set_azs_and_vpcs(
                params.get("AvailabilityZones") or [], params.get("VPCZoneIdentifier"), update=True
            )
        if launches:
            group.mixed_instances_policy = launches["mixed_instances_policy"]
            group._set_launch_configuration(None, **launches)
        group.min_size, group.max_size = least, most
        for name, attribute in ATTRIBUTES.items():
            if name in params:
                setattr(group, attribute, params[name])
        self.change(
            group, desired, "a user request update of AutoScalingGroup constraints to min: "
            f"{least}, max: {most}, desired: {desired}",
        )  # fmt: skip
        return EmptyResult()

    def _launches(self, params: dict, group: Group | None) -> dict:
        """What a group is to launch, if that was said."""
        ec2 = self.cloud.backend("ec2")
        template, mixed = params.get("LaunchTemplate"), params.get("MixedInstancesPolicy")
        if bool(template) == bool(mixed):
            if group is not None and not template:
                return {}
            raise invalid(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, "
                "InstanceId or MixedInstancesPolicy parameter."
            )
        if template:
            filled = checks.launch_template(ec2, template)
            if not filled.get("Version"):
                filled.pop("Version", None)
            return {
                "launch_template": {
                    key: value for key, value in filled.items() if key != "LaunchTemplateName"
                },
                "mixed_instances_policy": None,
            }
        if group is not None and group.mixed_instances_policy:
            mixed = _merged(group.mixed_instances_policy, mixed)
        policy = checks.mixed_policy(ec2, mixed)
        return {"launch_template": {}, "mixed_instances_policy": _for_moto(policy)}

    @hook(AutoScalingResponse, "delete_auto_scaling_group", "self")
    def delete(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        if not params.get("ForceDelete"):
            if group.members:
                raise in_use(
                    "You cannot delete an AutoScalingGroup while there are instances or pending "
                    "Spot instance request(s) still in the group."
                )
            if self.engine.hosts.flying(group):
                raise in_progress(
                    "You cannot delete an AutoScalingGroup while there are scaling activities in "
                    "progress for that group."
                )
        group.status = DELETING
        self.engine.step(group)
        return EmptyResult()

    @hook(AutoScalingResponse, "set_desired_capacity", "self")
    def set_desired(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        desired = params["DesiredCapacity"]
        if desired > group.max_size:
            raise invalid(
                f"New SetDesiredCapacity value {desired} is above max value {group.max_size} for "
                "the AutoScalingGroup."
            )
        if desired < group.min_size:
            raise invalid(
                f"New SetDesiredCapacity value {desired} is below min value {group.min_size} for "
                "the AutoScalingGroup."
            )
        if params.get("HonorCooldown") and self.engine.cools(group):
            raise in_progress(
                f"Scaling activity {group.activities[0].id if group.activities else ''} is in "
                "progress and blocks this action"
            )
        self.change(group, desired, "a user request explicitly set group desired capacity")
        return EmptyResult()

    def change(self, group: Group, desired: int, why: str) -> None:
        """Give a group another capacity, and remember why for what follows from it."""
        if desired != group.desired_capacity:
            now = self.engine.clock()
            before, group.desired_capacity = group.desired_capacity, desired
            group.causes.append(
                at(now, f"{why} changing the desired capacity from {before} to {desired}")
            )
            group.last_scaling = now

    @hook(AutoScalingResponse, "describe_auto_scaling_groups", "self")
    def describe(self, original, response):
        params = response.params
        found = response.autoscaling_backend.describe_auto_scaling_groups(
            params.get("AutoScalingGroupNames") or [], filters=params.get("Filters") or []
        )
        shown, token = page([each for each in found if isinstance(each, Group)], params)
        return ActionResult(
            {"AutoScalingGroups": [described(each) for each in shown], "NextToken": token}
        )

    @hook(AutoScalingResponse, "describe_auto_scaling_instances", "self")
    def describe_instances(self, original, response):
        wanted = response.params.get("InstanceIds")
        found = [
            {**member.described(), "AutoScalingGroupName": group.name,
             "HealthStatus": member.health_status.upper()}
            for group in self.engine.groups()
            for member in group.members
            if not wanted or member.id in wanted
        ]  # fmt: skip
        shown, token = page(found, response.params)
        return ActionResult({"AutoScalingInstances": shown, "NextToken": token})

    @hook(AutoScalingResponse, "describe_scaling_activities", "self")
    def describe_activities(self, original, response):
        params = response.params
        name, wanted = params.get("AutoScalingGroupName"), params.get("ActivityIds")
        found = [
            activity.described(group)
            for group in self.engine.groups()
            for activity in group.activities
            if name in (None, group.name) and (not wanted or activity.id in wanted)
        ]
        found.sort(key=lambda each: each["StartTime"], reverse=True)
        shown, token = page(found, params, LONGEST_PAGE)
        return ActionResult({"Activities": shown, "NextToken": token})

    @hook(AutoScalingResponse, "suspend_processes", "self")
    def suspend(self, original, response):
        group, names = self._processes(response)
        group.suspended_processes = sorted({*group._suspended_processes, *names})
        return EmptyResult()

    @hook(AutoScalingResponse, "resume_processes", "self")
    def resume(self, original, response):
        group, names = self._processes(response)
        group.suspended_processes = sorted({*group._suspended_processes} - {*names})
        return EmptyResult()

    def _processes(self, response) -> tuple[Group, list[str]]:
        names = response.params.get("ScalingProcesses") or list(checks.PROCESSES)
        checks.processes(names)
        return find(response.autoscaling_backend, response.params["AutoScalingGroupName"]), names

    @hook(AutoScalingBackend, "notify_terminate_instances", "self, instance_ids")
    def ended(self, original, backend, instance_ids):
        """The engine finds it by itself, as AWS's health check does."""

    @hook(AutoScalingResponse, "attach_load_balancer_target_groups", "self")
    def attach_targets(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        checks.target_groups(self.cloud.backend("elbv2"), params["TargetGroupARNs"])
        fresh = [each for each in params["TargetGroupARNs"] if each not in group.target_group_arns]
        group.target_group_arns = [*group.target_group_arns, *fresh]
        for member in group.members:
            if member.in_service and not group.suspends("AddToLoadBalancer"):
                self.engine.traffic.begin(group, member, fresh)
        return EmptyResult()

    @hook(AutoScalingResponse, "detach_load_balancer_target_groups", "self")
    def detach_targets(self, original, response):
        params = response.params
        group = find(response.autoscaling_backend, params["AutoScalingGroupName"])
        gone = params["TargetGroupARNs"]
        group.target_group_arns = [each for each in group.target_group_arns if each not in gone]
        for member in group.members:
            self.engine.traffic.end(group, member, gone)
        return EmptyResult()

    @hook(AutoScalingBackend, "create_or_update_tags", "self, tags")
    @hook(AutoScalingBackend, "delete_tags", "self, tags")
    def tag(self, original, backend, tags):
        for each in tags:
            find(backend, each["ResourceId"])
        return original(backend, tags)

    @hook(AutoScalingBackend, "enable_metrics_collection", "self, group_name, metrics")
    def enable_metrics(self, original, backend, group_name, metrics):
        group = find(backend, group_name)
        wanted = _metrics(metrics)
        group.metrics = [each for each in METRICS if each in {*group.metrics, *wanted}]

    @addition(AutoScalingResponse, "disable_metrics_collection", "self")
    def disable_metrics_collection(self, response):
        """amazon.aws.autoscaling_group calls it on every group without metrics."""
        group = find(response.autoscaling_backend, response._get_param("AutoScalingGroupName"))
        unwanted = _metrics(response._get_param("Metrics"))
        group.metrics = [each for each in group.metrics if each not in unwanted]
        return EmptyResult()


ATTRIBUTES = {
    "DefaultCooldown": "default_cooldown",
    "HealthCheckType": "health_check_type",
    "HealthCheckGracePeriod": "health_check_grace_period",
    "TerminationPolicies": "termination_policies",
    "NewInstancesProtectedFromScaleIn": "new_instances_protected_from_scale_in",
    "CapacityRebalance": "capacity_rebalance",
    "DefaultInstanceWarmup": "default_instance_warmup",
}


def find(backend, name: str) -> Group:
    group = backend.autoscaling_groups.get(name)
    if not isinstance(group, Group):
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
    return group


def find_member(backend, instance_id: str) -> tuple[Group, Member]:
    """The group of an instance, and the instance there."""
    for group in backend.autoscaling_groups.values():
        member = group.member(instance_id) if isinstance(group, Group) else None
        if member is not None:
            return group, member
    raise invalid(
        f"Instance Id not found - No managed instance found for instance ID {instance_id}"
    )


def page(found: list, params: dict, usual: int = PAGE) -> tuple[list, str | None]:
    """What of a list goes into this answer, and the token that asks for the rest."""
    size = min(int(params.get("MaxRecords") or usual), LONGEST_PAGE)
    token = params.get("NextToken") or "0"
    if not token.isdecimal() or int(token) > len(found):
        raise invalid(f"The token '{token}' is invalid.")
    start = int(token)
    more = start + size < len(found)
    return found[start : start + size], str(start + size) if more else None


def described(group: Group) -> dict:
    found = {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": group.min_size,
        "MaxSize": group.max_size,
        "DesiredCapacity": group.desired_capacity,
        "DefaultCooldown": group.default_cooldown,
        "AvailabilityZones": sorted(set(group.availability_zones)),
        "LoadBalancerNames": [],
        "TargetGroupARNs": group.target_group_arns,
        "HealthCheckType": group.health_check_type,
        "HealthCheckGracePeriod": group.health_check_grace_period,
        "Instances": [each.described() for each in group.members],
        "CreatedTime": group.created_time,
        "SuspendedProcesses": group.suspended_processes,
        "VPCZoneIdentifier": group.vpc_zone_identifier or "",
        "EnabledMetrics": group.enabled_metrics,
        "Status": group.status,
        "Tags": group.tags,
        "TerminationPolicies": group.termination_policies,
        "NewInstancesProtectedFromScaleIn": bool(group.new_instances_protected_from_scale_in),
        "ServiceLinkedRoleARN": group.service_linked_role_arn,
        "CapacityRebalance": bool(group.capacity_rebalance),
        "DefaultInstanceWarmup": group.default_instance_warmup,
    }
    if group.mixed_instances_policy:
        found["MixedInstancesPolicy"] = group.mixed_instances_policy
    else:
        found["LaunchTemplate"] = group.template_specification
    return {key: value for key, value in found.items() if value is not None}


def _merged(old: dict, new: dict) -> dict:
    """What an update does not name stays."""
    distribution = {
        **(old.get("InstancesDistribution") or {}),
        **(new.get("InstancesDistribution") or {}),
    }
    if distribution.get("SpotAllocationStrategy") != "lowest-price":
        distribution.pop("SpotInstancePools", None)
    return {
        "LaunchTemplate": {**old["LaunchTemplate"], **(new.get("LaunchTemplate") or {})},
        "InstancesDistribution": distribution,
    }


def _for_moto(policy: dict) -> dict:
    """moto takes the template by its id or by its name, and fills the other in."""
    of_template = policy["LaunchTemplate"]
    named = dict(of_template["LaunchTemplateSpecification"])
    named.pop("LaunchTemplateName", None)
    return {**policy, "LaunchTemplate": {**of_template, "LaunchTemplateSpecification": named}}


def _metrics(names: list[str] | None) -> tuple[str, ...]:
    """The metrics named; none named are all."""
    unknown = [each for each in names or () if each not in METRICS]
    if unknown:
        raise invalid(f"Unknown metrics: {', '.join(unknown)}")
    return tuple(names or METRICS)
