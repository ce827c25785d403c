"""AWS's own policies, by id: what most distributions use.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
and its neighbours.
"""


def _selection(kind: str, behaviour: str, items: tuple[str, ...] = ()) -> dict:
    config = {f"{kind}Behavior": behaviour}
    if items:
        config[f"{kind}s"] = {"Quantity": len(items), "Items": list(items)}
    return config


def _cache(name, ttl, compressed, headers=(), cookies="none", queries="none") -> dict:
    minimum, default, maximum = ttl
    return {
        "Name": name,
        "Comment": "",
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": compressed,
            "EnableAcceptEncodingBrotli": compressed,
            "HeadersConfig": _selection("Header", "whitelist" if headers else "none", headers),
            "CookiesConfig": _selection("Cookie", cookies),
            "QueryStringsConfig": _selection("QueryString", queries),
        },
    }


def _request(name, headers, items=(), cookies="none", queries="none") -> dict:
    return {
        "Name": name,
        "Comment": "",
        "HeadersConfig": _selection("Header", headers, items),
        "CookiesConfig": _selection("Cookie", cookies),
        "QueryStringsConfig": _selection("QueryString", queries),
    }


ORIGIN_HEADERS = (
    "Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
)  # fmt: skip
CLOUDFRONT_HEADERS = (
    "CloudFront-Viewer-Address", "CloudFront-Forwarded-Proto", "CloudFront-Viewer-Http-Version",
    "CloudFront-Viewer-TLS",
)  # fmt: skip

CACHE = {
    "658327ea-f89d-4fab-a63d-7e88639e58f6": _cache(
        "Managed-CachingOptimized", (1, 86400, 31536000), True
    ),
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": _cache(
        "Managed-CachingOptimizedForUncompressedObjects", (1, 86400, 31536000), False
    ),
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": _cache("Managed-CachingDisabled", (0, 0, 0), False),
    "83da9c7e-98b4-4e11-a168-04f0df8e2c65": _cache(
        "Managed-UseOriginCacheControlHeaders", (0, 0, 31536000), True, ORIGIN_HEADERS, "all"
    ),
    "4cc15a8a-d715-48a4-82b8-cc0b614638fe": _cache(
        "Managed-UseOriginCacheControlHeaders-QueryStrings", (0, 0, 31536000), True,
        ORIGIN_HEADERS, "all", "all",
    ),
}  # fmt: skip
REQUEST = {
    "216adef6-5c7f-47e4-b989-5492eafa07d3": _request(
        "Managed-AllViewer", "allViewer", (), "all", "all"
    ),
    "b689b0a8-53d0-40ab-baf2-68738e2966ac": _request(
        "Managed-AllViewerExceptHostHeader", "allExcept", ("Host",), "all", "all"
    ),
    "33f36d7e-f396-46d9-90e0-52428a34d9dc": _request(
        "Managed-AllViewerAndCloudFrontHeaders-2022-06", "allViewerAndWhitelistCloudFront",
        CLOUDFRONT_HEADERS, "all", "all",
    ),
    "59781a5b-3903-41f3-afcb-af62929ccde1": _request(
        "Managed-CORS-CustomOrigin", "whitelist", ("Origin",)
    ),
    "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": _request(
        "Managed-CORS-S3Origin", "whitelist",
        ("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"),
    ),
    "acba4595-bd28-49b8-b9fe-13317c0390fa": _request(
        "Managed-UserAgentRefererHeaders", "whitelist", ("User-Agent", "Referer")
    ),
}  # fmt: skip
RESPONSE = {
    "67f7725c-6f97-4210-82d7-5512b31e9d03": {
        "Name": "Managed-SecurityHeadersPolicy",
        "Comment": "",
        "SecurityHeadersConfig": {
            "XSSProtection": {"Override": False, "Protection": True, "ModeBlock": True},
            "FrameOptions": {"Override": False, "FrameOption": "SAMEORIGIN"},
            "ReferrerPolicy": {
                "Override": False,
                "ReferrerPolicy": "strict-origin-when-cross-origin",
            },
            "ContentTypeOptions": {"Override": True},
            "StrictTransportSecurity": {"Override": False, "AccessControlMaxAgeSec": 31536000},
        },
    },
}
