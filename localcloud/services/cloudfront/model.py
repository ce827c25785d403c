"""What a distribution is made of, as plain data: the input of ``haproxy.render``.

``translate`` makes it from the API's DistributionConfig and the policies that it names.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Selection:
    """Which headers, cookies or query strings count. ``kind`` is "none", "all", "some" (those in
    ``names``) or "all but" (``names``)."""

    kind: str = "none"
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """Parts of a request: of the cache key, or of what the origin gets to see."""

    headers: Selection = Selection()
    cookies: Selection = Selection()
    queries: Selection = Selection()


@dataclass(frozen=True)
class Header:
    """A response header that a policy sets; without ``override`` the origin's own stays."""

    name: str
    value: str
    override: bool = True


@dataclass(frozen=True)
class Behaviour:
    """A cache behaviour. ``pattern`` is None for the default one; times are seconds.

    ``forward`` holds the key's parts too: what distinguishes answers is always sent.
    """

    pattern: str | None
    origin: str
    viewer_protocol: str = "allow-all"
    methods: tuple[str, ...] = ("GET", "HEAD")
    compress: bool = False
    key: Parts = Parts()
    gzip: bool = False
    forward: Parts = Parts()
    ttl: tuple[int, int, int] = (0, 86400, 31536000)
    headers: tuple[Header, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def cached(self) -> bool:
        return self.ttl[2] > 0


@dataclass(frozen=True)
class Origin:
    """``protocol`` is "http", "https", "match" (as the viewer) or "s3"; ``access`` says that an
    origin access control speaks for the distribution."""

    id: str
    domain: str
    path: str = ""
    protocol: str = "https"
    http_port: int = 80
    https_port: int = 443
    headers: tuple[tuple[str, str], ...] = ()
    read_timeout: int = 30
    attempts: int = 3
    connect_timeout: int = 10
    access: bool = False


@dataclass(frozen=True)
class Group:
    """An origin group: the second is asked when the first answers with one of ``codes``."""

    id: str
    first: str
    second: str
    codes: tuple[int, ...]


@dataclass(frozen=True)
class ErrorResponse:
    """``ttl`` is how long an error is kept; with a ``page`` that is shown, as ``status``."""

    code: int
    ttl: int = 10
    page: str = ""
    status: int = 0


@dataclass(frozen=True)
class Distribution:
    """``names`` are those that it answers to, ``certificate`` the PEM file of its aliases."""

    id: str
    arn: str
    names: tuple[str, ...]
    origins: tuple[Origin, ...]
    behaviours: tuple[Behaviour, ...]
    groups: tuple[Group, ...] = ()
    errors: tuple[ErrorResponse, ...] = ()
    root: str = ""
    certificate: str = ""
    aliases: tuple[str, ...] = field(default=())
