"""Errors in the form that an AWS client of each protocol reads: a code and a sentence."""

import json
import uuid
from xml.sax.saxutils import escape

# What an error is called, and with which status it comes, by protocol. "s3" is rest-xml's S3.
CODES = {
    "access denied": {
        "ec2": (403, "UnauthorizedOperation"),
        "query": (403, "AccessDenied"),
        "s3": (403, "AccessDenied"),
        "rest-xml": (403, "AccessDenied"),
        "json": (400, "AccessDeniedException"),
        "rest-json": (403, "AccessDeniedException"),
    },
    "unknown key": {
        "ec2": (401, "AuthFailure"),
        "query": (403, "InvalidClientTokenId"),
        "s3": (403, "InvalidAccessKeyId"),
        "rest-xml": (403, "InvalidClientTokenId"),
        "json": (400, "UnrecognizedClientException"),
        "rest-json": (403, "UnrecognizedClientException"),
    },
    "wrong signature": {
        "ec2": (401, "AuthFailure"),
        "query": (403, "SignatureDoesNotMatch"),
        "s3": (403, "SignatureDoesNotMatch"),
        "rest-xml": (403, "SignatureDoesNotMatch"),
        "json": (400, "InvalidSignatureException"),
        "rest-json": (403, "InvalidSignatureException"),
    },
    "expired": {
        "ec2": (400, "RequestExpired"),
        "query": (403, "ExpiredToken"),
        "s3": (400, "ExpiredToken"),
        "rest-xml": (403, "ExpiredToken"),
        "json": (400, "ExpiredTokenException"),
        "rest-json": (403, "ExpiredTokenException"),
    },
    "not signed": {
        "ec2": (401, "AuthFailure"),
        "query": (403, "MissingAuthenticationToken"),
        "s3": (403, "AccessDenied"),
        "rest-xml": (403, "MissingAuthenticationToken"),
        "json": (400, "MissingAuthenticationTokenException"),
        "rest-json": (403, "MissingAuthenticationTokenException"),
    },
    "not supported": {
        "ec2": (400, "UnsupportedOperation"),
        "query": (400, "InvalidAction"),
        "s3": (501, "NotImplemented"),
        "rest-xml": (400, "InvalidAction"),
        "json": (400, "UnknownOperationException"),
        "rest-json": (404, "UnknownOperationException"),
    },
    "too many": {
        "ec2": (503, "RequestLimitExceeded"),
        "query": (400, "Throttling"),
        "s3": (503, "SlowDown"),
        "rest-xml": (400, "Throttling"),
        "json": (400, "ThrottlingException"),
        "rest-json": (429, "TooManyRequestsException"),
    },
    "internal": {
        "ec2": (500, "InternalError"),
        "query": (500, "InternalFailure"),
        "s3": (500, "InternalError"),
        "rest-xml": (500, "InternalFailure"),
        "json": (500, "InternalFailure"),
        "rest-json": (500, "InternalFailure"),
    },
}


class Refusal(Exception):
    """The call is not answered: ``kind`` is one of `CODES`, or a status and a code of AWS's."""

    def __init__(self, kind: str | tuple[int, str], message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message

    def named(self, protocol: str) -> tuple[int, str]:
        """HTTP status and AWS's code for this in ``protocol``."""
        return self.kind if isinstance(self.kind, tuple) else CODES[self.kind][protocol]


def answer(refusal: Refusal, protocol: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body that a client of ``protocol`` raises as ``refusal``."""
    status, code = refusal.named(protocol)
    request = str(uuid.uuid4())
    if protocol in ("json", "rest-json"):
        body = json.dumps({"__type": code, "message": refusal.message})
        headers = {
            "Content-Type": "application/json" if protocol == "rest-json"
            else "application/x-amz-json-1.1",
            "x-amzn-ErrorType": code,
        }  # fmt: skip
    else:
        body = _xml(protocol, "Receiver" if status >= 500 else "Sender", code,
                    refusal.message, request)  # fmt: skip
        headers = {"Content-Type": "text/xml"}
    return (
        status,
        {**headers, "x-amzn-RequestId": request, "x-amz-request-id": request},
        body.encode(),
    )


def _xml(protocol: str, fault: str, code: str, message: str, request: str) -> str:
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    forms = {
        "ec2": f"<Response><Errors><Error>{error}</Error></Errors>"
        f"<RequestID>{request}</RequestID></Response>",
        "s3": f"<Error>{error}<RequestId>{request}</RequestId></Error>",
    }
    other = (
        f"<ErrorResponse><Error><Type>{fault}</Type>{error}</Error>"
        f"<RequestId>{request}</RequestId></ErrorResponse>"
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{forms.get(protocol, other)}'
