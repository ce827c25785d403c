"""What is kept of a group: moto's object, with what moto does not know of its instances.

All of it is saved with the API's state, so a restart goes on where the process was.
"""

from dataclasses import dataclass, field
from datetime import datetime

from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup
from moto.ec2.models.instances import Instance

from localcloud.services.autoscaling.activities import Activity

__all__ = ["ASG_NAME_TAG"]

PENDING, PENDING_WAIT, PENDING_PROCEED = "Pending", "Pending:Wait", "Pending:Proceed"
IN_SERVICE, STANDBY = "InService", "Standby"
ENTERING, DETACHING = "EnteringStandby", "Detaching"
TERMINATING = "Terminating"
TERMINATING_WAIT, TERMINATING_PROCEED = "Terminating:Wait", "Terminating:Proceed"
STARTING = (PENDING, PENDING_WAIT, PENDING_PROCEED)
LEAVING = (TERMINATING, TERMINATING_WAIT, TERMINATING_PROCEED, DETACHING, ENTERING)


@dataclass(frozen=True)
class Origin:
    """What an instance was launched from: a version of a launch template, as what.

    One that was attached has no template.
    """

    template_id: str
    template_name: str
    version: str
    instance_type: str
    spot: bool = False

    @property
    def template(self) -> dict[str, str]:
        return {
            "LaunchTemplateId": self.template_id,
            "LaunchTemplateName": self.template_name,
            "Version": self.version,
        }


@dataclass
class Wait:
    """An instance waits for a lifecycle hook; until when, and what then."""

    hook: str
    token: str
    until: datetime
    latest: datetime
    default: str


@dataclass(eq=False)
class Member:
    """An instance of a group. Names that moto and others read are moto's."""

    instance: Instance
    origin: Origin
    launched: datetime
    lifecycle_state: str = PENDING
    health_status: str = "Healthy"
    protected_from_scale_in: bool = False
    since: datetime | None = None  # it is in service
    extra: str = ""  # why it was launched before another has gone
    waits: list[Wait] = field(default_factory=list)
    abandoned: str = ""  # why a hook did not let it go on
    draining: bool = False
    activity: Activity | None = None
    unhealthy_because: str = ""  # what found it so, in AWS's words
    successor: "Member | None" = None

    @property
    def id(self) -> str:
        return self.instance.id

    @property
    def zone(self) -> str:
        return self.instance.availability_zone

    @property
    def starting(self) -> bool:
        return self.lifecycle_state in STARTING

    @property
    def in_service(self) -> bool:
        return self.lifecycle_state == IN_SERVICE

    @property
    def leaving(self) -> bool:
        return self.lifecycle_state in LEAVING

    @property
    def at_risk(self) -> bool:
        """Whether EC2 has said that it may take it back."""
        return getattr(self.instance, "rebalance_notice", None) is not None

    @property
    def counts(self) -> bool:
        """Whether it is part of the capacity that was asked for."""
        return (self.starting or self.in_service) and not self.extra

    def described(self) -> dict:
        """As DescribeAutoScalingGroups and DescribeAutoScalingInstances show it."""
        found = {
            "InstanceId": self.id,
            "InstanceType": self.instance.instance_type,
            "AvailabilityZone": self.zone,
            "LifecycleState": self.lifecycle_state,
            "HealthStatus": self.health_status,
            "ProtectedFromScaleIn": self.protected_from_scale_in,
        }
        if self.origin.template_id:
            found["LaunchTemplate"] = self.origin.template
        return found


@dataclass
class Hook:
    """A lifecycle hook."""

    name: str
    transition: str
    timeout: int = 3600
    default: str = "ABANDON"
    metadata: str | None = None

    @property
    def longest(self) -> int:
        """Seconds after which no heartbeat helps."""
        return min(172800, self.timeout * 100)


class Group(FakeAutoScalingGroup):
    """moto's group without moto's hosts: the engine launches and terminates."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.instance_states: list[Member] = []
        self.hooks: list[Hook] = []
        self.activities: list[Activity] = []
        self.refreshes: list = []
        self.policies: list = []
        self.scheduled: list = []
        self.default_instance_warmup: int | None = None
        self.status: str | None = None
        self.causes: list[str] = []  # of the change that the engine has not followed yet
        self.failures = 0  # launches in a row
        self.retry_at: datetime | None = None
        self.rebalanced_at: datetime | None = None
        self.last_scaling: datetime | None = None
        self.desired_configuration: dict | None = None  # of the refresh that runs

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity

    @property
    def members(self) -> list[Member]:
        return self.instance_states

    @property
    def subnets(self) -> list[str]:
        return [each for each in (self.vpc_zone_identifier or "").split(",") if each]

    def suspends(self, process: str) -> bool:
        return process in self._suspended_processes

    @property
    def template_specification(self) -> dict:
        """The launch template as it was named."""
        found = self.launch_template or {}
        return {key: value for key, value in found.items() if value}

    def counted(self) -> list[Member]:
        return [each for each in self.members if each.counts]

    def member(self, instance_id: str) -> Member | None:
        return next((each for each in self.members if each.id == instance_id), None)
