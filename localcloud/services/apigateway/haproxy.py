"""The gateway's configuration for HAProxy: TLS by the name that is asked for, and nothing else.

Requests go through a socket to the local cloud's own process (`front`).
"""

from localcloud.services.apigateway.model import BODY, TOO_LARGE, UNAVAILABLE, Answer
from localcloud.services.elbv2.haproxy import DIRECTORY, SOCKETS, quote

SOURCE = "x-localcloud-source"
FRONT = "front.sock"


def render(timeout: float) -> str:
    """haproxy.cfg; ``timeout`` is how long an answer may take at most, in seconds."""
    return f"""\
global
    stats socket {SOCKETS}/admin.sock mode 600 level admin expose-fd listeners
    hard-stop-after 1m
    maxconn 4000
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.bufsize 65536
    tune.http.maxhdr 256

defaults
    mode http
    timeout client 60s
    timeout connect 5s
    timeout queue 5s
    timeout server {timeout:.0f}s
    timeout http-request 30s
    timeout http-keep-alive 60s
    option http-server-close
    # while the local cloud itself starts again
    {_page(UNAVAILABLE)}

frontend gateway
    bind :443 ssl crt-list {DIRECTORY}/certificates.list alpn h2,http/1.1
    {_return(TOO_LARGE)} if {{ req.hdr_val(content-length) gt {BODY} }}
    http-request set-header {SOURCE} %[src]
    default_backend front

backend front
    server front unix@{SOCKETS}/{FRONT}
"""


def _page(answer: Answer) -> str:
    return f"http-error status {answer.status} {_content(answer)}"


def _return(answer: Answer) -> str:
    return f"http-request return status {answer.status} {_content(answer)}"


def _content(answer: Answer) -> str:
    return f"content-type application/json string {quote(answer.body.decode())}"
