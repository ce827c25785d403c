"""The EC2 instance metadata service (IMDSv2, and v1 where the instance allows it).

Documented at https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html;
the client's address says which instance asks.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

LONGEST_TOKEN = 21600


class PublicKeys(dict):
    """The tree below public-keys/, which alone is listed as ``0=name``."""

    def __init__(self, **keys: str):
        super().__init__(
            {str(number): {"openssh-key": text} for number, text in enumerate(keys.values())}
        )
        self.key_names = list(keys)


class Metadata:
    """Serves ``tree(address)``: a dictionary of paths, or None for an unknown client.

    A value is text, bytes, a dictionary (answered as a listing), a function that returns one of
    these, or None (404).
    """

    def __init__(self, tree: Callable[[str], dict | None]):
        self.tree = tree
        self.tokens: dict[str, tuple[str, float]] = {}

    def __call__(self, environ, start_response):
        return self.answer(Request(environ))(environ, start_response)

    def answer(self, request: Request) -> Response:
        tree = self.tree(request.remote_addr)
        if tree is None:
            return Response("no such instance", 404)
        parts = [part for part in request.path.split("/") if part]
        if parts[1:] == ["api", "token"]:
            return self._token(request)
        if not self._has_token(request) and tree["http_tokens"] == "required":
            # In a container cloud-init finds no DMI data that says AWS, so it asks for no token:
            # it may read what it boots from, and never the role's credentials.
            if not request.headers.get("User-Agent", "").startswith("Cloud-Init/"):
                return Response("Unauthorized", 401)
            tree["latest"]["meta-data"]["iam"] = None
        elif "X-aws-ec2-metadata-token" in request.headers and not self._has_token(request):
            return Response("Unauthorized", 401)
        if not parts:
            return Response("1.0\n2021-07-15\nlatest")
        return _node(tree["latest"], parts[1:])

    def _token(self, request: Request) -> Response:
        seconds = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT":
            return Response("Method Not Allowed", 405)
        if "X-Forwarded-For" in request.headers:
            return Response("Forbidden", 403)
        if not seconds.isdigit() or not 1 <= int(seconds) <= LONGEST_TOKEN:
            return Response("Bad Request", 400)
        now = time.time()
        self.tokens = {key: value for key, value in self.tokens.items() if value[1] > now}
        token = secrets.token_urlsafe(40)
        self.tokens[token] = (request.remote_addr, now + int(seconds))
        return Response(
            token, headers={"X-aws-ec2-metadata-token-ttl-seconds": seconds}, mimetype="text/plain"
        )

    def _has_token(self, request: Request) -> bool:
        token = request.headers.get("X-aws-ec2-metadata-token", "")
        address, expires = self.tokens.get(token, ("", 0))
        return address == request.remote_addr and time.time() < expires


def _node(node, parts: list[str]) -> Response:
    for part in parts:
        if not isinstance(node, dict) or node.get(part) is None:
            return Response("Not Found", 404)
        node = node[part]
        if callable(node):
            node = node()
    if node is None:
        return Response("Not Found", 404)
    if isinstance(node, PublicKeys):
        return Response("\n".join(f"{number}={name}" for number, name in enumerate(node.key_names)))
    if isinstance(node, dict):
        names = (
            f"{name}/" if isinstance(value, dict) else name
            for name, value in node.items()
            if value is not None
        )
        return Response("\n".join(names))
    mimetype = "application/octet-stream" if isinstance(node, bytes) else "text/plain"
    return Response(node, mimetype=mimetype)


def document(**values) -> str:
    return json.dumps(values, indent=2)


class _Quiet(WSGIRequestHandler):
    def log(self, *args, **kwargs):
        """Hosts poll; their requests are no news."""


def serve(metadata: Metadata) -> int:
    """Answer on a free port of 127.0.0.1 in threads; return the port."""
    server = make_server("127.0.0.1", 0, metadata, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, name="metadata", daemon=True).start()
    return server.server_port
