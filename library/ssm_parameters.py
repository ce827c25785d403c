#!/usr/bin/python
"""Ansible module: all SSM parameters under one path."""

DOCUMENTATION = r"""
module: ssm_parameters
short_description: Keep a path of SSM parameters, secrets generated in place
description:
  - Makes the parameters under a path what is listed, in one call.
  - A secret is generated when it is missing, by the module itself, and is never returned, logged
    or written to disk.
notes:
  - "Gap in the collections: M(community.aws.ssm_parameter) takes one parameter a call (0.9 s each),
    cannot generate a secret that no task ever sees, and cannot remove what is no longer listed."
options:
  path:
    description: The path, such as V(/mustache/production/web).
    type: str
    required: true
  parameters:
    description: The parameters under the path.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name under the path.
        type: str
        required: true
      value:
        description: Value of a plain parameter (type C(String)).
        type: str
      generate:
        description:
          - Length of a secret of letters and digits (type C(SecureString)) to generate if it is
            missing. One that exists stays as it is.
        type: int
      overwrite:
        description: Whether a plain parameter that exists gets O(parameters[].value).
        type: bool
        default: true
  purge:
    description: Whether parameters under the path that are not listed are removed.
    type: bool
    default: true
  absent:
    description: Names under the path that are removed also without O(purge).
    type: list
    elements: str
    default: []
  recursive:
    description:
      - Whether parameters deeper than directly under the path count too. Their names have slashes.
    type: bool
    default: false
  ignore:
    description: Names under the path that are somebody else's. They are neither read nor removed.
    type: list
    elements: str
    default: []
  state:
    description: With V(absent), everything under the path is removed.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: Tags that a parameter gets when it is created.
    type: dict
    default: {}
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep the settings and the secret of the app
  ssm_parameters:
    path: /mustache/production/web
    parameters:
      - {name: SECRET_KEY, generate: 64}
      - {name: SITE_URL, value: "https://mustache.example.com"}
    tags: {Project: mustache}

- name: Remove them
  ssm_parameters:
    path: /mustache/production/web
    state: absent
"""

RETURN = r"""
parameters:
  description: Name and value of each parameter; a secret's value is V((secret)).
  returned: always
  type: dict
  sample: {SECRET_KEY: (secret), SITE_URL: "https://mustache.example.com"}
fingerprint:
  description: Changes whenever one of the parameters does. In check mode, what it would become.
  returned: always
  type: str
  sample: 5d41402abc4b
versions:
  description: Version of each parameter, a whole number that grows with each change of it. In
    check mode, what it would become.
  returned: always
  type: dict
  sample: {SECRET_KEY: 1, SITE_URL: 3}
"""

from ansible.module_utils.parameters import fingerprint, generate, plan, shown
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# The API takes at most this many names in one DeleteParameters.
DELETE_BATCH = 10


def read(client, path, recursive, ignore):
    """The parameters under ``path`` but those to ignore: name to type, value and version."""
    pages = client.get_paginator("get_parameters_by_path").paginate(
        Path=path, Recursive=recursive, WithDecryption=True
    )
    return {
        found["Name"].removeprefix(f"{path}/"): {
            "type": found["Type"],
            "value": found["Value"],
            "version": found["Version"],
        }
        for page in pages
        for found in page["Parameters"]
        if found["Name"].removeprefix(f"{path}/") not in ignore
    }


def write(client, path, item, exists, tags):
    """Create or overwrite one parameter. AWS takes tags only when it is created."""
    secret = item["generate"] is not None
    arguments = {
        "Name": f"{path}/{item['name']}",
        "Value": generate(item["generate"]) if secret else item["value"],
        "Type": "SecureString" if secret else "String",
    }
    if exists:
        arguments["Overwrite"] = True
    elif tags:
        arguments["Tags"] = [{"Key": key, "Value": str(tags[key])} for key in sorted(tags)]
    client.put_parameter(**arguments)


def delete(client, path, names):
    for start in range(0, len(names), DELETE_BATCH):
        batch = names[start : start + DELETE_BATCH]
        client.delete_parameters(Names=[f"{path}/{name}" for name in batch])


def ensure(client, module):
    path = module.params["path"].rstrip("/")
    wanted = module.params["parameters"] if module.params["state"] == "present" else []
    purge = module.params["purge"] or module.params["state"] == "absent"

    current = read(client, path, module.params["recursive"], module.params["ignore"])
    puts, deletes, after = plan(current, wanted, purge, module.params["absent"])
    if not module.check_mode:
        for item in puts:
            write(client, path, item, item["name"] in current, module.params["tags"])
        delete(client, path, deletes)
    return {
        "changed": bool(puts or deletes),
        "parameters": shown(after),
        "fingerprint": fingerprint(after),
        "versions": {name: item["version"] for name, item in sorted(after.items())},
        "diff": {
            "before_header": path,
            "after_header": path,
            "before": shown(current),
            "after": shown(after),
        },
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "parameters": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "value": {"type": "str"},
                    "generate": {"type": "int", "no_log": False},
                    "overwrite": {"type": "bool", "default": True},
                },
                "mutually_exclusive": [("value", "generate")],
                "required_one_of": [("value", "generate")],
            },
            "purge": {"type": "bool", "default": True},
            "absent": {"type": "list", "elements": "str", "default": []},
            "recursive": {"type": "bool", "default": False},
            "ignore": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    client = module.client("ssm", retry_decorator=AWSRetry.jittered_backoff())
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the parameters under {module.params['path']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
