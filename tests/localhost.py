"""Names under .localhost lead to this machine (RFC 6761, section 6.3), as they do in browsers.

glibc leaves that to an optional module, which many machines do not have.
"""

import os
import socket

from localcloud import client

_getaddrinfo = socket.getaddrinfo


def is_localhost(name: str) -> bool:
    """Whether the name is localhost or under it."""
    return f".{name}".rstrip(".").lower().endswith(".localhost")


def resolve_localhost() -> None:
    """From now on, in this process, and never by a proxy, which would look for it on its own."""
    socket.getaddrinfo = _resolve
    os.environ.update(client.without_proxy(os.environ))


def _resolve(host, *arguments, **options):
    if isinstance(host, str) and is_localhost(host):
        host = "127.0.0.1"
    return _getaddrinfo(host, *arguments, **options)
