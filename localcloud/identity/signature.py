"""Signature Version 4: compute what a request's signature must be, in headers or the address."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, unquote

from localcloud.errors import Refusal

SKEW = timedelta(minutes=15)
LONGEST = 604800  # seconds that a presigned address may be good for
EMPTY = hashlib.sha256(b"").hexdigest()


def check(environ: dict, secret: str, payload: str | None) -> None:
    """Refuse unless ``secret`` signed the request; ``payload`` is its body's SHA-256, if known."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    header = environ.get("HTTP_AUTHORIZATION", "")
    presigned = "X-Amz-Signature" in query
    if presigned:
        said = {
            "Credential": query["X-Amz-Credential"][0],
            "SignedHeaders": query.get("X-Amz-SignedHeaders", ["host"])[0],
            "Signature": query["X-Amz-Signature"][0],
        }
        date = query.get("X-Amz-Date", [""])[0]
    else:
        _, _, words = header.partition(" ")
        said = dict(word.strip().split("=", 1) for word in words.split(",") if "=" in word)
        date = environ.get("HTTP_X_AMZ_DATE", "")
    try:
        moment = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        _, day, region, service, _ = said["Credential"].split("/")
        signed_headers, signature = said["SignedHeaders"], said["Signature"]
        life = int(query.get("X-Amz-Expires", [str(LONGEST)])[0])
    except (ValueError, KeyError):
        raise Refusal("wrong signature", "The request's signature is incomplete.") from None
    if presigned and not 0 <= life <= LONGEST:
        raise Refusal(
            (400, "AuthorizationQueryParametersError"),
            f"X-Amz-Expires must be between 0 and {LONGEST} seconds (a week).",
        )
    now = datetime.now(UTC)
    late = now > moment + timedelta(seconds=life) if presigned else now > moment + SKEW
    if late and presigned and service == "s3":
        raise Refusal("access denied", "Request has expired")
    if late or moment > now + SKEW:
        raise Refusal("expired", f"The request of {date} has expired; it is {now:%Y%m%dT%H%M%SZ}.")
    canonical = "\n".join(
        [
            environ["REQUEST_METHOD"],
            _path(environ, service),
            _query(environ),
            *(f"{name}:{_header(environ, name)}" for name in signed_headers.split(";")),
            "",
            signed_headers,
            _payload(environ, service, payload, presigned, signed_headers),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
    if day != date[:8] or not hmac.compare_digest(_sign(secret, scope, text), signature):
        raise _wrong()


def check_policy(fields: dict[str, str], secret: str) -> None:
    """Refuse unless ``secret`` signed the policy of a form (`localcloud.services.s3.forms`)."""
    scope = fields["x-amz-credential"].partition("/")[2]
    right = _sign(secret, scope, fields["policy"])
    if not hmac.compare_digest(right, fields.get("x-amz-signature", "")):
        raise _wrong()


def _sign(secret: str, scope: str, text: str) -> str:
    """The signature of a text by a secret, for a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _wrong() -> Refusal:
    return Refusal(
        "wrong signature",
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method.",
    )


def _payload(environ: dict, service: str, payload: str | None, presigned: bool,
             signed_headers: str) -> str:  # fmt: skip
    said = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if said and payload and len(said) == len(payload) and said != payload:
        raise Refusal("wrong signature", "The body is not the one that was signed.")
    if presigned and "x-amz-content-sha256" not in signed_headers:
        return "UNSIGNED-PAYLOAD" if service == "s3" else EMPTY
    return said or payload or EMPTY


def _path(environ: dict, service: str) -> str:
    path = environ["RAW_URI"].partition("?")[0] or "/"
    if service == "s3":
        return path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in ("", "."):
            parts.append(part)
    clean = "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")
    return quote(clean, safe="/~-._")


def _query(environ: dict) -> str:
    pairs = []
    for word in environ.get("QUERY_STRING", "").split("&"):
        name, _, value = word.partition("=")
        if word and unquote(name) != "X-Amz-Signature":
            pairs.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(word: str) -> str:
    return quote(unquote(word), safe="-_.~")


def _header(environ: dict, name: str) -> str:
    key = name.upper().replace("-", "_")
    key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
    return " ".join(environ.get(key, "").split())
