"""Health checks of target groups, and what is done about their members."""

# Our names: the API's name and the type.
HEALTH_CHECK = {
    "path": ("HealthCheckPath", "str"),
    "interval": ("HealthCheckIntervalSeconds", "int"),
    "timeout": ("HealthCheckTimeoutSeconds", "int"),
    "healthy": ("HealthyThresholdCount", "int"),
    "unhealthy": ("UnhealthyThresholdCount", "int"),
    "matcher": ("Matcher", "str"),
}


def wanted_health_check(options):
    """The module's ``health_check`` as arguments of the API; what is not given is left out."""
    arguments = {
        HEALTH_CHECK[name][0]: value for name, value in options.items() if value is not None
    }
    if "Matcher" in arguments:
        arguments["Matcher"] = {"HttpCode": arguments["Matcher"]}
    return arguments


def health_check(group):
    """The health check in the API's description of a group (or arguments), by our names."""
    found = {}
    for name, (key, _) in HEALTH_CHECK.items():
        if key in group:
            value = group[key]
            found[name] = value["HttpCode"] if name == "matcher" else value
    return found


def plan(states, wanted, purge):
    """``(register, deregister)`` for the targets of a group.

    ``states`` maps a target's id to its state; a draining one counts as gone, since registering it
    again puts it back.
    """
    there = {target for target, state in states.items() if state != "draining"}
    register = [target for target in wanted if target not in there]
    deregister = sorted(there - set(wanted)) if purge else []
    return register, deregister


def others_healthy(states, leaving):
    """Whether a member other than the ``leaving`` ones is healthy."""
    return any(state == "healthy" and target not in leaving for target, state in states.items())
