"""What AWS refuses of a function, in its words, and what would be ignored here."""

import json

from moto.awslambda.exceptions import InvalidParameterValueException, ValidationException
from moto.core.exceptions import JsonRESTError

from localcloud.errors import Refusal
from localcloud.services.functions.model import (
    ARCHITECTURE,
    MEMORY,
    NAME,
    RUNTIME,
    STORAGE,
    TIMEOUT,
    UPLOAD,
    VARIABLES,
)

KNOWN = {
    "Architectures", "Code", "DeadLetterConfig", "Description", "DryRun", "Environment",
    "EphemeralStorage", "FunctionName", "Handler", "MemorySize", "PackageType", "Publish",
    "RevisionId", "Role", "Runtime", "S3Bucket", "S3Key", "S3ObjectVersion", "SnapStart", "Tags",
    "Timeout", "TracingConfig", "ZipFile",
}  # fmt: skip
# The one value that each of these may have here.
ONLY = {
    "Architectures": [ARCHITECTURE],
    "PackageType": "Zip",
    "SnapStart": {"ApplyOn": "None"},
    "TracingConfig": {"Mode": "PassThrough"},
    "Runtime": RUNTIME,
}
RESERVED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip


def check(operation: str, asked: dict) -> None:
    """Raise for what AWS or the local cloud does not take of a function's settings."""
    for name, value in asked.items():
        if name not in KNOWN and _says_something(value):
            raise _refused(operation, name, "it would be ignored")
        if name in ONLY and value != ONLY[name] and _says_something(value):
            raise _refused(operation, name, f"it has {ONLY[name]} only")
    code = asked.get("Code") or {}
    for name in set(code) - {"ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion"}:
        raise _refused(operation, f"Code.{name}", "it has zips only")
    if operation == "CreateFunction":
        _check_complete(asked)
    _check_numbers(asked)
    _check_variables(asked)


def check_size(operation: str, length: int) -> None:
    if length > UPLOAD:
        raise Refusal(
            (413, "RequestEntityTooLargeException"),
            f"Request must be smaller than {UPLOAD} bytes for the {operation} operation",
        )


def conflict(message: str) -> Refusal:
    return Refusal((409, "ResourceConflictException"), message)


def precondition() -> JsonRESTError:
    return Refusal(
        (412, "PreconditionFailedException"),
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id",
    )


def out_of_bounds(name: str, value: int, least: int, most: int) -> JsonRESTError:
    bound, number = ("greater", least) if value < least else ("less", most)
    return ValidationException(
        str(value), name, f"Member must have value {bound} than or equal to {number}"
    )


def invalid(message: str) -> JsonRESTError:
    return InvalidParameterValueException(message)


def _check_complete(asked: dict) -> None:
    if not NAME.fullmatch(asked["FunctionName"].rpartition(":")[2]):
        raise ValidationException(
            asked["FunctionName"], "functionName",
            f"Member must satisfy regular expression pattern: {NAME.pattern}",
        )  # fmt: skip
    for name in ("Runtime", "Handler"):
        if not asked.get(name):
            raise invalid("Runtime and Handler are mandatory parameters for functions created "
                          "with deployment packages.")  # fmt: skip


def _check_numbers(asked: dict) -> None:
    storage = (asked.get("EphemeralStorage") or {}).get("Size")
    for name, value, (least, most) in (
        ("memorySize", asked.get("MemorySize"), MEMORY),
        ("timeout", asked.get("Timeout"), TIMEOUT),
        ("ephemeralStorage.size", storage, STORAGE),
    ):
        if value is not None and not least <= value <= most:
            raise out_of_bounds(name, value, least, most)


def _check_variables(asked: dict) -> None:
    variables = (asked.get("Environment") or {}).get("Variables") or {}
    if reserved := sorted(RESERVED & set(variables)):
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    if len(json.dumps(variables, separators=(",", ":"))) > VARIABLES:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit. String measured: "
            f"{json.dumps(variables)}"
        )


def _says_something(value) -> bool:
    """Whether a parameter is more than a form's empty field."""
    if isinstance(value, dict):
        return any(_says_something(each) for each in value.values())
    return bool(value)


def _refused(operation: str, name: str, why: str) -> Refusal:
    return Refusal("not supported", f"The local cloud refuses {name} of lambda:{operation}: {why}.")
