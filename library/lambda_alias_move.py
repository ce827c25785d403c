#!/usr/bin/python
"""Ansible module: the version that an alias of a Lambda function leads to."""

DOCUMENTATION = r"""
module: lambda_alias_move
short_description: Lead an alias of a Lambda function to a version, at once or a part of it first
description:
  - Makes an alias lead to a version. Whoever invokes the alias gets it from the next invocation on.
  - With O(first_percent) the version gets that share for O(first_seconds), and the rest when no
    alarm has rung by then. When one does, all is led back to the version of before, and the module
    fails.
  - A part that a run left behind, which was cut off, ends with the next one.
  - With O(description) it leads back - to the newest version that says so of itself and is older
    than the one that serves, if there is one.
notes:
  - "Gap in the collections: M(amazon.aws.lambda_alias) knows no weights, so it can lead everybody
    to a version or nobody, and shows no diff."
options:
  function:
    description: Name of the function.
    type: str
    required: true
  name:
    description: Name of the alias.
    type: str
    required: true
  version:
    description: Number of the version. This or O(description) is needed with O(state=present).
    type: str
  description:
    description: What the version says of itself. Where the alias leads to such a one already, or
      no older version is one, nothing is done.
    type: str
  first_percent:
    description: Share of the invocations, in percent, that the version gets first. V(0) for all at
      once, as a new alias is made in any case.
    type: int
    default: 0
  first_seconds:
    description: How long it has that share.
    type: int
    default: 120
  alarms:
    description: Names of alarms of CloudWatch that lead it back. One that rings before is not
      heeded, for this may be the version that ends it.
    type: list
    elements: str
    default: []
  state:
    description: Whether there is such an alias.
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
- name: Let everybody have version 7
  lambda_alias_move:
    function: shop-pages
    name: live
    version: "7"

- name: Go back to release 1.4.0, if one of the last versions is of it
  lambda_alias_move:
    function: shop-pages
    name: live
    description: 1.4.0

- name: Let a tenth have it for five minutes first
  lambda_alias_move:
    function: shop-pages
    name: live
    version: "7"
    first_percent: 10
    first_seconds: 300
    alarms: [shop-pages-errors]
"""

RETURN = r"""
arn:
  description: ARN of the alias, by which it is called; in check mode empty when it would be made.
  returned: always
  type: str
  sample: arn:aws:lambda:us-east-1:123456789012:function:shop-pages:live
previous:
  description: The version that it led to; empty when there was no alias.
  returned: always
  type: str
  sample: "6"
version:
  description: The version that it leads to now; empty when there is no alias.
  returned: always
  type: str
  sample: "7"
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 5


def read(client, module):
    """The alias as AWS tells it; empty when there is none."""
    names = {"FunctionName": module.params["function"], "Name": module.params["name"]}
    try:
        return client.get_alias(**names)
    except client.exceptions.ResourceNotFoundException:
        return {}


def shown(alias):
    """``{version: percent}`` of whom it leads to."""
    if not alias:
        return {}
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})
    parts = {version: round(weight * 100) for version, weight in weights.items()}
    return {alias["FunctionVersion"]: 100 - sum(parts.values())} | parts


def lead(client, module, version, parts):
    """Lead to ``version``, but for the ``parts`` that others get."""
    weights = {number: percent / 100 for number, percent in parts.items()}
    return client.update_alias(
        FunctionName=module.params["function"],
        Name=module.params["name"],
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": weights},
    )


def earlier(client, module, alias):
    """The newest version that says the description of itself and is older than the one that
    serves, which is the answer if it says so too or none does."""
    serving = alias.get("FunctionVersion", "")
    name = {"FunctionName": module.params["function"]}
    pages = client.get_paginator("list_versions_by_function").paginate(**name)
    found = [each for page in pages for each in page["Versions"] if each["Version"].isdigit()]
    said = {each["Version"]: each["Description"] for each in found}
    if not serving or said[serving] == module.params["description"]:
        return serving
    older = [
        version
        for version, description in said.items()
        if description == module.params["description"] and int(version) < int(serving)
    ]
    return max(older, key=int, default=serving)


def ringing(cloudwatch, names):
    """Which of the alarms ring."""
    if not names:
        return set()
    found = cloudwatch.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return {each["AlarmName"] for each in found if each["StateValue"] == "ALARM"}


def missing(cloudwatch, names):
    if not names:
        return set()
    found = cloudwatch.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return set(names) - {each["AlarmName"] for each in found}


def try_a_part(client, module, before):
    """Let the version have its first part until the time is up, or fail with all led back."""
    params, cloudwatch = module.params, module.client("cloudwatch")
    if unknown := missing(cloudwatch, params["alarms"]):
        module.fail_json(msg=f"There is no alarm {', '.join(sorted(unknown))}.")
    already = ringing(cloudwatch, params["alarms"])
    lead(client, module, before, {params["version"]: params["first_percent"]})
    deadline = time.monotonic() + params["first_seconds"]
    while time.monotonic() < deadline:
        time.sleep(min(POLL_SECONDS, max(deadline - time.monotonic(), 0)))
        if new := ringing(cloudwatch, params["alarms"]) - already:
            lead(client, module, before, {})
            module.fail_json(
                msg=f"Version {params['version']} of {params['function']} had "
                f"{params['first_percent']} % of the invocations when {', '.join(sorted(new))} "
                f"rang. All of them are led to version {before} again."
            )


def ensure_present(client, module):
    params = module.params
    alias = read(client, module)
    if params["description"] is not None:
        params["version"] = earlier(client, module, alias)
    before, wanted = shown(alias), {params["version"]: 100} if params["version"] else {}
    changed = before != wanted
    if changed and not module.check_mode:
        if not alias:
            alias = client.create_alias(
                FunctionName=params["function"],
                Name=params["name"],
                FunctionVersion=params["version"],
            )
        else:
            was = alias["FunctionVersion"]
            if params["first_percent"] and was != params["version"]:
                try_a_part(client, module, was)
            alias = lead(client, module, params["version"], {})
    return {
        "changed": changed,
        "arn": alias.get("AliasArn", ""),
        "previous": next(iter(before), ""),
        "version": params["version"],
        "diff": {"before": before, "after": wanted},
    }


def ensure_absent(client, module):
    before = shown(read(client, module))
    if before and not module.check_mode:
        client.delete_alias(FunctionName=module.params["function"], Name=module.params["name"])
    return {
        "changed": before != {},
        "arn": "",
        "previous": next(iter(before), ""),
        "version": "",
        "diff": {"before": before, "after": {}},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "function": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "version": {"type": "str"},
            "description": {"type": "str"},
            "first_percent": {"type": "int", "default": 0},
            "first_seconds": {"type": "int", "default": 120},
            "alarms": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["version", "description"], True)],
        mutually_exclusive=[("version", "description")],
        supports_check_mode=True,
    )
    client = module.client("lambda")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        params = module.params
        module.fail_json_aws(error, msg=f"Cannot lead {params['function']}:{params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
