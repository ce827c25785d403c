"""Auto Scaling groups: what the API is given, and what it tells by our names. Pure functions."""

import base64
import hashlib
import json

# The API's names of what an update may change, by ours.
SETTINGS = {
    "min_size": "MinSize",
    "max_size": "MaxSize",
    "health_check": "HealthCheckType",
    "grace_seconds": "HealthCheckGracePeriod",
    "warmup_seconds": "DefaultInstanceWarmup",
    "capacity_rebalance": "CapacityRebalance",
    "termination_policies": "TerminationPolicies",
}
METRICS = {
    "cpu": "ASGAverageCPUUtilization",
    "requests": "ALBRequestCountPerTarget",
}
TRANSITIONS = {
    "launch": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "termination": "autoscaling:EC2_INSTANCE_TERMINATING",
}
# An instance that still counts for somebody: it serves, or is about to.
COMING = ("Pending", "InService")
ACTIVE = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")


def template_digest(data):
    """What tells one content of a launch template from another."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def template_data(data):
    """``data`` as the API takes it: it wants the user data encoded."""
    user_data = data.get("UserData")
    if user_data is None:
        return data
    return data | {"UserData": base64.b64encode(user_data.encode()).decode()}


def surplus_versions(versions, keep, used):
    """Numbers that may go: all but the newest ``keep``, the ``used`` ones and the default."""
    newest = sorted((each["VersionNumber"] for each in versions), reverse=True)[:keep]
    return sorted(
        each["VersionNumber"]
        for each in versions
        if each["VersionNumber"] not in (*newest, *used) and not each["DefaultVersion"]
    )


def mixed_policy(instances):
    """The MixedInstancesPolicy of our ``instances``."""
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {
                "LaunchTemplateName": instances["template"],
                "Version": str(instances["version"]),
            },
            "Overrides": [{"InstanceType": kind} for kind in instances["types"]],
        },
        "InstancesDistribution": {
            # The first type that can be had: on demand, types are not a lottery.
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandBaseCapacity": instances["on_demand_base"],
            "OnDemandPercentageAboveBaseCapacity": instances["on_demand_percent"],
            "SpotAllocationStrategy": instances["spot_strategy"],
        },
    }


def shown_policy(policy):
    """A MixedInstancesPolicy by our names; empty for none."""
    if not policy:
        return {}
    template = policy["LaunchTemplate"]
    used = template["LaunchTemplateSpecification"]
    distribution = policy.get("InstancesDistribution", {})
    return {
        "template": used.get("LaunchTemplateName"),
        "version": str(used.get("Version")),
        "types": [each["InstanceType"] for each in template.get("Overrides", [])],
        "on_demand_base": distribution.get("OnDemandBaseCapacity", 0),
        "on_demand_percent": distribution.get("OnDemandPercentageAboveBaseCapacity", 100),
        "spot_strategy": distribution.get("SpotAllocationStrategy", "lowest-price"),
    }


def shown_instances(group):
    """The group's instances, for whoever wants to know who is there."""
    return [
        {
            "id": each["InstanceId"],
            "type": each.get("InstanceType", ""),
            "zone": each["AvailabilityZone"],
            "state": each["LifecycleState"],
            "healthy": each["HealthStatus"] == "Healthy",
            "version": str(each.get("LaunchTemplate", {}).get("Version", "")),
        }
        for each in group.get("Instances", [])
    ]


def stale_instances(group, instances):
    """Ids of those that are or come, but not of this version or of none of these types."""
    return [
        each["id"]
        for each in shown_instances(group)
        if each["state"].startswith(COMING)
        and (each["version"] != str(instances["version"]) or each["type"] not in instances["types"])
    ]


def hook(name, options):
    """A lifecycle hook as the API takes it."""
    return {
        "LifecycleHookName": name,
        "LifecycleTransition": TRANSITIONS[options["transition"]],
        "HeartbeatTimeout": options["seconds"],
        "DefaultResult": options["default"],
    }


def shown_hooks(hooks):
    ours = {transition: name for name, transition in TRANSITIONS.items()}
    return {
        each["LifecycleHookName"]: {
            "transition": ours.get(each["LifecycleTransition"], each["LifecycleTransition"]),
            "seconds": each["HeartbeatTimeout"],
            "default": each["DefaultResult"],
        }
        for each in hooks
    }


def shown_group(group, hooks):
    """A group as DescribeAutoScalingGroups tells it, by our names; empty for none."""
    if not group:
        return {}
    return {
        **{ours: group.get(theirs) for ours, theirs in SETTINGS.items()},
        "subnets": sorted(each for each in group["VPCZoneIdentifier"].split(",") if each),
        "target_groups": sorted(group.get("TargetGroupARNs", [])),
        "hooks": shown_hooks(hooks),
        "tags": {each["Key"]: each["Value"] for each in group.get("Tags", [])},
        "metrics": bool(group.get("EnabledMetrics")),
    }


def tag_list(name, tags):
    """Tags that the group gives to its instances too."""
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": str(tags[key]),
            "PropagateAtLaunch": True,
        }
        for key in sorted(tags)
    ]


def tracking(policy):
    """The TargetTrackingConfiguration of one of our policies."""
    metric = {"PredefinedMetricType": METRICS[policy["metric"]]}
    if policy.get("of"):
        metric["ResourceLabel"] = policy["of"]
    return {
        "PredefinedMetricSpecification": metric,
        "TargetValue": float(policy["target"]),
        "DisableScaleIn": not policy["scale_in"],
    }


def shown_tracking(policy):
    """What of a policy that AWS tells is ours to say."""
    found = policy.get("TargetTrackingConfiguration", {})
    metric = found.get("PredefinedMetricSpecification", {})
    return {
        "PredefinedMetricSpecification": {
            key: value for key, value in metric.items() if value not in (None, "")
        },
        "TargetValue": found.get("TargetValue"),
        "DisableScaleIn": found.get("DisableScaleIn", False),
    }
