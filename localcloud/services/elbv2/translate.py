"""moto's load balancers as ``model`` says them."""

from collections.abc import Callable

from localcloud.services.elbv2.model import (
    Balancer,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    Redirect,
    Rule,
    Target,
    TargetGroup,
)


def balancer(found, groups: dict, certificate_file: Callable[[str], str]) -> Balancer:
    """``found`` is moto's load balancer, ``groups`` all its target groups by ARN."""
    attributes = {**found.attrs}
    listeners = tuple(
        _listener(each, groups, certificate_file)
        for each in sorted(found.listeners.values(), key=lambda each: int(each.port))
    )
    used = {
        name
        for each in listeners
        for rule in each.rules
        if isinstance(rule.action, Forward)
        for name, _ in rule.action.groups
    }
    return Balancer(
        name=found.name,
        listeners=listeners,
        groups=tuple(
            group(each)
            for each in sorted(groups.values(), key=lambda each: each.name)
            if each.name in used
        ),
        idle_timeout=int(attributes.get("idle_timeout.timeout_seconds", 60)),
        http2=attributes.get("routing.http2.enabled", "true") == "true",
        forwarded_for=attributes.get("routing.http.xff_header_processing.mode", "append"),
        client_port=attributes.get("routing.http.xff_client_port.enabled") == "true",
        preserve_host=attributes.get("routing.http.preserve_host_header.enabled") == "true",
        drop_invalid_headers=attributes.get("routing.http.drop_invalid_header_fields.enabled")
        == "true",
    )


def group(found) -> TargetGroup:
    """moto's target group."""
    attributes = found.attributes
    kind = attributes.get("stickiness.type", "lb_cookie")
    sticky = str(attributes.get("stickiness.enabled")) == "true"
    return TargetGroup(
        arn=found.arn,
        name=found.name,
        protocol=found.protocol or "HTTP",
        check=_check(found),
        algorithm=attributes.get("load_balancing.algorithm.type", "round_robin"),
        stickiness=kind if sticky else None,
        sticky_seconds=int(attributes.get(f"stickiness.{kind}.duration_seconds", 86400)),
        cookie=attributes.get("stickiness.app_cookie.cookie_name", ""),
        slow_start=int(attributes.get("slow_start.duration_seconds", 0)),
        deregistration_delay=int(attributes.get("deregistration_delay.timeout_seconds", 300)),
    )


def _check(found) -> HealthCheck:
    port = found.health_check_port
    return HealthCheck(
        path=found.health_check_path or "/",
        port=None if port in (None, "traffic-port") else int(port),
        protocol=found.health_check_protocol or "HTTP",
        interval=int(found.health_check_interval_seconds),
        timeout=int(found.health_check_timeout_seconds),
        healthy=int(found.healthy_threshold_count),
        unhealthy=int(found.unhealthy_threshold_count),
        matcher=(found.matcher or {}).get("HttpCode", "200")
        if hasattr(found, "matcher")
        else "200",
    )


def targets(found, instances: Callable[[str], object]) -> tuple[Target, ...]:
    """The registered targets that can get requests; ``instances`` finds a running instance."""
    result = []
    for each in found.targets.values():
        port = int(each.get("Port") or found.port)
        if found.target_type == "ip":
            result.append(Target(each["Id"], each["Id"], port))
            continue
        instance = instances(each["Id"])
        if instance is not None:
            result.append(Target(each["Id"], instance.private_ip, port))
    return tuple(result)


def _listener(found, groups, certificate_file) -> Listener:
    return Listener(
        port=int(found.port),
        protocol=found.protocol,
        rules=tuple(_rule(each, groups) for each in found.rules.values()),
        ssl_policy=found.ssl_policy or "",
        certificates=tuple(certificate_file(arn) for arn in found.certificates)
        if found.protocol == "HTTPS"
        else (),
    )


def _rule(found, groups) -> Rule:
    return Rule(
        priority=None if found.is_default else int(found.priority),
        action=_action(found.actions[-1].data, groups),
        conditions=tuple(condition(each) for each in found.conditions),
    )


def _action(data: dict, groups):
    kind = data["Type"]
    if kind == "fixed-response":
        config = data["FixedResponseConfig"]
        return FixedResponse(
            int(config["StatusCode"]),
            config.get("ContentType") or "text/plain",
            config.get("MessageBody") or "",
        )
    if kind == "redirect":
        config = data["RedirectConfig"]
        given = {
            field: config[name]
            for field, name in {
                "protocol": "Protocol",
                "host": "Host",
                "port": "Port",
                "path": "Path",
                "query": "Query",
            }.items()
            if config.get(name) is not None
        }
        return Redirect(status=int(config["StatusCode"].removeprefix("HTTP_")), **given)
    if "ForwardConfig" in data and data["ForwardConfig"].get("TargetGroups"):
        weighted = data["ForwardConfig"]["TargetGroups"]
    else:
        weighted = [{"TargetGroupArn": data["TargetGroupArn"]}]
    return Forward(
        tuple(
            (groups[each["TargetGroupArn"]].name, int(each.get("Weight", 1)))
            for each in weighted
            if each["TargetGroupArn"] in groups
        )
    )


_CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
    "query-string": "QueryStringConfig",
}


def condition(data: dict) -> Condition:
    """A condition as the API takes it, short form or long."""
    field = data["Field"]
    config = data.get(_CONFIGS[field]) or {}
    values = config.get("Values") or data.get("Values") or []
    if field == "query-string":
        pairs = tuple((each.get("Key") or "", each["Value"]) for each in values)
        return Condition(field, pairs=pairs)
    return Condition(field, tuple(values), header=config.get("HttpHeaderName", ""))
