"""A request and an answer as the gateway sees them, and AWS's limits."""

import json
from dataclasses import dataclass, field

SERVICE = "apigateway.amazonaws.com"
"""Whom a function's policy names to let API Gateway invoke it."""
HOSTED_ZONE = "Z1UJRXOUMOOFQ8"
"""Of the regional names of custom domains in us-east-1, which alias records name."""
BODY = 10 * (1 << 20)
HEADERS = 10240
"""Of the request line and the headers' values together."""
TIMEOUTS = (50, 30_000)
DEFAULT = "$default"


@dataclass(frozen=True)
class Request:
    """What a visitor asks. ``headers`` are in the order in which they came, names in small letters;
    ``target`` is the path with its query as it was sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    source: str
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def host(self) -> str:
        """The name that was asked for, without a port."""
        return self.header("host").partition(":")[0].lower()

    def header(self, name: str) -> str:
        return ",".join(value for each, value in self.headers if each == name)

    @property
    def size(self) -> int:
        """What the limit of headers is about."""
        line = len(f"{self.method} {self.target} HTTP/1.1")
        return line + sum(len(value) for _, value in self.headers)


@dataclass(frozen=True)
class Answer:
    """What the visitor gets."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=())


def message(status: int, text: str) -> Answer:
    """An answer of API Gateway's own."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return Answer(status, body, (("content-type", "application/json"),))


FORBIDDEN = message(403, "Forbidden")
NOT_FOUND = message(404, "Not Found")
TOO_LARGE = message(413, "Request Entity Too Large")
TOO_MANY = message(429, "Too Many Requests")
HEADERS_TOO_LARGE = message(431, "Request Header Fields Too Large")
FAILED = message(500, "Internal Server Error")
UNAVAILABLE = message(503, "Service Unavailable")
