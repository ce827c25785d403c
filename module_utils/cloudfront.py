"""Distributions of CloudFront as plain data: what is wanted, whether it differs, what is shown.

A wanted config begins as the one that there is (or as `SKELETON`), so that what no option speaks
of, and what AWS adds by itself, stays as it is. What is listed (an origin, a behaviour, an error)
is as it is listed: a suboption that is left out has AWS's default.
"""

from copy import deepcopy

# What create_distribution demands beside what the options say.
SKELETON = {"Comment": "", "Enabled": True, "PriceClass": "PriceClass_All"}
# Lists in which the order means something; all others are sets.
ORDERED = {"CacheBehaviors", "Members"}
# What tells the members of a list of structures apart.
KEYS = {
    "Origins": "Id",
    "OriginGroups": "Id",
    "CustomHeaders": "HeaderName",
    "CustomErrorResponses": "ErrorCode",
}
HIDDEN = "(secret)"
METHODS = {
    "read": ["GET", "HEAD"],
    "read-options": ["GET", "HEAD", "OPTIONS"],
    "all": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
}


def listed(items):
    """A list as CloudFront takes it."""
    return {"Quantity": len(items), "Items": list(items)} if items else {"Quantity": 0}


def items(value):
    """The members of such a list, which may not be there."""
    return (value or {}).get("Items") or []


# --- what is wanted ----------------------------------------------------------------------------


def origin(option, current):
    """An origin from its option; ``current`` is the one of the same id, or nothing."""
    headers = option["headers"] or {}
    made = {
        **current,
        "Id": option["id"],
        "DomainName": option["domain_name"],
        "OriginPath": option["path"],
        "CustomHeaders": listed(
            [{"HeaderName": name, "HeaderValue": str(headers[name])} for name in sorted(headers)]
        ),
        "ConnectionAttempts": option["connection_attempts"],
        "ConnectionTimeout": option["connection_timeout"],
        "OriginAccessControlId": option["access_control"] or "",
    }
    kept = {"S3OriginConfig": {}, "CustomOriginConfig": {}}
    kept |= {name: made.pop(name) for name in kept if name in made}
    if option["bucket"]:
        made["S3OriginConfig"] = {**kept["S3OriginConfig"], "OriginAccessIdentity": ""}
    else:
        made["CustomOriginConfig"] = {
            **kept["CustomOriginConfig"],
            "HTTPPort": option["http_port"],
            "HTTPSPort": option["https_port"],
            "OriginProtocolPolicy": option["protocol"],
            "OriginSslProtocols": listed(option["tls_protocols"]),
            "OriginReadTimeout": option["read_timeout"],
            "OriginKeepaliveTimeout": option["keepalive_timeout"],
        }
    return made


def group(option, current):
    codes = [int(code) for code in option["codes"]]
    return {
        **current,
        "Id": option["id"],
        "FailoverCriteria": {"StatusCodes": listed(codes)},
        "Members": listed([{"OriginId": member} for member in option["origins"]]),
    }


def behaviour(option, current):
    """A cache behaviour whose policies are ids; the settings from before there were policies go."""
    made = {
        **{name: value for name, value in current.items() if name not in LEGACY},
        "TargetOriginId": option["origin"],
        "ViewerProtocolPolicy": option["viewer_protocol"],
        "AllowedMethods": {
            **listed(METHODS[option["methods"]]),
            "CachedMethods": listed(METHODS[option["cached_methods"]]),
        },
        "Compress": option["compress"],
        "CachePolicyId": option["cache_policy"],
        "OriginRequestPolicyId": option["origin_request_policy"] or "",
        "ResponseHeadersPolicyId": option["response_headers_policy"] or "",
    }
    if option.get("path"):
        made["PathPattern"] = option["path"]
    return {name: value for name, value in made.items() if value != ""}


LEGACY = {"ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"}


def error(option, current):
    page = {}
    if option["page"]:
        code = option["response_code"] or option["code"]
        page = {"ResponsePagePath": option["page"], "ResponseCode": str(code)}
    return {"ErrorCode": option["code"], "ErrorCachingMinTTL": option["caching_min_ttl"], **page}


def merged(name, make, options, current):
    """The list ``name`` of ``options``, each on top of the member of ``current`` that it names."""
    ours = {"Id": "id", "PathPattern": "path", "ErrorCode": "code"}
    key = KEYS.get(name, "PathPattern")
    there = {each[key]: each for each in items(current.get(name))}
    return listed([make(option, there.get(option[ours[key]], {})) for option in options])


def certificate(arn, tls_policy):
    """The viewer's certificate; without one it is CloudFront's own, for its own name."""
    if not arn:
        return {"CloudFrontDefaultCertificate": True}
    return {
        "ACMCertificateArn": arn,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": tls_policy,
    }


def logging(option):
    return {
        "Enabled": bool(option["bucket"]),
        "IncludeCookies": option["cookies"],
        "Bucket": option["bucket"] or "",
        "Prefix": option["prefix"],
    }


PLAIN = {
    "comment": "Comment",
    "enabled": "Enabled",
    "price_class": "PriceClass",
    "http_version": "HttpVersion",
    "ipv6": "IsIPV6Enabled",
    "web_acl_id": "WebACLId",
    "default_root_object": "DefaultRootObject",
}
LISTS = {
    "origins": ("Origins", origin),
    "origin_groups": ("OriginGroups", group),
    "behaviors": ("CacheBehaviors", behaviour),
    "error_responses": ("CustomErrorResponses", error),
}


def wanted_config(options, current):
    """The config that the module's ``options`` make of ``current``; of None, a new one."""
    config = deepcopy(SKELETON if current is None else current)
    for option, name in PLAIN.items():
        if options[option] is not None:
            config[name] = options[option]
    for option, (name, make) in LISTS.items():
        if options[option] is not None:
            config[name] = merged(name, make, options[option], config)
    if options["default_behavior"] is not None:
        there = config.get("DefaultCacheBehavior", {})
        config["DefaultCacheBehavior"] = behaviour(options["default_behavior"], there)
    if options["aliases"] is not None:
        config["Aliases"] = listed(options["aliases"])
    if options["certificate_arn"] is not None:
        config["ViewerCertificate"] = certificate(options["certificate_arn"], options["tls_policy"])
    if options["logging"] is not None:
        config["Logging"] = logging(options["logging"])
    if current is None:
        config["CallerReference"] = options["name"]
    return config


def problem(config):
    """What is wrong with a config that AWS would refuse without saying what it means, or None."""
    origins = [each["Id"] for each in items(config.get("Origins"))]
    groups = items(config.get("OriginGroups"))
    known = {*origins, *(each["Id"] for each in groups)}
    if not origins or "DefaultCacheBehavior" not in config:
        return "A distribution needs origins and a default_behavior."
    for each in groups:
        members = [member["OriginId"] for member in items(each["Members"])]
        if len(members) != 2 or not set(members) <= set(origins):
            return f"The origin group {each['Id']} needs two of the origins {', '.join(origins)}."
    for each in [config["DefaultCacheBehavior"], *items(config.get("CacheBehaviors"))]:
        if each["TargetOriginId"] not in known:
            where = each.get("PathPattern", "the default behaviour")
            return f"{where} leads to {each['TargetOriginId']}, which is none of the origins."
    own = config.get("ViewerCertificate", {}).get("ACMCertificateArn")
    if items(config.get("Aliases")) and not own:
        return "With aliases there must be a certificate_arn (of ACM in us-east-1) for them."
    return None


# --- whether it differs ------------------------------------------------------------------------


def canonical(value, name=""):
    """``value`` in one form for all that mean the same: no quantities, what is empty left out."""
    if isinstance(value, dict) and "Quantity" in value:
        return _canonical_list(value, name)
    if isinstance(value, dict):
        found = {key: canonical(each, key) for key, each in value.items() if key != "Quantity"}
        return {key: each for key, each in sorted(found.items()) if not _nothing(each)}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    return value


def _canonical_list(value, name):
    rest = {key: each for key, each in value.items() if key not in ("Quantity", "Items")}
    found = [canonical(each) for each in value.get("Items") or []]
    if name in KEYS:
        key = KEYS[name]
        found = {each.pop(key): each for each in found}
        found = dict(sorted(found.items()))
    elif name not in ORDERED and not any(isinstance(each, dict) for each in found):
        found = sorted(found)
    # AllowedMethods has CachedMethods beside its items.
    return {"Items": found, **canonical(rest)} if rest else found


def _nothing(value):
    """Whether CloudFront may as well not have sent it. A number 0 says something."""
    return value is None or value is False or value in ("", [], {})


def comparable(config):
    """A config as it is compared: without what CloudFront derives from the rest."""
    found = canonical(config)
    certificate = found.get("ViewerCertificate", {})
    for name in ("Certificate", "CertificateSource"):
        certificate.pop(name, None)
    if certificate.get("CloudFrontDefaultCertificate"):
        found["ViewerCertificate"] = {"CloudFrontDefaultCertificate": True}
    if not found.get("Logging", {}).get("Enabled"):
        found.pop("Logging", None)
    return found


def shown(config):
    """A config for people and diffs, without what origins are told in secret."""
    found = comparable(config)
    for each in found.get("Origins", {}).values():
        if "CustomHeaders" in each:
            each["CustomHeaders"] = dict.fromkeys(each["CustomHeaders"], HIDDEN)
    return found
