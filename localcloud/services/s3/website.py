"""Website endpoints: a bucket served as pages, at http://BUCKET.s3-website-REGION.amazonaws.com.

Anonymous requests by the name of the bucket: the bucket's policy and Block Public Access decide, as
for every anonymous request to S3. On this machine the endpoint is a loopback address of the
cloud's own; hosts and the edge of CloudFront reach it where they reach the API. HTTP only, as on
AWS.
"""

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

import xmltodict
from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend

from localcloud import registry
from localcloud.firewall import RESOLVER
from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.settings import REGION

ENDPOINT = f"s3-website-{REGION}.amazonaws.com"
METHODS = ("GET", "HEAD")
# What of a visitor's request decides about an object's answer.
PASSED = ("HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH",
          "HTTP_IF_UNMODIFIED_SINCE", "HTTP_RANGE", "HTTP_ORIGIN", "HTTP_USER_AGENT",
          "HTTP_REFERER")  # fmt: skip
NO_CONFIGURATION = "The specified bucket does not have a website configuration"


@dataclass(frozen=True)
class Answer:
    """``status`` is an HTTP status; ``headers`` by their names in small letters."""

    status: int
    headers: dict[str, str]
    body: Iterable[bytes] = ()


class Websites(Service):
    """Which buckets are websites, and where they are reached."""

    @hook(S3Backend, "put_bucket_website", "self, bucket_name, website_configuration")
    def put(self, original, backend, bucket_name, website_configuration):
        backend.get_bucket(bucket_name)
        _check(parsed(website_configuration))
        return original(backend, bucket_name, website_configuration)

    def names(self) -> dict[str, list[str]]:
        return {name: [RESOLVER] for name in (ENDPOINT, *self._sites())}

    def public_names(self) -> dict[str, list[str]]:
        return {name: [self.address] for name in (ENDPOINT, *self._sites())}

    @property
    def address(self) -> str:
        """Where this machine reaches them."""
        return registry.website_address(self.cloud.settings.id)

    def configuration(self, name: str) -> dict | None:
        """A bucket's website; None when it is none, `KeyError` when there is no such bucket."""
        text = self.cloud.backend("s3", "aws").buckets[name].website_configuration
        return parsed(text) if text else None

    def _sites(self) -> list[str]:
        buckets = self.cloud.backend("s3", "aws").buckets
        return [f"{each.name}.{ENDPOINT}" for each in list(buckets.values())
                if each.website_configuration]  # fmt: skip


class Pages:
    """The WSGI application behind the endpoints; ``ask`` answers an anonymous request to S3."""

    def __init__(self, websites: Websites, ask: Callable):
        self.websites = websites
        self.ask = ask

    def __call__(self, environ, start_response):
        found = self._answer(environ)
        status = f"{found.status} {HTTPStatus(found.status).phrase}"
        start_response(status, list(found.headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else found.body

    def _answer(self, environ) -> Answer:
        host = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        name = host.removesuffix(f".{ENDPOINT}")
        if environ["REQUEST_METHOD"] not in METHODS:
            return _page(405, "MethodNotAllowed", "The specified method is not allowed.")
        try:
            site = self.websites.configuration(name)
        except KeyError:
            return _page(404, "NoSuchBucket", "The specified bucket does not exist", name)
        if site is None:
            return _page(404, "NoSuchWebsiteConfiguration", NO_CONFIGURATION, name)
        key = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")[1:]
        if "RedirectAllRequestsTo" in site:
            return _moved(site["RedirectAllRequestsTo"], host, key, 301)
        return self._page_of(Visit(self, environ, name, host, key, site))

    def _page_of(self, visit: "Visit") -> Answer:
        rule = visit.rule(None)
        if rule:
            return rule
        index = visit.site["IndexDocument"]["Suffix"]
        asked = visit.key + index if visit.key == "" or visit.key.endswith("/") else visit.key
        found = visit.fetch(asked)
        if found.status in (403, 404) and asked == visit.key:
            folder = visit.fetch(f"{visit.key}/{index}", "HEAD")
            if folder.status == 200:
                return _redirect(302, f"/{quote(visit.key)}/")
        target = found.headers.get("x-amz-website-redirect-location")
        if target and found.status < 300:
            getattr(found.body, "close", lambda: None)()
            return _redirect(301, target)
        if found.status < 400:
            return found
        return visit.rule(found.status) or self._error(visit, found, asked)

    def _error(self, visit: "Visit", found: Answer, asked: str) -> Answer:
        text = b"".join(found.body).decode(errors="replace")
        code, message = (_within(text, tag) for tag in ("Code", "Message"))
        document = (visit.site.get("ErrorDocument") or {}).get("Key")
        failed = ""
        if document and found.status < 500:
            page = visit.fetch(document, plain=True)
            if page.status == 200:
                return Answer(found.status, page.headers, page.body)
            failed = "An Error Occurred While Attempting to Retrieve a Custom Error Document"
        code = code or {403: "AccessDenied", 404: "NoSuchKey"}.get(found.status, "InternalError")
        return _page(found.status, code, message, asked, failed)


@dataclass(frozen=True)
class Visit:
    """One request for a page of a bucket."""

    pages: Pages
    environ: dict
    bucket: str
    host: str
    key: str
    site: dict

    def fetch(self, key: str, method: str = "", plain: bool = False) -> Answer:
        """An object, as S3 gives it to an anonymous visitor; ``plain`` is without conditions."""
        environ = {
            name: value
            for name, value in self.environ.items()
            if not name.startswith("HTTP_") or (name in PASSED and not plain)
        }
        path = f"/{self.bucket}/{key}"
        environ |= {
            "HTTP_HOST": "127.0.0.1",
            "REQUEST_METHOD": method or self.environ["REQUEST_METHOD"],
            "PATH_INFO": path.encode().decode("latin-1"),
            "RAW_URI": quote(path),
            "QUERY_STRING": "",
        }
        status, headers, body = self.pages.ask(environ)
        return Answer(int(status[:3]), {name.lower(): value for name, value in headers}, body)

    def rule(self, status: int | None) -> Answer | None:
        """The redirect of the first routing rule that is for this, before or after an error."""
        for rule in _listed(self.site.get("RoutingRules"), "RoutingRule"):
            condition = rule.get("Condition") or {}
            prefix = condition.get("KeyPrefixEquals") or ""
            error = condition.get("HttpErrorCodeReturnedEquals")
            if self.key.startswith(prefix) and (int(error) if error else None) == status:
                redirect = rule["Redirect"]
                key = self.key
                if redirect.get("ReplaceKeyWith") is not None:
                    key = redirect["ReplaceKeyWith"]
                elif "ReplaceKeyPrefixWith" in redirect:
                    key = (redirect["ReplaceKeyPrefixWith"] or "") + key.removeprefix(prefix)
                code = int(redirect.get("HttpRedirectCode") or 301)
                return _moved(redirect, self.host, key, code)
        return None


def parsed(text: bytes) -> dict:
    """The configuration as PutBucketWebsite takes it."""
    try:
        return xmltodict.parse(text)["WebsiteConfiguration"] or {}
    except Exception as error:  # expat's, and what is no such document
        raise _malformed() from error


def _check(site: dict) -> None:
    """Refuse what S3 does, and what would lead nowhere."""
    if "RedirectAllRequestsTo" in site:
        if set(site) & {"IndexDocument", "ErrorDocument", "RoutingRules"}:
            raise S3ClientError(
                "InvalidRequest", "RedirectAllRequestsTo cannot be provided with other elements."
            )
        if not (site["RedirectAllRequestsTo"] or {}).get("HostName"):
            raise _malformed()
        return
    suffix = (site.get("IndexDocument") or {}).get("Suffix")
    if not suffix or "/" in suffix:
        raise S3ClientError("InvalidArgument", "The IndexDocument Suffix is not well formed")
    if "ErrorDocument" in site and not (site["ErrorDocument"] or {}).get("Key"):
        raise _malformed()
    for rule in _listed(site.get("RoutingRules"), "RoutingRule"):
        redirect = rule.get("Redirect")
        error = (rule.get("Condition") or {}).get("HttpErrorCodeReturnedEquals")
        if not redirect or {"ReplaceKeyWith", "ReplaceKeyPrefixWith"} <= set(redirect):
            raise _malformed()
        if not re.fullmatch("3[0-9]{2}", str(redirect.get("HttpRedirectCode") or 301)):
            raise S3ClientError("InvalidRequest", "The HTTP redirect code is not valid.")
        if error and not re.fullmatch("[45][0-9]{2}", error):
            raise S3ClientError("InvalidRequest", "The HTTP error code is not valid.")


def _listed(holder: dict | None, name: str) -> list[dict]:
    found = (holder or {}).get(name) or []
    return found if isinstance(found, list) else [found]


def _malformed() -> S3ClientError:
    return S3ClientError("MalformedXML", "The XML you provided was not well-formed.")


def _moved(to: dict, host: str, key: str, status: int) -> Answer:
    """A redirect to another host, protocol or key."""
    return _redirect(
        status, f"{to.get('Protocol') or 'http'}://{to.get('HostName') or host}/{quote(key)}"
    )


def _redirect(status: int, location: str) -> Answer:
    return Answer(status, {"location": location, "content-length": "0"})


def _within(text: str, tag: str) -> str:
    found = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return html.unescape(found[1]) if found else ""


def _page(status: int, code: str, message: str, what: str = "", failed: str = "") -> Answer:
    """An error as the endpoint shows it itself."""
    title = f"{status} {HTTPStatus(status).phrase}"
    kind = "BucketName" if "Bucket" in code or "Website" in code else "Key"
    lines = [f"Code: {code}", f"Message: {message}", *([f"{kind}: {what}"] if what else [])]
    listed = "\n".join(f"<li>{html.escape(line)}</li>" for line in lines)
    more = f"<h3>{failed}</h3>\n" if failed else ""
    body = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n"
        f"<ul>\n{listed}\n</ul>\n{more}<hr/>\n</body>\n</html>\n"
    ).encode()
    headers = {"content-type": "text/html; charset=utf-8", "content-length": str(len(body))}
    return Answer(status, headers, [body])
