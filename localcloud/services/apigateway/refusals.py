"""What API Gateway refuses, in its words, and what would be ignored here."""

import re

from localcloud.errors import Refusal
from localcloud.services.apigateway import routing
from localcloud.services.apigateway.model import DEFAULT, TIMEOUTS

# What a call may name, as the API spells it. The rest would be ignored.
KNOWN = {
    "Api": {"name", "protocolType", "description", "version", "disableExecuteApiEndpoint", "tags",
            "routeSelectionExpression", "apiKeySelectionExpression", "ipAddressType"},
    "Integration": {"integrationType", "integrationUri", "integrationMethod", "connectionType",
                    "payloadFormatVersion", "timeoutInMillis", "description"},
    "Route": {"routeKey", "target", "operationName", "authorizationType", "apiKeyRequired"},
    "Stage": {"stageName", "autoDeploy", "defaultRouteSettings", "stageVariables", "description",
              "tags"},
    "DomainName": {"domainName", "domainNameConfigurations", "tags", "routingMode"},
    "ApiMapping": {"apiId", "apiMappingKey", "stage"},
    "Configuration": {"certificateArn", "certificateName", "endpointType", "securityPolicy",
                      "ipAddressType"},
    "Settings": {"throttlingBurstLimit", "throttlingRateLimit", "detailedMetricsEnabled"},
}  # fmt: skip
# The one value that each of these may have here.
ONLY = {
    "protocolType": "HTTP",
    "routeSelectionExpression": "$request.method $request.path",
    "apiKeySelectionExpression": "$request.header.x-api-key",
    "ipAddressType": "ipv4",
    "integrationType": "AWS_PROXY",
    "integrationMethod": "POST",
    "connectionType": "INTERNET",
    "payloadFormatVersion": "2.0",
    "authorizationType": "NONE",
    "apiKeyRequired": False,
    "autoDeploy": True,
    "routingMode": "API_MAPPING_ONLY",
    "endpointType": "REGIONAL",
    "securityPolicy": "TLS_1_2",
}
REQUIRED = {
    "CreateApi": ("name", "protocolType"),
    "CreateIntegration": ("integrationType", "integrationUri", "payloadFormatVersion"),
    "CreateRoute": ("routeKey",),
    "CreateStage": ("stageName", "autoDeploy"),
    "CreateDomainName": ("domainName", "domainNameConfigurations"),
    "CreateApiMapping": ("apiId", "stage"),
}
STAGE = re.compile(r"\$default|[A-Za-z0-9_-]{1,128}")
MAPPING = re.compile(r"(?:[A-Za-z0-9_+$.-]+(?:/[A-Za-z0-9_+$.-]+)*)?")
URI = re.compile(
    r"(?:arn:aws:apigateway:[^:]+:lambda:path/2015-03-31/functions/)?"
    r"(?P<arn>arn:aws:lambda:[\w-]+:\d{12}:function:(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?)"
    r"(?:/invocations)?"
)


def check(operation: str, asked: dict) -> None:
    """Raise for what AWS or the local cloud does not take of a call."""
    kind = operation.removeprefix("Create").removeprefix("Update")
    for name in REQUIRED.get(operation, ()):
        if asked.get(name) in (None, "", []):
            raise bad(f"{name} is required.")
    _check_known(operation, kind, asked)
    {"Integration": _integration, "Route": _route, "Stage": _stage, "DomainName": _domain,
     "ApiMapping": _mapping}.get(kind, lambda each: None)(asked)  # fmt: skip


def _check_known(operation: str, kind: str, asked: dict) -> None:
    for name, value in asked.items():
        if name not in KNOWN[kind] and value not in (None, "", [], {}):
            raise refused(operation, name, "it would be ignored")
        if name in ONLY and value not in (None, ONLY[name]):
            raise refused(operation, name, f"it has {ONLY[name]} only")


def _integration(asked: dict) -> None:
    if asked.get("integrationUri") and not URI.fullmatch(asked["integrationUri"]):
        raise bad(f"Invalid integration URI specified: {asked['integrationUri']}")
    least, most = TIMEOUTS
    if not least <= int(asked.get("timeoutInMillis") or most) <= most:
        raise bad(f"Timeout should be between {least} ms and {most} ms")


def _route(asked: dict) -> None:
    problem = routing.problem(asked["routeKey"]) if asked.get("routeKey") else ""
    if problem:
        raise bad(problem)


def _stage(asked: dict) -> None:
    if "stageName" in asked and not STAGE.fullmatch(asked["stageName"]):
        raise bad(
            f"Stage name only allows a-zA-Z0-9_- and {DEFAULT}, and has at most 128 characters."
        )
    settings = asked.get("defaultRouteSettings") or {}
    _check_known("UpdateStage", "Settings", settings)
    for name in ("throttlingBurstLimit", "throttlingRateLimit"):
        if settings.get(name) is not None and settings[name] < 0:
            raise bad("Rate and burst limits must be at least 0.")


def _domain(asked: dict) -> None:
    configurations = asked.get("domainNameConfigurations")
    if configurations is None:
        return
    if len(configurations) != 1:
        raise bad("Only one DomainNameConfiguration can be specified.")
    _check_known("CreateDomainName", "Configuration", configurations[0])
    if not configurations[0].get("certificateArn"):
        raise bad("A certificate was not provided.")


def _mapping(asked: dict) -> None:
    if not MAPPING.fullmatch(asked.get("apiMappingKey") or ""):
        raise bad("API mapping key has characters that none can have, or a '/' where none can be.")


def bad(text: str) -> Refusal:
    return Refusal((400, "BadRequestException"), text)


def conflict(text: str) -> Refusal:
    return Refusal((409, "ConflictException"), text)


def missing(text: str) -> Refusal:
    return Refusal((404, "NotFoundException"), text)


def refused(operation: str, name: str, why: str) -> Refusal:
    return Refusal(
        "not supported", f"The local cloud refuses {name} of apigatewayv2:{operation}: {why}."
    )
