#!/usr/bin/python
"""Ansible module: the published version of a Lambda function that has some content."""

DOCUMENTATION = r"""
module: lambda_function_version
short_description: Have a published version of a Lambda function with exactly this content
description:
  - Finds the version whose code and configuration are these, or publishes it. A version never
    changes, so one that an earlier release had is used again.
  - Nobody is led to a new version by that - an alias is (M(lambda_alias_move)).
notes:
  - "Gap in the collections: M(amazon.aws.lambda) publishes a version at every update, cannot go
    back to one that there is, knows neither ephemeral storage nor concurrency, and tells no diff of
    the configuration."
  - The zip has to be in a bucket of the same region. Versions that there are do not need it there.
options:
  name:
    description: Name of the function.
    type: str
    required: true
  code:
    description: The zip. Needed with O(state=present).
    type: dict
    suboptions:
      bucket:
        description: The bucket that has it.
        type: str
        required: true
      key:
        description: Its key there.
        type: str
        required: true
      sha256:
        description: The SHA-256 of it, in hexadecimal digits.
        type: str
        required: true
  handler:
    description: What is called, V(module.function). Needed with O(state=present).
    type: str
  role:
    description: ARN of the role that the function has. Needed with O(state=present).
    type: str
  runtime:
    description: What runs it.
    type: str
    default: python3.13
  architecture:
    description: The processors that it is for.
    type: str
    choices: [x86_64, arm64]
    default: x86_64
  memory_size:
    description: Memory in MB. With 1,769 there is one processor, with less a part of it.
    type: int
    default: 128
  timeout:
    description: Seconds after which an invocation is ended.
    type: int
    default: 3
  ephemeral_storage:
    description: Room in /tmp, in MB.
    type: int
    default: 512
  environment:
    description: Environment variables. No secrets - who may look at the function reads them.
    type: dict
    default: {}
  description:
    description: What a new version says of itself.
    type: str
    default: ""
  reserved_concurrency:
    description:
      - How many invocations of the function run at once at most, which nobody else gets. V(-1) is
        as many as the account has. Left out, it stays as it is.
    type: int
  keep:
    description: How many versions stay beside this one and those of aliases. Without it, all do.
    type: int
  tags:
    description: Tags of the function. Others that it has stay.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds that a step of AWS may take.
    type: int
    default: 300
  state:
    description: Whether there is such a version, or the function at all.
    type: str
    choices: [present, absent]
    default: present
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Have a version of this release
  lambda_function_version:
    name: shop-pages
    code: {bucket: shop-packages, key: 1.4.0.zip, sha256: "{{ package.sha256 }}"}
    handler: shop.functions.handler
    role: arn:aws:iam::123456789012:role/shop-pages
    memory_size: 1769
    timeout: 30
    environment: {SITE_URL: "https://shop.example.com"}
    description: 1.4.0
    keep: 3
  register: version

- name: Delete the function with all its versions
  lambda_function_version:
    name: shop-pages
    state: absent
"""

RETURN = r"""
version:
  description: Number of the version; in check mode empty when it would be published.
  returned: always
  type: str
  sample: "7"
arn:
  description: ARN of the function, without a version; empty when there is none.
  returned: always
  type: str
  sample: arn:aws:lambda:us-east-1:123456789012:function:shop-pages
deleted:
  description: Numbers of versions that were deleted.
  returned: always
  type: list
  elements: str
"""

import base64
import time

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError, WaiterError
except ImportError:
    pass  # AnsibleAWSModule says so

LATEST = "$LATEST"
POLL_SECONDS = 2
UNLIMITED = -1
# A role that was made a moment ago is not known everywhere.
UNKNOWN_ROLE = "cannot be assumed"
ROLE_SECONDS = 60


# --- what is wanted, and what there is -----------------------------------------------------------


def wanted_configuration(params):
    """The configuration as the API takes it."""
    return {
        "Handler": params["handler"],
        "Role": params["role"],
        "Runtime": params["runtime"],
        "MemorySize": params["memory_size"],
        "Timeout": params["timeout"],
        "EphemeralStorage": {"Size": params["ephemeral_storage"]},
        "Environment": {"Variables": {key: str(value) for key, value in environment(params)}},
    }


def environment(params):
    return sorted(params["environment"].items())


def wanted_code(params):
    digest = base64.b64encode(bytes.fromhex(params["code"]["sha256"])).decode()
    return {"CodeSha256": digest, "Architectures": [params["architecture"]]}


def content(version):
    """What a version is made of, in the form in which it is wanted."""
    return {
        **{name: version.get(name) for name in ("Handler", "Role", "Runtime", "MemorySize")},
        "Timeout": version.get("Timeout"),
        "EphemeralStorage": version.get("EphemeralStorage", {"Size": 512}),
        "Environment": {"Variables": version.get("Environment", {}).get("Variables", {})},
        "CodeSha256": version.get("CodeSha256"),
        "Architectures": version.get("Architectures", ["x86_64"]),
    }


def read(client, name):
    """``$LATEST`` and the published versions, the newest first; None without the function."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    try:
        found = [version for page in pages for version in page["Versions"]]
    except is_boto3_error_code("ResourceNotFoundException"):
        return None, []
    latest = next((each for each in found if each["Version"] == LATEST), None)
    published = [each for each in found if each["Version"] != LATEST]
    return latest, sorted(published, key=lambda each: -int(each["Version"]))


def plain_arn(version):
    """The function's ARN, without the version that one of its versions has behind it."""
    return ":".join(version["FunctionArn"].split(":")[:7]) if version else ""


# --- making it so --------------------------------------------------------------------------------


def settle(client, module, waiter):
    tries = max(module.params["wait_timeout"] // POLL_SECONDS, 1)
    client.get_waiter(waiter).wait(
        FunctionName=module.params["name"],
        WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": tries},
    )


def with_its_role(call, **arguments):
    """Call until AWS knows the role, which may have been made a moment ago."""
    deadline = time.monotonic() + ROLE_SECONDS
    while True:
        try:
            return call(**arguments)
        except is_boto3_error_code("InvalidParameterValueException") as error:
            if UNKNOWN_ROLE not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def location(params):
    return {"S3Bucket": params["code"]["bucket"], "S3Key": params["code"]["key"]}


def create(client, module):
    params = module.params
    with_its_role(
        client.create_function,
        FunctionName=params["name"],
        Code=location(params),
        Architectures=[params["architecture"]],
        Tags=wanted_tags(params),
        **wanted_configuration(params),
    )
    settle(client, module, "function_active_v2")


def update(client, module, latest):
    """Bring ``$LATEST`` to what is wanted, in as few steps as it takes."""
    params, there = module.params, content(latest)
    name, code = {"FunctionName": params["name"]}, wanted_code(params)
    configuration = wanted_configuration(params)
    if any(there[key] != value for key, value in configuration.items()):
        with_its_role(client.update_function_configuration, **name, **configuration)
        settle(client, module, "function_updated_v2")
    if any(there[key] != value for key, value in code.items()):
        client.update_function_code(**name, **location(params), Architectures=code["Architectures"])
        settle(client, module, "function_updated_v2")


def publish(client, module, latest):
    """The version that was published."""
    params = module.params
    if latest is None:
        create(client, module)
    else:
        update(client, module, latest)
    # The code is what was meant, or there is no version.
    return client.publish_version(
        FunctionName=params["name"],
        CodeSha256=wanted_code(params)["CodeSha256"],
        Description=params["description"],
    )


def wanted_tags(params):
    return {key: str(value) for key, value in params["tags"].items()}


def ensure_tags(client, module, arn):
    """Whether tags were missing."""
    if not arn:
        return bool(module.params["tags"])
    there = client.list_tags(Resource=arn)["Tags"]
    missing = dict(wanted_tags(module.params).items() - there.items())
    if missing and not module.check_mode:
        client.tag_resource(Resource=arn, Tags=missing)
    return bool(missing)


def ensure_concurrency(client, module, there):
    """``(before, after)`` of what is reserved; ``there`` is whether the function is."""
    name, wanted = {"FunctionName": module.params["name"]}, module.params["reserved_concurrency"]
    before = UNLIMITED
    if there:
        answer = client.get_function_concurrency(**name)
        before = answer.get("ReservedConcurrentExecutions", UNLIMITED)
    if wanted is None or wanted == before:
        return before, before
    if not module.check_mode:
        if wanted == UNLIMITED:
            client.delete_function_concurrency(**name)
        else:
            client.put_function_concurrency(**name, ReservedConcurrentExecutions=wanted)
    return before, wanted


def used_by_aliases(client, name):
    pages = client.get_paginator("list_aliases").paginate(FunctionName=name)
    aliases = [alias for page in pages for alias in page["Aliases"]]
    weighted = [
        version
        for alias in aliases
        for version in (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})
    ]
    return {alias["FunctionVersion"] for alias in aliases} | set(weighted)


def prune(client, module, version):
    """Delete old versions, the newest of those that nobody uses last; their numbers."""
    name = module.params["name"]
    _, published = read(client, name)
    used = used_by_aliases(client, name) | {version}
    spare = [each["Version"] for each in published if each["Version"] not in used]
    going = spare[module.params["keep"] :]
    if not module.check_mode:
        for each in going:
            client.delete_function(FunctionName=name, Qualifier=each)
    return going


# --- present and absent --------------------------------------------------------------------------


def ensure_present(client, module):
    params = module.params
    latest, published = read(client, params["name"])
    wanted = wanted_configuration(params) | wanted_code(params)
    version = next((each for each in published if content(each) == wanted), None)
    changed = version is None
    if changed and not module.check_mode:
        version = publish(client, module, latest)
    arn = plain_arn(version or latest)
    there = latest is not None or not module.check_mode
    reserved, reserving = ensure_concurrency(client, module, there)
    retagged = ensure_tags(client, module, arn)
    number = version["Version"] if version else ""
    deleted = prune(client, module, number) if params["keep"] is not None and there else []
    newest = content(published[0]) if published else {}
    return {
        "changed": bool(changed or retagged or reserved != reserving or deleted),
        "version": number,
        "arn": arn,
        "deleted": deleted,
        "diff": {
            "before": newest | {"reserved_concurrency": reserved} if published else {},
            "after": (wanted if changed else newest) | {"reserved_concurrency": reserving},
        },
    }


def ensure_absent(client, module):
    name = module.params["name"]
    latest, published = read(client, name)
    if latest is not None and not module.check_mode:
        client.delete_function(FunctionName=name)
    numbers = [each["Version"] for each in published]
    return {
        "changed": latest is not None,
        "version": "",
        "arn": "",
        "deleted": numbers,
        "diff": {"before": {} if latest is None else {"versions": numbers}, "after": {}},
    }


def main():
    code = {
        "bucket": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "sha256": {"type": "str", "required": True},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "code": {"type": "dict", "options": code},
            "handler": {"type": "str"},
            "role": {"type": "str"},
            "runtime": {"type": "str", "default": "python3.13"},
            "architecture": {"type": "str", "choices": ["x86_64", "arm64"], "default": "x86_64"},
            "memory_size": {"type": "int", "default": 128},
            "timeout": {"type": "int", "default": 3},
            "ephemeral_storage": {"type": "int", "default": 512},
            "environment": {"type": "dict", "default": {}},
            "description": {"type": "str", "default": ""},
            "reserved_concurrency": {"type": "int"},
            "keep": {"type": "int"},
            "tags": {"type": "dict", "default": {}},
            "wait_timeout": {"type": "int", "default": 300},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["code", "handler", "role"])],
        supports_check_mode=True,
    )
    client = module.client("lambda")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError, WaiterError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the function {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
