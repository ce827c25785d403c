"""Public access: which bucket policies are public, and what Block Public Access makes of them."""

from moto.s3 import responses
from moto.s3.models import S3Backend

from localcloud.hooks import hook
from localcloud.identity.policy import statements
from localcloud.services.base import Service
from localcloud.services.s3.defaults import Denied

# Condition keys that narrow a statement for everybody to somebody.
NARROW = {
    "aws:principalorgid", "aws:principalorgpaths", "aws:sourceaccount", "aws:sourcearn",
    "aws:sourceip", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid",
    "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
}  # fmt: skip
EVERYWHERE = ("0.0.0.0/0", "::/0")


class PublicAccess(Service):
    """PutBucketPolicy and GetBucketPolicyStatus; the gate asks `restricted`."""

    @hook(S3Backend, "put_bucket_policy", "self, bucket_name, policy")
    def put_policy(self, original, backend, bucket_name, policy):
        block = backend.get_bucket(bucket_name).public_access_block
        if block and block.block_public_policy and is_public(policy):
            raise Denied(
                "AccessDenied",
                "Public policies are blocked by the BlockPublicPolicy block public access setting.",
            )
        return original(backend, bucket_name, policy)

    @hook(responses, "bucket_policy_is_public", "policy")
    def status(self, original, policy):
        return is_public(policy)


def restricted(bucket) -> bool:
    """Whether a bucket's policy lets nobody in from outside the account, whatever it says."""
    block = bucket.public_access_block
    return bool(block and block.restrict_public_buckets and is_public(bucket.policy))


def is_public(policy: bytes | str | None) -> bool:
    """Whether a bucket's policy lets everybody do something."""
    text = policy.decode() if isinstance(policy, bytes) else policy or ""
    return any(
        each.get("Effect") == "Allow" and _everybody(each) and not _narrowed(each)
        for each in statements(text)
    )


def _everybody(statement: dict) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    names = principal.get("AWS", ()) if isinstance(principal, dict) else principal
    return "*" in ([names] if isinstance(names, str) else names or ())


def _narrowed(statement: dict) -> bool:
    """Whether a condition allows fixed values only of what says who asks."""
    for operator, keys in statement.get("Condition", {}).items():
        if "Not" in operator or operator.endswith("IfExists") or operator == "Null":
            continue
        for key, values in keys.items():
            wanted = [values] if isinstance(values, str) else values
            fixed = all("*" not in str(each) and each not in EVERYWHERE for each in wanted)
            if key.lower() in NARROW and fixed:
                return True
    return False
