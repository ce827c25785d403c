"""What a load balancer has on AWS and not here: what is left out would let visitors in."""

from moto.elbv2.exceptions import ELBClientError, InvalidConfigurationRequest
from moto.elbv2.responses import ELBV2Response

from localcloud.hooks import hook
from localcloud.services.base import Service

ACTIONS = ("forward", "redirect", "fixed-response")


class Refusals(Service):
    """Parameters that moto passes over."""

    @hook(ELBV2Response, "create_listener", "self")
    @hook(ELBV2Response, "modify_listener", "self")
    def listener(self, original, response):
        mutual = response._get_param("MutualAuthentication") or {}
        if mutual.get("Mode", "off") != "off":
            raise InvalidConfigurationRequest(
                "This local cloud has no mutual authentication: visitors without a certificate "
                "would be let in."
            )
        return original(response)

    @hook(ELBV2Response, "create_target_group", "self")
    def target_group(self, original, response):
        kind = response._get_param("TargetType") or "instance"
        protocol = response._get_param("Protocol")
        version = response._get_param("ProtocolVersion") or "HTTP1"
        if kind not in ("instance", "ip"):
            raise InvalidConfigurationRequest(
                f"This local cloud has targets of type instance and ip, not {kind}"
            )
        if protocol not in ("HTTP", "HTTPS") or version != "HTTP1":
            raise InvalidConfigurationRequest(
                "This local cloud has target groups of protocol HTTP and HTTPS, version HTTP1, "
                f"not {protocol} {version}"
            )
        return original(response)


def check_actions(actions: list[dict]) -> None:
    """Raise for an action that is not there, and for more than one: only one can come last."""
    for action in actions:
        if action.get("Type") not in ACTIONS:
            raise ELBClientError(
                "InvalidLoadBalancerAction",
                f"This local cloud has no action {action.get('Type')}: everybody would be let in.",
            )
    if len(actions) > 1:
        raise ELBClientError(
            "InvalidLoadBalancerAction",
            "Exactly one of the actions forward, redirect and fixed-response is needed.",
        )
