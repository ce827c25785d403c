"""Rights that Lambda's calls need; who makes a function hands a role over to it."""

from collections.abc import Iterator

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target, action, arn, resource_tags, tag_keys

HANDED_OVER = {"iam:passedtoservice": ["lambda.amazonaws.com"]}
# Whose resource is a version or an alias.
OF_VERSIONS = ("Invoke", "GetProvisionedConcurrencyConfig", "PutProvisionedConcurrencyConfig",
               "DeleteProvisionedConcurrencyConfig")  # fmt: skip
LISTS = ("ListFunctions", "GetAccountSettings")


def _lambda(cloud, call: Call, parameters: dict) -> Iterator[Target]:
    if call.operation in LISTS:
        yield Target(action(call))
        return
    name = parameters.get("FunctionName") or parameters.get("Resource") or ""
    qualifier = parameters.get("Qualifier") or (
        parameters.get("Name") if call.operation == "Invoke" else None
    )  # fmt: skip
    named = name if name.startswith("arn:") else arn("lambda", f"function:{name}")
    if qualifier and call.operation in OF_VERSIONS and named.count(":") == 6:
        named += f":{qualifier}"
    tags = parameters.get("Tags")
    context = (
        tag_keys({"Key": key, "Value": value} for key, value in tags.items())
        if isinstance(tags, dict) else {}
    )  # fmt: skip
    found = cloud.backend("lambda")._lambdas._functions.get(":".join(named.split(":")[6:7]))
    if found and found["latest"]:
        context |= resource_tags(found["latest"].tags)
    verb = "InvokeFunction" if call.operation == "Invoke" else ""
    yield Target(action(call, verb), named, context)
    if isinstance(tags, dict) and call.operation == "CreateFunction":
        yield Target("lambda:TagResource", named, context)
    if parameters.get("Role"):
        yield Target("iam:PassRole", parameters["Role"], HANDED_OVER)
    code = parameters.get("Code") or parameters
    if code.get("S3Bucket"):
        yield Target("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code.get('S3Key', '')}")


SERVICES["lambda"] = _lambda
