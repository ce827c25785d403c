"""What DescribeTargetHealth says, from what the balancer's nodes see."""

from dataclasses import dataclass

from localcloud.services.elbv2.runtime import Seen


@dataclass(frozen=True)
class Health:
    """State, reason and description in AWS's words."""

    state: str
    reason: str | None = None
    description: str | None = None


HEALTHY = Health("healthy")
INITIAL = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = Health(
    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
NOT_REGISTERED = Health(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)
NOT_IN_USE = Health(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
STOPPED = Health("unused", "Target.InvalidState", "Target is in the stopped state")


def of_server(server: Seen) -> Health:
    """One node's view of a target that has passed its first checks, or failed them."""
    if server.up:
        return HEALTHY
    if server.check == "L7STS":
        return Health(
            "unhealthy",
            "Target.ResponseCodeMismatch",
            f"Health checks failed with these codes: [{server.code}]",
        )
    if server.check in ("L4TOUT", "L6TOUT", "L7TOUT"):
        return Health("unhealthy", "Target.Timeout", "Request timed out")
    return Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def combine(views: list[Health | None]) -> Health:
    """The state shown for a target that several nodes check: the worst of what they see."""
    known = [view for view in views if view is not None]
    for state in ("initial", "unhealthy"):
        for view in known:
            if view.state == state:
                return view
    return known[0] if known else INITIAL
