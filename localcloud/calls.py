"""Which AWS call a request is: service, region, operation and parameters, as boto3 names them."""

import io
import logging
import re
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qs

from botocore.exceptions import UnknownServiceError
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from localcloud.settings import REGION

log = logging.getLogger("localcloud.calls")

# In an environment: the bytes of an S3 object on disk, as they came and as they are to be sent.
UPLOAD, DOWNLOAD = "localcloud.upload", "localcloud.download"
# In an environment: a web page in a browser asks, which nobody here may have opened on purpose.
PAGE = "localcloud.page"
# In an environment: the service that is asked, by boto3's name.
SERVICE = "localcloud.service"
# In an environment: who may make the call (None: anybody), and whether it stands for a form.
CALLER, FORM = "localcloud.caller", "localcloud.form"
SCOPE = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request")
READS = ("Describe", "Get", "List", "Lookup", "Head", "BatchGet", "Query", "Scan", "Select")
# Where the name that requests are signed for is not boto3's name of the service.
SIGNED_AS = {
    "apigateway": "apigatewayv2",  # the first version, REST APIs, is not here
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
# What changes entries of shelves (`localcloud.shelves`), and nothing that the state file must have:
# what functions log is in the file within a second.
ENTRIES = {
    "dynamodb": {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"},
    "lambda": {"Invoke"},
    "s3": {"PutObject", "DeleteObject", "DeleteObjects"},
}
BY_VERSION = {("elasticloadbalancing", "2012-06-01"): "elb"}


@dataclass
class Call:
    """One request. ``operation`` is empty when no operation of the service is like it."""

    environ: dict
    service: str
    region: str
    operation: str
    protocol: str
    access_key: str = ""
    uri: dict = field(default_factory=dict)

    @property
    def form(self) -> str:
        """The protocol whose errors the client reads (`errors.CODES`)."""
        return "s3" if self.service == "s3" else self.protocol

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.operation.startswith(READS) or (
            not self.operation and self.environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS")
        )

    @property
    def changes_entries(self) -> bool:
        """Whether it changes no more than those."""
        return self.operation in ENTRIES.get(self.service, ())

    @property
    def streams(self) -> bool:
        """Whether its body is an object's bytes."""
        return self.service == "s3" and self.operation in ("PutObject", "UploadPart")

    @cached_property
    def parameters(self) -> dict:
        """What the caller passes, by boto3's names; empty when it cannot be read."""
        if not self.operation:
            return {}
        model = get_service_model(self.service).operation_model(self.operation)
        request = _request(self.environ)
        body = b"" if self.streams else request.get_data()
        try:
            return PROTOCOL_PARSERS[self.protocol](model).parse(
                {
                    "method": request.method,
                    "values": request.values,
                    "headers": request.headers,
                    "body": body,
                    "url_path": request.path,
                    "url_params": self.uri,
                }
            )
        except Exception as error:  # the service says what is wrong with it
            log.debug("%s.%s: %s", self.service, self.operation, error)
            return {}
        finally:
            if not self.streams:
                self.environ["wsgi.input"].seek(0)


def call(environ: dict) -> Call:
    """Read the request; what waits in ``wsgi.input`` is in memory or a file and can be sought."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", "")) or SCOPE.match(
        f"Credential={query.get('X-Amz-Credential', [''])[0]}"
    )
    access_key, _, region, signed_as = scope.groups() if scope else ("", "", REGION, "")
    action = _action(environ, query) if signed_as != "s3" else None
    if not signed_as:
        # S3 alone answers those who have no key
        signed_as = "sts" if action else "s3"
    service = SIGNED_AS.get(signed_as, signed_as)
    if action:
        service = BY_VERSION.get((signed_as, action["Version"]), service)
    made = Call(environ, service, region, "", "query" if action else "rest-json", access_key)
    try:
        model = get_service_model(service)
        made.protocol = determine_request_protocol(model, environ.get("CONTENT_TYPE", ""))
    except (UnknownServiceError, NotImplementedError):
        return made
    if action:
        made.operation = action["Action"]
    elif "HTTP_X_AMZ_TARGET" in environ:
        made.operation = environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2]
    else:
        try:
            operation, made.uri = get_service_router(service).match(_request(environ))
            made.operation = operation.name
        except (NotFound, NotImplementedError):
            pass
    if made.operation not in model.operation_names:
        made.operation = ""
    return made


def _action(environ: dict, query: dict) -> dict[str, str] | None:
    """Action and Version of the query protocols, from the body or the address."""
    found = query
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = environ["wsgi.input"]
        found = query | parse_qs(body.read().decode("utf-8", "replace"), keep_blank_values=True)
        body.seek(0)
    if "Action" not in found:
        return None
    return {"Action": found["Action"][0], "Version": found.get("Version", [""])[0]}


def _request(environ: dict) -> Request:
    return Request({**environ, "wsgi.input": environ.get("wsgi.input", io.BytesIO())},
                   populate_request=False)  # fmt: skip
