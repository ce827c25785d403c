"""What names resolve to, and which names and addresses are the site's own."""

import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing, suppress
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from service import health
from service.errors import Problem

LOOKUP_SECONDS = 3
OWN_SECONDS = 60  # that an answer about ourselves holds
METADATA_SERVICE = ("169.254.169.254", 80)
METADATA_SECONDS = 1

# Names are looked up here, because getaddrinfo has no timeout of its own.
resolvers = ThreadPoolExecutor(4, thread_name_prefix="resolver")
# When we asked about ourselves, and the last answer: one that fails replaces none.
answers: dict[str, tuple[float, frozenset[str]]] = {}


def lookup(host: str, deadline: float) -> list[str]:
    """The addresses of `host`. Raises Problem: 502 or 504."""
    try:
        found = resolvers.submit(
            socket.getaddrinfo, host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        ).result(timeout=max(0.0, min(LOOKUP_SECONDS, deadline - time.monotonic())))
    except FutureTimeout as error:
        raise Problem(504, "The name of the source took too long to resolve.") from error
    except (OSError, UnicodeError) as error:
        raise Problem(502, "The name of the source does not resolve.") from error
    return [answer[4][0] for answer in found]


def own_names() -> list[str]:
    """As in ALLOWED_HOSTS: `.example.com` stands for every name in it."""
    names = {urlsplit(settings.SITE_URL).hostname, *settings.ALLOWED_HOSTS} - {"*"}
    return [name.lower() for name in names]


def is_own(host: str) -> bool:
    return validate_host(host.lower(), own_names())


def own_addresses(deadline: float) -> set[str]:
    """Of this host, of the site's names and, on EC2, the public one that the host does not see."""
    questions = {
        name: partial(lookup, name.lstrip("."), deadline)
        for name in (socket.gethostname(), *own_names())
    }
    if health.instance():
        questions["public address"] = public_address
    now = time.monotonic()
    for name, ask in questions.items():
        if name not in answers or answers[name][0] < now - OWN_SECONDS:
            with suppress(Problem, OSError, http.client.HTTPException):
                answers[name] = (now, frozenset(ask()))
    return set().union(*(answers[name][1] for name in questions if name in answers))


def public_address() -> list[str]:
    """What the metadata service says, which follows an Elastic IP as it comes and goes."""
    token = metadata("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    address = metadata("GET", "meta-data/public-ipv4", {"X-aws-ec2-metadata-token": token})
    return [address] if address else []


def metadata(method: str, path: str, headers: dict[str, str]) -> str:
    """An answer of the metadata service, empty when it knows none."""
    with closing(http.client.HTTPConnection(*METADATA_SERVICE, METADATA_SECONDS)) as connection:
        connection.request(method, f"/latest/{path}", headers=headers)
        response = connection.getresponse()
        return response.read(1000).decode() if response.status == 200 else ""
