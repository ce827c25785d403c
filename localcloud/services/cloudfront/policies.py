"""Cache, origin request and response headers policies, which moto has not: AWS's own, and one's.

The three differ in name only, so they are one kind of thing here, made for each of the three.
"""

import re
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime

from moto.cloudfront import urls
from moto.cloudfront.exceptions import CloudFrontException
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from localcloud.hooks import addition
from localcloud.services.base import Service
from localcloud.services.cloudfront import managed
from localcloud.services.cloudfront.translate import items

HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
API = "2020-05-31"


@dataclass(frozen=True)
class Kind:
    """``name`` as in the API's operations, ``path`` as in its URLs, ``managed`` AWS's own by id."""

    key: str
    name: str
    path: str
    managed: dict[str, dict]

    @property
    def config(self) -> str:
        return f"{self.name}Config"

    def missing(self) -> CloudFrontException:
        return CloudFrontException(f"NoSuch{self.name}", f"The {self.name} does not exist.")


KINDS = (
    Kind("cache", "CachePolicy", "cache-policy", managed.CACHE),
    Kind("request", "OriginRequestPolicy", "origin-request-policy", managed.REQUEST),
    Kind("response", "ResponseHeadersPolicy", "response-headers-policy", managed.RESPONSE),
)
for kind in KINDS:
    for ending in ("$", "/(?P<policy_id>[^/]+)$", "/(?P<policy_id>[^/]+)/config$"):
        urls.url_paths[f"{{0}}/{API}/{kind.path}{ending}"] = CloudFrontResponse.dispatch


@dataclass
class Policy:
    """One's own policy, as it is kept on moto's backend."""

    id: str
    config: dict
    etag: str
    changed: datetime = field(default_factory=utcnow)


def new_id(length: int = 14) -> str:
    letters = string.ascii_uppercase + string.digits
    return "E" + "".join(secrets.choice(letters) for _ in range(length - 1))


class Policies(Service):
    """Policies by kind and id."""

    def config(self, key: str, policy_id: str) -> dict:
        """What a policy says; an API error if there is none of that id."""
        kind = next(each for each in KINDS if each.key == key)
        if policy_id in kind.managed:
            return kind.managed[policy_id]
        return self._find(kind, policy_id).config

    def _own(self, kind: Kind) -> dict[str, Policy]:
        backend = self.cloud.backend("cloudfront", "aws")
        if not hasattr(backend, "policies"):
            backend.policies = {each.key: {} for each in KINDS}
        return backend.policies[kind.key]

    def _find(self, kind: Kind, policy_id: str) -> Policy:
        if policy_id not in self._own(kind):
            raise kind.missing()
        return self._own(kind)[policy_id]

    # the API's calls, for each kind

    @addition(CloudFrontResponse, "create_cache_policy", "self")
    def create_cache(self, response):
        return self._create(KINDS[0], response)

    @addition(CloudFrontResponse, "create_origin_request_policy", "self")
    def create_request(self, response):
        return self._create(KINDS[1], response)

    @addition(CloudFrontResponse, "create_response_headers_policy", "self")
    def create_response(self, response):
        return self._create(KINDS[2], response)

    @addition(CloudFrontResponse, "get_cache_policy", "self")
    def get_cache(self, response):
        return self._get(KINDS[0], response)

    @addition(CloudFrontResponse, "get_origin_request_policy", "self")
    def get_request(self, response):
        return self._get(KINDS[1], response)

    @addition(CloudFrontResponse, "get_response_headers_policy", "self")
    def get_response(self, response):
        return self._get(KINDS[2], response)

    @addition(CloudFrontResponse, "update_cache_policy", "self")
    def update_cache(self, response):
        return self._update(KINDS[0], response)

    @addition(CloudFrontResponse, "update_origin_request_policy", "self")
    def update_request(self, response):
        return self._update(KINDS[1], response)

    @addition(CloudFrontResponse, "update_response_headers_policy", "self")
    def update_response(self, response):
        return self._update(KINDS[2], response)

    @addition(CloudFrontResponse, "delete_cache_policy", "self")
    def delete_cache(self, response):
        return self._delete(KINDS[0], response)

    @addition(CloudFrontResponse, "delete_origin_request_policy", "self")
    def delete_request(self, response):
        return self._delete(KINDS[1], response)

    @addition(CloudFrontResponse, "delete_response_headers_policy", "self")
    def delete_response(self, response):
        return self._delete(KINDS[2], response)

    @addition(CloudFrontResponse, "list_cache_policies", "self")
    def list_cache(self, response):
        return self._list(KINDS[0], "CachePolicyList", response)

    @addition(CloudFrontResponse, "list_origin_request_policies", "self")
    def list_request(self, response):
        return self._list(KINDS[1], "OriginRequestPolicyList", response)

    @addition(CloudFrontResponse, "list_response_headers_policies", "self")
    def list_response(self, response):
        return self._list(KINDS[2], "ResponseHeadersPolicyList", response)

    # how

    def _create(self, kind: Kind, response):
        config = response._get_param(kind.config)
        self._check(kind, config, besides=None)
        made = Policy(new_id(), config, new_id())
        self._own(kind)[made.id] = made
        return self._answer(kind, made)

    def _get(self, kind: Kind, response):
        policy_id = response._get_param("Id")
        if policy_id in kind.managed:
            return self._answer(kind, Policy(policy_id, kind.managed[policy_id], "E23ZP02F085DFQ"))
        return self._answer(kind, self._find(kind, policy_id))

    def _update(self, kind: Kind, response):
        from localcloud.services.cloudfront.distributions import Distributions

        found = self._changeable(kind, response)
        config = response._get_param(kind.config)
        self._check(kind, config, besides=found.id)
        found.config, found.etag, found.changed = config, new_id(), utcnow()
        self.cloud.service(Distributions).apply()
        return self._answer(kind, found)

    def _delete(self, kind: Kind, response):
        from localcloud.services.cloudfront.distributions import Distributions

        found = self._changeable(kind, response)
        if self.cloud.service(Distributions).uses(found.id):
            raise CloudFrontException(
                f"{kind.name}InUse",
                f"The {kind.name} is attached to a cache behavior and cannot be deleted.",
            )
        del self._own(kind)[found.id]
        return EmptyResult()

    def _list(self, kind: Kind, name: str, response):
        wanted = response._get_param("Type")
        rows = []
        if wanted in (None, "managed"):
            rows += [
                {"Type": "managed", kind.name: self._shown(kind, Policy(each, config, ""))}
                for each, config in kind.managed.items()
            ]
        if wanted in (None, "custom"):
            rows += [
                {"Type": "custom", kind.name: self._shown(kind, each)}
                for each in self._own(kind).values()
            ]
        return ActionResult({name: {"MaxItems": 100, "Quantity": len(rows), "Items": rows}})

    def _changeable(self, kind: Kind, response) -> Policy:
        policy_id, match = response._get_param("Id"), response._get_param("IfMatch")
        if policy_id in kind.managed:
            raise CloudFrontException("IllegalUpdate", "A managed policy cannot be changed.")
        found = self._find(kind, policy_id)
        check_match(match, found.etag)
        return found

    def _check(self, kind: Kind, config: dict, besides: str | None) -> None:
        taken = {each["Name"] for each in kind.managed.values()} | {
            each.config["Name"] for each in self._own(kind).values() if each.id != besides
        }
        if config["Name"] in taken:
            raise CloudFrontException(
                f"{kind.name}AlreadyExists", f"A {kind.name} named {config['Name']} exists."
            )
        if kind.key == "cache":
            ttls = [int(config.get(each) or 0) for each in ("MinTTL", "DefaultTTL", "MaxTTL")]
            if "MaxTTL" in config and ttls != sorted(ttls):
                raise invalid("MinTTL, DefaultTTL and MaxTTL must not decrease in this order.")
        parts = config.get("ParametersInCacheKeyAndForwardedToOrigin") or config
        for group, names in (
            ("HeadersConfig", "Headers"),
            ("CookiesConfig", "Cookies"),
            ("QueryStringsConfig", "QueryStrings"),
        ):
            for each in items((parts.get(group) or {}).get(names)):
                if not HEADER.fullmatch(each):
                    raise invalid(f"{each!r} is no name that {names} can have here.")
        for each in items(config.get("CustomHeadersConfig")):
            if not HEADER.fullmatch(each["Header"]) or re.search(r"[\r\n\0]", each["Value"]):
                raise invalid(f"{each['Header']!r} is no header with a value of one line.")

    def _answer(self, kind: Kind, policy: Policy):
        return ActionResult(
            {
                kind.name: self._shown(kind, policy),
                kind.config: policy.config,
                "ETag": policy.etag,
                "Location": f"https://cloudfront.amazonaws.com/{API}/{kind.path}/{policy.id}",
            }
        )

    def _shown(self, kind: Kind, policy: Policy) -> dict:
        return {"Id": policy.id, "LastModifiedTime": policy.changed, kind.config: policy.config}


def invalid(why: str) -> CloudFrontException:
    return CloudFrontException("InvalidArgument", why)


def check_match(match: str | None, etag: str) -> None:
    """Whether a change was made knowing what there is."""
    if not match:
        raise CloudFrontException(
            "InvalidIfMatchVersion",
            "The If-Match version is missing or not valid for the resource.",
        )
    if match != etag:
        raise CloudFrontException(
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more "
            "request-header fields.",
        )
