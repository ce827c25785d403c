"""What every answer of S3 says, and what moto says of its own."""

import base64
import secrets

# In an environment: the request's id, in its answer and in what tells of it.
REQUEST = "localcloud.request"
# Of a request; moto keeps them as metadata of the object, and tells everybody who reads it.
ECHOES = ("x-amz-content-sha256", "x-amz-sdk-checksum-algorithm")


def identify(environ: dict) -> None:
    """Give a request an id."""
    environ[REQUEST] = secrets.token_hex(8).upper(), base64.b64encode(secrets.token_bytes(56))


def ids(environ: dict) -> dict[str, str]:
    """The request's id as headers; also for what nobody asked over the network."""
    if REQUEST not in environ:
        identify(environ)
    request, host = environ[REQUEST]
    return {"x-amz-request-id": request, "x-amz-id-2": host.decode()}


def headers(environ: dict, said: list[tuple[str, str]]) -> list[tuple[str, str]]:
    own = ids(environ)
    dropped = (*ECHOES, *own)
    return [each for each in said if each[0].lower() not in dropped] + list(own.items())
