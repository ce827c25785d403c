"""What CloudFront refuses, and what there is on AWS and not here: found before anything changes."""

import re

from moto.cloudfront.exceptions import CloudFrontException
from moto.cloudfront.responses import CloudFrontResponse

from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.cloudfront.policies import HEADER, invalid
from localcloud.services.cloudfront.translate import ERRORS, items

S3 = re.compile(r"[a-z0-9.-]+\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com")
# an address is none: its last part is a number
DOMAIN = re.compile(r"(?=.{1,253}$)(?:[A-Za-z0-9_-]{1,63}\.)+(?!\d+$)[A-Za-z0-9-]{1,63}")
PATTERN = re.compile(r"[A-Za-z0-9_\-.*$/~\"'@:+&?]{1,255}")
METHODS = (
    {"GET", "HEAD"},
    {"GET", "HEAD", "OPTIONS"},
    {"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"},
)
# Response codes that a custom error page may come with.
PAGE_CODES = {200, 400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}


def unsupported(what: str) -> CloudFrontException:
    """The API error for what nothing would stand behind."""
    return invalid(f"This local cloud's CloudFront has no {what}.")


def check(config: dict, policy) -> None:
    """Raise for a distribution that cannot be; ``policy(kind, id)`` finds policies."""
    if config.get("Staging") or config.get("ContinuousDeploymentPolicyId"):
        raise unsupported("continuous deployment")
    if config.get("WebACLId"):
        raise unsupported("WAF: leave WebACLId empty")
    restriction = (config.get("Restrictions") or {}).get("GeoRestriction") or {}
    if restriction.get("RestrictionType", "none") != "none":
        raise unsupported("geographic restrictions: every visitor would be let in")
    if config.get("AnycastIpListId"):
        raise unsupported("anycast addresses")
    origins = items(config.get("Origins"))
    if not origins:
        raise invalid("A distribution needs an origin.")
    for each in origins:
        _check_origin(each)
    names = [each["Id"] for each in origins]
    groups = items(config.get("OriginGroups"))
    for each in groups:
        members = [member["OriginId"] for member in items(each["Members"])]
        if len(members) != 2 or not set(members) <= set(names):
            raise CloudFrontException(
                "NoSuchOrigin", "One or more of your origins or origin groups do not exist."
            )
    known = {*names, *(each["Id"] for each in groups)}
    behaviours = items(config.get("CacheBehaviors"))
    patterns = [each.get("PathPattern") for each in behaviours]
    if len(set(patterns)) != len(patterns):
        raise invalid("Two cache behaviors have the same path pattern.")
    for each in [*behaviours, config["DefaultCacheBehavior"]]:
        _check_behaviour(each, known, policy)
        grouped = each["TargetOriginId"] not in names
        if grouped and not set(items(each.get("AllowedMethods"))) <= METHODS[1]:
            raise invalid("A behavior with an origin group allows GET, HEAD and OPTIONS only.")
    for each in items(config.get("CustomErrorResponses")):
        _check_error(each)
    root = config.get("DefaultRootObject") or ""
    if root.startswith("/"):
        raise CloudFrontException(
            "InvalidDefaultRootObject", "The default root object does not begin with a slash."
        )


def _check_origin(config: dict) -> None:
    domain = config.get("DomainName") or ""
    if not DOMAIN.fullmatch(domain):
        raise invalid(f"The origin's domain name {domain!r} is not a DNS name.")
    if config.get("VpcOriginConfig"):
        raise unsupported("VPC origins")
    custom, bucket = config.get("CustomOriginConfig"), config.get("S3OriginConfig")
    if bool(custom) == bool(bucket is not None and not custom) and bucket is None:
        raise invalid("An origin has either CustomOriginConfig or S3OriginConfig.")
    if bucket is not None and not custom:
        if not S3.fullmatch(domain.lower()):
            raise invalid("The parameter Origin DomainName does not refer to a valid S3 bucket.")
        if bucket.get("OriginAccessIdentity"):
            raise unsupported("origin access identities: use an origin access control")
    path = config.get("OriginPath") or ""
    if path and (not path.startswith("/") or path.endswith("/") or re.search(r"[\s\"%\0]", path)):
        raise invalid("OriginPath begins with a slash and does not end with one.")
    for each in items(config.get("CustomHeaders")):
        if not HEADER.fullmatch(each["HeaderName"]) or re.search(r"[\r\n\0]", each["HeaderValue"]):
            raise invalid(f"{each['HeaderName']!r} is no header with a value of one line.")


def _check_behaviour(config: dict, origins: set[str], policy) -> None:
    if config["TargetOriginId"] not in origins:
        raise CloudFrontException(
            "NoSuchOrigin", "One or more of your origins or origin groups do not exist."
        )
    for key, what in (
        ("LambdaFunctionAssociations", "Lambda@Edge"),
        ("FunctionAssociations", "CloudFront functions"),
        ("TrustedSigners", "signed URLs: every visitor would be let in"),
        ("TrustedKeyGroups", "signed URLs: every visitor would be let in"),
    ):
        said = config.get(key) or {}
        if items(said) or int(said.get("Quantity") or 0) or said.get("Enabled"):
            raise unsupported(what)
    for key, what in (
        ("FieldLevelEncryptionId", "field-level encryption"),
        ("RealtimeLogConfigArn", "real-time logs"),
        ("SmoothStreaming", "smooth streaming"),
    ):
        if config.get(key):
            raise unsupported(what)
    if not config.get("CachePolicyId"):
        raise unsupported("legacy cache settings (ForwardedValues): set CachePolicyId")
    policy("cache", config["CachePolicyId"])
    for key, kind in (
        ("OriginRequestPolicyId", "request"),
        ("ResponseHeadersPolicyId", "response"),
    ):
        if config.get(key):
            policy(kind, config[key])
    methods = set(items(config.get("AllowedMethods")) or ["GET", "HEAD"])
    if methods not in METHODS:
        raise invalid(f"AllowedMethods are one of {[sorted(each) for each in METHODS]}.")
    if "OPTIONS" in items((config.get("AllowedMethods") or {}).get("CachedMethods")):
        raise unsupported("caching of OPTIONS")
    pattern = config.get("PathPattern")
    if pattern is not None and not PATTERN.fullmatch(pattern):
        raise invalid(f"The path pattern {pattern!r} has characters that none can have.")


def _check_error(config: dict) -> None:
    code = int(config["ErrorCode"])
    page, status = config.get("ResponsePagePath"), config.get("ResponseCode")
    if code not in ERRORS:
        raise invalid(f"The error code {code} is not one of {ERRORS}.")
    if bool(page) != bool(status):
        raise invalid("ResponsePagePath and ResponseCode go together.")
    if page and (not page.startswith("/") or re.search(r"[|,\s]", page)):
        raise invalid(f"The page {page!r} is not a path.")
    if status and int(status) not in PAGE_CODES:
        raise invalid(f"The response code {status} is not one of {sorted(PAGE_CODES)}.")


class Refusals(Service):
    """Calls that nothing stands behind."""

    @hook(CloudFrontResponse, "create_function", "self")
    def no_function(self, original, response):
        raise unsupported("functions")

    @hook(CloudFrontResponse, "create_key_value_store", "self")
    def no_store(self, original, response):
        raise unsupported("key value stores")

    @hook(CloudFrontResponse, "create_public_key", "self")
    def no_key(self, original, response):
        raise unsupported("public keys")

    @hook(CloudFrontResponse, "create_key_group", "self")
    def no_group(self, original, response):
        raise unsupported("key groups")
