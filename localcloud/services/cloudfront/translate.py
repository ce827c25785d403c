"""The API's DistributionConfig, and the policies that it names, as ``model`` says them."""

from collections.abc import Callable

from localcloud.services.cloudfront.model import (
    Behaviour,
    Distribution,
    ErrorResponse,
    Group,
    Header,
    Origin,
    Parts,
    Selection,
)

_KINDS = {
    "none": "none",
    "all": "all",
    "allViewer": "all",
    "allViewerAndWhitelistCloudFront": "all",
    "whitelist": "some",
    "allExcept": "all but",
}
# Errors that CloudFront keeps for 10 s unless it is told otherwise.
ERRORS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)

# kind ("cache", "request", "response"), id -> the policy's config
Policy = Callable[[str, str], dict]


def items(config: dict | None) -> list:
    """CloudFront's lists are {Quantity, Items}."""
    return list((config or {}).get("Items") or [])


def distribution(found, policy: Policy, certificate: str) -> Distribution:
    """``found`` is the distribution that the API keeps."""
    config = found.config
    aliases = tuple(each.lower() for each in items(config.get("Aliases")))
    behaviours = [behaviour(each, policy) for each in items(config.get("CacheBehaviors"))]
    behaviours.append(behaviour(config["DefaultCacheBehavior"], policy))
    return Distribution(
        id=found.id,
        arn=found.arn,
        names=(found.domain_name, *aliases),
        origins=tuple(origin(each) for each in items(config["Origins"])),
        behaviours=tuple(behaviours),
        groups=tuple(_group(each) for each in items(config.get("OriginGroups"))),
        errors=_errors(items(config.get("CustomErrorResponses"))),
        root=config.get("DefaultRootObject") or "",
        certificate=certificate,
        aliases=aliases,
    )


def behaviour(config: dict, policy: Policy) -> Behaviour:
    cache = policy("cache", config["CachePolicyId"])
    parts = cache.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
    key = _parts(parts)
    request = config.get("OriginRequestPolicyId")
    response = config.get("ResponseHeadersPolicyId")
    return Behaviour(
        pattern=config.get("PathPattern"),
        origin=config["TargetOriginId"],
        viewer_protocol=config["ViewerProtocolPolicy"],
        methods=tuple(items(config.get("AllowedMethods")) or ("GET", "HEAD")),
        compress=bool(config.get("Compress")),
        key=key,
        gzip=bool(parts.get("EnableAcceptEncodingGzip")),
        forward=_both(key, _parts(policy("request", request)) if request else Parts()),
        ttl=(
            int(cache.get("MinTTL") or 0),
            int(cache.get("DefaultTTL", 86400)),
            int(cache.get("MaxTTL", 31536000)),
        ),
        headers=_headers(policy("response", response)) if response else (),
        removed=tuple(
            each["Header"].lower()
            for each in items((policy("response", response)).get("RemoveHeadersConfig"))
        )
        if response
        else (),
    )


def _parts(config: dict) -> Parts:
    headers = config.get("HeadersConfig") or {}
    cookies = config.get("CookiesConfig") or {}
    queries = config.get("QueryStringsConfig") or {}
    kind = headers.get("HeaderBehavior", "none")
    names = tuple(each.lower() for each in items(headers.get("Headers")))
    return Parts(
        Selection(_KINDS[kind], names),
        Selection(
            _KINDS[cookies.get("CookieBehavior", "none")], tuple(items(cookies.get("Cookies")))
        ),
        Selection(
            _KINDS[queries.get("QueryStringBehavior", "none")],
            tuple(items(queries.get("QueryStrings"))),
        ),
    )


def _both(key: Parts, request: Parts) -> Parts:
    return Parts(
        _union(key.headers, request.headers),
        _union(key.cookies, request.cookies),
        _union(key.queries, request.queries),
    )


def _union(first: Selection, second: Selection) -> Selection:
    if second.kind == "none":
        return first
    if first.kind == "none":
        return second
    if first.kind == second.kind == "some":
        return Selection("some", tuple(dict.fromkeys([*first.names, *second.names])))
    if "all" in (first.kind, second.kind):
        # the names are headers that CloudFront adds
        return Selection("all", first.names if first.kind == "all" else second.names)
    but = first if first.kind == "all but" else second
    other = second if but is first else first
    left = tuple(
        each for each in but.names
        if (each in other.names if other.kind == "all but" else each not in other.names)
    )  # fmt: skip
    return Selection("all but", left)


def _headers(config: dict) -> tuple[Header, ...]:
    found = [
        Header(each["Header"], each["Value"], bool(each.get("Override")))
        for each in items(config.get("CustomHeadersConfig"))
    ]
    security = config.get("SecurityHeadersConfig") or {}
    for name, key, value in (
        ("Content-Security-Policy", "ContentSecurityPolicy",
         lambda each: each["ContentSecurityPolicy"]),
        ("X-Content-Type-Options", "ContentTypeOptions", lambda each: "nosniff"),
        ("X-Frame-Options", "FrameOptions", lambda each: each["FrameOption"]),
        ("Referrer-Policy", "ReferrerPolicy", lambda each: each["ReferrerPolicy"]),
        ("Strict-Transport-Security", "StrictTransportSecurity", _hsts),
        ("X-XSS-Protection", "XSSProtection", _xss),
    ):  # fmt: skip
        if key in security:
            chosen = security[key]
            found.append(Header(name, value(chosen), bool(chosen.get("Override"))))
    return tuple(found)


def _hsts(config: dict) -> str:
    parts = [f"max-age={config['AccessControlMaxAgeSec']}"]
    parts += ["includeSubDomains"] if config.get("IncludeSubdomains") else []
    parts += ["preload"] if config.get("Preload") else []
    return "; ".join(parts)


def _xss(config: dict) -> str:
    if not config.get("Protection"):
        return "0"
    return "1; mode=block" if config.get("ModeBlock") else "1"


def origin(config: dict) -> Origin:
    custom = config.get("CustomOriginConfig")
    protocols = {"http-only": "http", "https-only": "https", "match-viewer": "match"}
    return Origin(
        id=config["Id"],
        domain=config["DomainName"].lower(),
        path=config.get("OriginPath") or "",
        protocol=protocols[custom["OriginProtocolPolicy"]] if custom else "s3",
        http_port=int(custom.get("HTTPPort") or 80) if custom else 80,
        https_port=int(custom.get("HTTPSPort") or 443) if custom else 443,
        headers=tuple(
            (each["HeaderName"], each["HeaderValue"]) for each in items(config.get("CustomHeaders"))
        ),
        read_timeout=int((custom or {}).get("OriginReadTimeout") or 30),
        attempts=int(config.get("ConnectionAttempts") or 3),
        connect_timeout=int(config.get("ConnectionTimeout") or 10),
        access=bool(config.get("OriginAccessControlId")),
    )


def _group(config: dict) -> Group:
    members = [each["OriginId"] for each in items(config["Members"])]
    return Group(
        config["Id"],
        members[0],
        members[1],
        tuple(int(each) for each in items(config["FailoverCriteria"]["StatusCodes"])),
    )


def _errors(configs: list[dict]) -> tuple[ErrorResponse, ...]:
    said = {int(each["ErrorCode"]): each for each in configs}
    return tuple(
        ErrorResponse(
            code=code,
            ttl=int(said.get(code, {}).get("ErrorCachingMinTTL", 10)),
            page=said.get(code, {}).get("ResponsePagePath") or "",
            status=int(said.get(code, {}).get("ResponseCode") or code),
        )
        for code in sorted({*ERRORS, *said})
    )
