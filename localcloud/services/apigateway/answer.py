"""What a function answers in payload format 2.0, as the visitor gets it: pure."""

import base64
import binascii
import json

from localcloud.services.apigateway.event import HOPS
from localcloud.services.apigateway.model import FAILED, Answer

OWN = (*HOPS, "content-length", "date", "server", "trailer", "via")
"""Headers that are the gateway's to say."""


def answer(payload: bytes) -> Answer:
    """Of what a function returned; 500 where that is nothing that API Gateway understands."""
    try:
        said = json.loads(payload)
    except ValueError:
        return FAILED
    if not (isinstance(said, dict) and "statusCode" in said):
        return _inferred(said)
    try:
        return Answer(_status(said["statusCode"]), _body(said), tuple(_headers(said)))
    except (ValueError, TypeError, binascii.Error):
        return FAILED


def _inferred(said) -> Answer:
    """Without a status it is the body of a 200."""
    body = said if isinstance(said, str) else json.dumps(said, separators=(",", ":"))
    return Answer(200, body.encode(), (("content-type", "application/json"),))


def _status(value) -> int:
    if isinstance(value, bool):
        raise TypeError("no status")
    status = int(value)
    if not 200 <= status <= 599:
        raise ValueError("no status")
    return status


def _body(said: dict) -> bytes:
    body = said.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError("a body is a text")
    return base64.b64decode(body, validate=True) if said.get("isBase64Encoded") else body.encode()


def _headers(said: dict) -> list[tuple[str, str]]:
    found = []
    for name, value in (said.get("headers") or {}).items():
        if isinstance(value, (dict, list)) or value is None:
            raise TypeError("a header is a text")
        if name.lower() not in OWN:
            found.append((name.lower(), _text(value)))
    if all(name != "content-type" for name, _ in found):
        found.append(("content-type", "text/plain;charset=UTF-8"))
    found += [("set-cookie", _text(each)) for each in said.get("cookies") or ()]
    return found


def _text(value) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    if "\r" in text or "\n" in text:
        raise ValueError("a header is one line")
    return text
