"""Policies of CloudFront: the three kinds, what the API takes for options, their names."""

import re
from collections import namedtuple

from ansible.module_utils.cloudfront import canonical, listed

# The API's name of a kind, in its operations and in its structures.
Kind = namedtuple("Kind", "operation structure")
KINDS = {
    "cache": Kind("cache_policy", "CachePolicy"),
    "origin_request": Kind("origin_request_policy", "OriginRequestPolicy"),
    "response_headers": Kind("response_headers_policy", "ResponseHeadersPolicy"),
}
PLURALS = {
    "cache": ("list_cache_policies", "CachePolicyList"),
    "origin_request": ("list_origin_request_policies", "OriginRequestPolicyList"),
    "response_headers": ("list_response_headers_policies", "ResponseHeadersPolicyList"),
}
MANAGED = "Managed-"
# AWS's own have UUIDs for ids; one's own look like them.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def policies(client, kind):
    """All policies of a kind, AWS's own too; botocore has no paginator for them."""
    operation, name = PLURALS[kind]
    asked = {}
    while True:
        page = getattr(client, operation)(**asked)[name]
        yield from (each[KINDS[kind].structure] for each in page.get("Items") or [])
        if not page.get("NextMarker"):
            return
        asked = {"Marker": page["NextMarker"]}


def name_of(kind, policy):
    return policy[f"{KINDS[kind].structure}Config"]["Name"]


def find_policies(client, kind, names):
    """``{name: id}`` of those of the ``names`` that there are; an id stands for itself."""
    found = {name: name for name in names if ID.fullmatch(name)}
    if names - found.keys():
        ids = {name_of(kind, each): each["Id"] for each in policies(client, kind)}
        for name in names - found.keys():
            if identity := ids.get(name) or ids.get(MANAGED + name):
                found[name] = identity
            elif name in ids.values():
                found[name] = name
    return found


# --- from options ------------------------------------------------------------------------------


class Unclear(ValueError):
    """Options that no policy can be made of."""


def parts(option, behaviour, group, names):
    """Which headers, cookies or query strings count: ``none``, ``all`` and the like, or a list."""
    if isinstance(option, str):
        return {behaviour: option}
    kind = "allExcept" if option.get("all_but") else "whitelist"
    chosen = option.get("all_but") or option.get("only") or []
    if not chosen:
        raise Unclear(f"{names} needs a word such as none, or a dictionary with only or all_but.")
    return {behaviour: kind, group: listed(sorted(chosen))}


PARTS = (
    ("headers", "HeadersConfig", "HeaderBehavior", "Headers"),
    ("cookies", "CookiesConfig", "CookieBehavior", "Cookies"),
    ("query_strings", "QueryStringsConfig", "QueryStringBehavior", "QueryStrings"),
)


def all_parts(options):
    return {
        config: parts("none" if options[name] is None else options[name], behaviour, group, name)
        for name, config, behaviour, group in PARTS
    }


def cache_config(options):
    """A cache policy: how long, and what tells answers apart."""
    ttls = [options[name] for name in ("min_ttl", "default_ttl", "max_ttl")]
    if ttls != sorted(ttls):
        raise Unclear("min_ttl, default_ttl and max_ttl must not decrease in this order.")
    return {
        **dict(zip(("MinTTL", "DefaultTTL", "MaxTTL"), ttls, strict=True)),
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": options["gzip"],
            "EnableAcceptEncodingBrotli": options["brotli"],
            **all_parts(options),
        },
    }


def origin_request_config(options):
    """An origin request policy: what origins are told beside the cache key."""
    return all_parts(options)


def content_type_options(value):
    if value != "nosniff":
        raise Unclear(f"X-Content-Type-Options can be nosniff, not {value!r}.")
    return {}


def transport_security(value):
    said = [each.strip().lower() for each in value.split(";")]
    age = [each.partition("=")[2] for each in said if each.startswith("max-age=")]
    if len(age) != 1 or not age[0].isdigit():
        raise Unclear(f"Strict-Transport-Security needs one max-age, not {value!r}.")
    return {
        "AccessControlMaxAgeSec": int(age[0]),
        "IncludeSubdomains": "includesubdomains" in said,
        "Preload": "preload" in said,
    }


# CloudFront takes these headers in a place of their own only, and has a word for each.
SECURITY = {
    "content-security-policy": (
        "ContentSecurityPolicy",
        lambda value: {"ContentSecurityPolicy": value},
    ),
    "x-content-type-options": ("ContentTypeOptions", content_type_options),
    "x-frame-options": ("FrameOptions", lambda value: {"FrameOption": value.upper()}),
    "referrer-policy": ("ReferrerPolicy", lambda value: {"ReferrerPolicy": value}),
    "strict-transport-security": ("StrictTransportSecurity", transport_security),
}


def response_headers_config(options):
    """A response headers policy from plain headers, each put where CloudFront wants it."""
    security, custom = {}, []
    for option, override in (("response_headers", True), ("default_headers", False)):
        given = options[option] or {}
        for name in sorted(given):
            if known := SECURITY.get(name.lower()):
                key, read = known
                security[key] = {"Override": override, **read(str(given[name]))}
            else:
                custom.append({"Header": name, "Value": str(given[name]), "Override": override})
    removed = [{"Header": name} for name in sorted(options["remove_headers"] or [])]
    found = {
        "SecurityHeadersConfig": security,
        "CustomHeadersConfig": listed(custom),
        "RemoveHeadersConfig": listed(removed),
    }
    return {name: each for name, each in found.items() if each not in ({}, {"Quantity": 0})}


CONFIGS = {
    "cache": cache_config,
    "origin_request": origin_request_config,
    "response_headers": response_headers_config,
}


def policy_config(kind, options):
    """What the API takes for a policy of a kind."""
    made = CONFIGS[kind](options)
    return {"Name": options["name"], "Comment": options["comment"], **made}


# --- whether it differs ------------------------------------------------------------------------


def comparable(config):
    """A policy as it is compared: structures without quantities, what is empty left out."""
    found = canonical(config)
    for name in ("CustomHeadersConfig", "RemoveHeadersConfig"):
        if name in found:
            found[name] = {each["Header"]: each for each in found[name]}
    return found
