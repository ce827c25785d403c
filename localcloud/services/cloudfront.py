"""CloudFront: where moto's distributions differ from AWS's."""

from moto.cloudfront.models import Origin

from localcloud.hooks import hook
from localcloud.services.base import Service


class CloudFront(Service):
    """Distributions are moto's."""

    @hook(Origin, "__init__", "self, origin")
    def keep_access_control(self, original, made, origin):
        """moto forgets the origin access control, which GetDistribution answers on AWS."""
        original(made, origin)
        made.origin_access_control_id = origin.get("OriginAccessControlId") or ""
