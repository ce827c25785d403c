"""What names resolve to, and which names and addresses are the site's own."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from service import edge
from service.errors import RETRY_AFTER_SECONDS, Problem

LOOKUP_SECONDS = 3
OWN_SECONDS = 60  # that an answer about ourselves holds
# What the resolver says when it has no answer, other than that there is no such name.
UNANSWERED = {socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY, socket.EAI_SYSTEM}

# Names are looked up here, because getaddrinfo has no timeout of its own. Our own have a thread
# that no visitor's slow name can hold.
resolvers = ThreadPoolExecutor(4, thread_name_prefix="resolver")
own_resolver = ThreadPoolExecutor(1, thread_name_prefix="own-resolver")
# When we asked about ourselves, and the last answer: one that fails replaces none.
answers: dict[str, tuple[float, frozenset[str]]] = {}


def lookup(host: str, deadline: float, pool: ThreadPoolExecutor = resolvers) -> list[str]:
    """The addresses of `host`, each once. Raises Problem: 502 or 504."""
    try:
        found = pool.submit(
            socket.getaddrinfo, host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        ).result(timeout=max(0.0, min(LOOKUP_SECONDS, deadline - time.monotonic())))
    except FutureTimeout as error:
        raise Problem(504, "The name of the source took too long to resolve.") from error
    except (OSError, UnicodeError) as error:
        raise Problem(502, "The name of the source does not resolve.") from error
    return list(dict.fromkeys(answer[4][0] for answer in found))


def own_names() -> list[str]:
    """As in ALLOWED_HOSTS: `.example.com` stands for every name in it."""
    names = {urlsplit(settings.SITE_URL).hostname, *settings.ALLOWED_HOSTS} - {"*"}
    return [name.lower() for name in names]


def is_own(host: str) -> bool:
    return validate_host(host.lower(), own_names())


def own_addresses(deadline: float) -> set[str]:
    """Of this host, of the site's names and the public one, which the host does not see.

    Raises Problem(503) while one of them cannot be told: it might be where the visitor sends us.
    """
    questions = {
        name: partial(own_lookup, name.lstrip("."), deadline)
        for name in (socket.gethostname(), *names_that_lead_here())
    }
    now = time.monotonic()
    for name, ask in questions.items():
        if name not in answers or answers[name][0] < now - OWN_SECONDS:
            try:
                answers[name] = (now, frozenset(ask()))
            except NoSuchName:
                pass
            except (Problem, OSError) as error:
                if name not in answers:
                    raise Problem(503, retry_after=RETRY_AFTER_SECONDS) from error
    public = {settings.PUBLIC_ADDRESS} - {""}
    return public.union(*(answers[name][1] for name in questions if name in answers))


def names_that_lead_here() -> list[str]:
    """Behind a CDN the site's names lead to the CDN, where other sites are too (see loops.py)."""
    return [name for name in own_names() if not edge.behind_cdn() or is_ip_address(name)]


def is_ip_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


class NoSuchName(Exception):
    """The resolver knows that the name has no address."""


def own_lookup(name: str, deadline: float) -> list[str]:
    try:
        return lookup(name.strip("[]"), deadline, own_resolver)
    except Problem as problem:
        cause = problem.__cause__
        if isinstance(cause, socket.gaierror) and cause.errno not in UNANSWERED:
            raise NoSuchName(name) from problem
        raise
