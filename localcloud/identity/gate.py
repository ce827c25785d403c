"""Lets a call pass that its caller may make, and refuses others as the service does."""

import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

import localcloud.identity.targets_apigateway
import localcloud.identity.targets_autoscaling
import localcloud.identity.targets_cloudfront
import localcloud.identity.targets_dynamodb
import localcloud.identity.targets_ec2
import localcloud.identity.targets_iam
import localcloud.identity.targets_lambda
import localcloud.identity.targets_s3  # noqa: F401 - each adds its service
from localcloud.calls import CALLER, PAGE, Call
from localcloud.errors import Refusal
from localcloud.identity import callers, policy, signature
from localcloud.identity.callers import Caller
from localcloud.identity.policy import Policies
from localcloud.identity.targets import Target, targets
from localcloud.services.cloudfront.access import OriginAccess
from localcloud.services.functions.functions import Functions
from localcloud.services.s3.access import restricted
from localcloud.settings import ACCOUNT

# Everybody who can sign may ask who they are.
FREE = {("sts", "GetCallerIdentity")}
OLD_SIGNATURE = re.compile("(?:^|&)AWSAccessKeyId=")
ACCOUNT_NAMES = (ACCOUNT, callers.ROOT_ARN)


class Gate:
    """Signatures and rights of the cloud's account."""

    def __init__(self, cloud):
        self.cloud = cloud

    def check(self, call: Call) -> None:
        """Raise `Refusal` unless the caller is who they say and may do this."""
        caller = self._caller(call)
        if caller is None or (call.service, call.operation) not in FREE:
            self._allow(call, caller)

    def check_form(self, call: Call, fields: dict[str, str]) -> None:
        """The same for the PutObject that a form stands for, by the policy in its fields."""
        caller = None
        if "policy" in fields:
            key, _, _ = fields.get("x-amz-credential", "").partition("/")
            caller = callers.find(self.cloud, key, _here(call.environ))
            _check_token(caller, fields.get("x-amz-security-token", ""))
            signature.check_policy(fields, caller.secret)
        self._allow(call, caller)

    def _allow(self, call: Call, caller: Caller | None) -> None:
        call.environ[CALLER] = caller
        for target in targets(self.cloud, call):
            reason = self._refused(call, caller, target)
            if reason:
                name = caller.arn if caller else "anonymous"
                raise Refusal(
                    "access denied",
                    f"User: {name} is not authorized to perform: {target.action} on resource: "
                    f"{target.resource} {reason}",
                )

    def _caller(self, call: Call) -> Caller | None:
        environ = call.environ
        edge = self.cloud.service(OriginAccess).caller(environ)
        if edge:
            return edge
        if not call.access_key:
            if OLD_SIGNATURE.search(environ.get("QUERY_STRING", "")) or environ.get(
                "HTTP_AUTHORIZATION", ""
            ).startswith("AWS "):
                raise Refusal(
                    (400, "InvalidRequest"),
                    "The authorization mechanism you have provided is not supported. "
                    "Please use AWS4-HMAC-SHA256.",
                )
            if call.service == "s3" and "HTTP_AUTHORIZATION" not in environ:
                return None  # a bucket's policy may let everybody
            raise Refusal("not signed", "The request is not signed (AWS Signature Version 4).")
        caller = callers.find(self.cloud, call.access_key, _here(environ))
        token = (
            environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
            or parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Security-Token", [""])[0]
        )
        _check_token(caller, token)
        signature.check(environ, caller.secret, None if call.streams else _digest(environ))
        return caller

    def _refused(self, call: Call, caller: Caller | None, target: Target) -> str | None:
        policies = caller.policies if caller else Policies()
        of_resource = self._of_resource(target, policies, caller is None)
        request = policy.Request(
            target.action,
            target.resource,
            _context(call) | (caller.context if caller else {}) | target.context,
            principals=caller.names if caller else (),
            account=ACCOUNT_NAMES if caller else (),
        )
        if target.action == "sts:AssumeRole" and not policy.says(of_resource, request, "Allow"):
            return "because its trust policy does not allow it"
        everything = replace(policies, resource=of_resource)
        return policy.decide(everything, request)

    def _of_resource(self, target: Target, policies: Policies,
                     anonymous: bool) -> tuple[str, ...]:  # fmt: skip
        """The policy of the bucket or function, or the trust policy of the role, that it is."""
        found = None
        if target.action == "sts:AssumeRole":
            roles = self.cloud.backend("iam", "aws").roles.values()
            role = next((each for each in list(roles) if each.arn == target.resource), None)
            found = role and role.assume_role_policy_document
        elif target.action == "lambda:InvokeFunction":
            found = self.cloud.service(Functions).policy(target.resource)
        elif target.action.startswith("s3:"):
            name = target.resource.removeprefix("arn:aws:s3:::").partition("/")[0]
            bucket = self.cloud.backend("s3", "aws").buckets.get(name)
            # the account itself can always mend a policy that locks everybody out
            if (
                bucket is not None
                and not (policies.everything and "BucketPolicy" in target.action)
                and not (anonymous and restricted(bucket))
            ):
                found = bucket.policy
        if isinstance(found, bytes):
            found = found.decode()
        return (found,) if found else ()


def _here(environ: dict) -> bool:
    """Whether a program on this machine asks, and no web page in a browser here."""
    return environ["REMOTE_ADDR"] == "127.0.0.1" and not environ.get(PAGE)


def _check_token(caller: Caller, token: str) -> None:
    if not hmac.compare_digest(token.encode(), caller.token.encode()):
        raise Refusal("unknown key", "The security token included in the request is invalid.")


def _digest(environ: dict) -> str:
    body = environ["wsgi.input"]
    body.seek(0)
    found = hashlib.file_digest(body, "sha256").hexdigest()
    body.seek(0)
    return found


def _context(call: Call) -> dict[str, list[str]]:
    now = datetime.now(UTC)
    return {
        "aws:currenttime": [f"{now:%Y-%m-%dT%H:%M:%SZ}"],
        "aws:epochtime": [str(int(now.timestamp()))],
        "aws:requestedregion": [call.region],
        "aws:securetransport": ["false"],
        "aws:sourceip": [call.environ["REMOTE_ADDR"]],
        "aws:useragent": [call.environ.get("HTTP_USER_AGENT", "")],
        "aws:viaawsservice": ["false"],
    }
