"""Origin access control: what a distribution may read of a bucket is what the bucket's policy says.

On AWS the edge signs its requests to S3 as ``cloudfront.amazonaws.com``, for the distribution. Here
it says so in two headers, with a secret that only the edge's host and this process have.
"""

from localcloud.errors import Refusal
from localcloud.identity.callers import Caller
from localcloud.identity.policy import Policies
from localcloud.services.base import Service
from localcloud.services.cloudfront.distributions import Distributions
from localcloud.settings import ACCOUNT

PRINCIPAL = "cloudfront.amazonaws.com"
NOBODY = "-"


class OriginAccess(Service):
    """Knows the edge's requests to S3."""

    def caller(self, environ: dict) -> Caller | None:
        """CloudFront, when the edge asks for a distribution whose origin is access controlled."""
        proof = environ.pop("HTTP_X_LOCALCLOUD_EDGE", "")
        source = environ.pop("HTTP_X_LOCALCLOUD_SOURCE_ARN", NOBODY)
        if not proof:
            return None
        if not self.cloud.service(Distributions).proves(proof):
            raise Refusal("not signed", "This is not the edge of CloudFront.")
        if source == NOBODY:
            return None
        return Caller(
            PRINCIPAL,
            secret="",
            policies=Policies(),
            names=(PRINCIPAL,),
            context={
                "aws:sourcearn": [source],
                "aws:sourceaccount": [ACCOUNT],
                # between the edge and S3 nothing is in the open
                "aws:securetransport": ["true"],
            },
        )
