"""What a load balancer is made of, as plain data: the input of ``haproxy.render``.

moto keeps the same things as the strings the API was called with; ``translate`` turns them into
these.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class HealthCheck:
    """How targets are checked. ``port`` is None for the traffic port; times are seconds."""

    path: str = "/"
    port: int | None = None
    protocol: str = "HTTP"
    interval: int = 30
    timeout: int = 5
    healthy: int = 5
    unhealthy: int = 2
    matcher: str = "200"


@dataclass(frozen=True)
class Target:
    """A registered target; ``name`` is ``address:port``, as HAProxy and its log know it."""

    id: str
    address: str
    port: int

    @property
    def name(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class TargetGroup:
    """A target group without its targets: those come and go while the balancer runs."""

    arn: str
    name: str
    protocol: str = "HTTP"
    check: HealthCheck = HealthCheck()
    algorithm: str = "round_robin"
    stickiness: str | None = None
    sticky_seconds: int = 86400
    cookie: str = ""
    slow_start: int = 0
    deregistration_delay: int = 300


@dataclass(frozen=True)
class Forward:
    """Weights by target group name."""

    groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class FixedResponse:
    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True)
class Redirect:
    """AWS's placeholders ``#{host}`` and so on are allowed in all parts."""

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


Action = Forward | FixedResponse | Redirect


@dataclass(frozen=True)
class Condition:
    """One condition. ``header`` names the header of ``http-header``; pairs of ``query-string``
    are ``(key, value)`` with key "" for any."""

    field: str
    values: tuple[str, ...] = ()
    header: str = ""
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rule:
    """``priority`` is None for the listener's default rule, which has no conditions."""

    priority: int | None
    action: Action
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Listener:
    """``certificates`` are names of PEM files; the first is the default."""

    port: int
    protocol: str
    rules: tuple[Rule, ...]
    ssl_policy: str = ""
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Balancer:
    """An application load balancer."""

    name: str
    listeners: tuple[Listener, ...] = ()
    groups: tuple[TargetGroup, ...] = ()
    idle_timeout: int = 60
    http2: bool = True
    forwarded_for: str = "append"
    client_port: bool = False
    preserve_host: bool = False
    drop_invalid_headers: bool = False
    members: dict[str, tuple[Target, ...]] = field(default_factory=dict, compare=False)
    """Known targets by group name, written into the configuration so that a reload keeps them."""
