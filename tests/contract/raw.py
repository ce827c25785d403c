"""Requests that no polite client would send: any path, any Host, a body that never comes."""

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from ssl import create_default_context
from urllib.parse import urlsplit

from tests.contract.site import TIMEOUT_SECONDS, Site


@dataclass
class Raw:
    """An answer."""

    status: int
    body: bytes


def raw(site: Site, method: str, path: str, headers: dict | None = None) -> Raw:
    """Send the request as it is, with Host (if none is given) as its only other header."""
    parts = urlsplit(site.url)
    kind, options = HTTPConnection, {}
    if site.https:
        kind, options = HTTPSConnection, {"context": create_default_context(cafile=site.ca_file)}
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS, **options)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": parts.netloc} | (headers or {})).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return Raw(answer.status, answer.read())
    finally:
        connection.close()
