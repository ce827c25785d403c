"""What a bucket's CORS configuration lets the web pages of other origins do."""

from fnmatch import fnmatchcase

from localcloud.errors import Refusal

PREFLIGHTS = ("BucketCORSPreflightCheck", "ObjectCORSPreflightCheck")
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def preflight(bucket, environ: dict) -> dict[str, str]:
    """Headers of the answer to a browser that asks whether it may ask; `Refusal` if not."""
    if bucket is None or not bucket.cors:
        raise _forbidden("CORS is not enabled for this bucket.")
    wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    names = [name.strip().lower() for name in wanted.split(",") if name.strip()]
    method = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD", "")
    found = _headers(bucket, environ.get("HTTP_ORIGIN", ""), method, names)
    if not found:
        raise _forbidden(
            "This CORS request is not allowed. This is usually because the evaluation of Origin, "
            "request method / Access-Control-Request-Method or Access-Control-Request-Headers "
            "are not whitelisted by the resource's CORS spec."
        )
    return found | ({"Access-Control-Allow-Headers": ", ".join(names)} if names else {})


def headers(bucket, environ: dict) -> dict[str, str]:
    """What is added to the answer of a request that a page made."""
    origin = environ.get("HTTP_ORIGIN")
    if not origin or bucket is None:
        return {}
    return _headers(bucket, origin, environ["REQUEST_METHOD"], [])


def _headers(bucket, origin: str, method: str, names: list[str]) -> dict[str, str]:
    """By the first rule that fits."""
    for rule in bucket.cors:
        origins, methods = _list(rule.allowed_origins), _list(rule.allowed_methods)
        patterns = [each.lower() for each in _list(rule.allowed_headers)]
        fits = [each for each in origins if fnmatchcase(origin, each.replace("[", "[[]"))]
        if (
            not fits
            or method not in methods
            or not all(any(fnmatchcase(name, each) for each in patterns) for name in names)
        ):
            continue
        found = {
            "Access-Control-Allow-Origin": "*" if fits[0] == "*" else origin,
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Vary": VARY,
        }
        if fits[0] != "*":
            found["Access-Control-Allow-Credentials"] = "true"
        if rule.exposed_headers:
            found["Access-Control-Expose-Headers"] = ", ".join(_list(rule.exposed_headers))
        if rule.max_age_seconds:
            found["Access-Control-Max-Age"] = str(rule.max_age_seconds)
        return found
    return {}


def _list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _forbidden(reason: str) -> Refusal:
    return Refusal((403, "AccessForbidden"), f"CORSResponse: {reason}")
