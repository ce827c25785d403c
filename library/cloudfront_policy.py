#!/usr/bin/python
"""Ansible module: a cache, origin request or response headers policy of CloudFront."""

DOCUMENTATION = r"""
module: cloudfront_policy
short_description: Keep a policy that behaviours of CloudFront's distributions name
description:
  - Makes a policy what the options say. One that is in use may be changed; distributions follow.
notes:
  - "Gap in the collections: M(community.aws.cloudfront_response_headers_policy) writes at every
    run, tells by the clock whether it changed something, and in check mode always says that it
    would; for cache and origin request policies there is no module."
options:
  name:
    description: Name, unique in the account for each O(kind).
    type: str
    required: true
  kind:
    description: What it is about.
    type: str
    choices: [cache, origin_request, response_headers]
    required: true
  comment:
    description: What it is for.
    type: str
    default: ""
  min_ttl:
    description: Seconds an answer is kept at least, whatever its origin says. Of V(cache).
    type: int
    default: 0
  default_ttl:
    description: Seconds for an answer of which the origin says nothing. Of V(cache).
    type: int
    default: 86400
  max_ttl:
    description: Seconds at most. Of V(cache).
    type: int
    default: 31536000
  gzip:
    description: Whether answers compressed with gzip are kept apart. Of V(cache).
    type: bool
    default: false
  brotli:
    description: Whether answers compressed with Brotli are kept apart. Of V(cache).
    type: bool
    default: false
  headers:
    description: Which request headers count - V(none), C({only: [...]}), and for V(origin_request)
      V(allViewer) or C({all_but: [...]}) too.
    type: raw
  cookies:
    description: Which cookies count - V(none), V(all), C({only: [...]}) or C({all_but: [...]}).
    type: raw
  query_strings:
    description: Which query strings count, in the same manner.
    type: raw
  response_headers:
    description: Headers by name that answers get, whatever the origin says. Of V(response_headers).
    type: dict
  default_headers:
    description: Headers by name that answers get whose origin has none of that name. Of
      V(response_headers).
    type: dict
  remove_headers:
    description: Headers that answers lose. Of V(response_headers).
    type: list
    elements: str
  state:
    description: Whether it exists.
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
- name: Let nothing that visitors sent do anything as a page
  cloudfront_policy:
    name: shop-media
    kind: response_headers
    response_headers:
      Content-Security-Policy: default-src 'none'; sandbox
      X-Content-Type-Options: nosniff
      Cross-Origin-Resource-Policy: cross-origin
    default_headers:
      Cache-Control: no-store

- name: Keep what differs by its query string apart
  cloudfront_policy:
    name: shop-search
    kind: cache
    default_ttl: 60
    query_strings: {only: [q, page]}
"""

RETURN = r"""
id:
  description: Its id; empty if there is none.
  returned: always
  type: str
  sample: 4566b6d0-ee54-46c5-a1d5-5d2a1f3f6c11
"""

from ansible.module_utils.cloudfront_policies import (
    KINDS,
    Unclear,
    comparable,
    name_of,
    policies,
    policy_config,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# A distribution that was deleted a moment ago may still count as using it.
IN_USE = AWSRetry.jittered_backoff(
    retries=20,
    catch_extra_error_codes=[f"{kind.structure}InUse" for kind in KINDS.values()],
)


def find(client, kind, name):
    """Id of the policy of that name, or None."""
    return next(
        (each["Id"] for each in policies(client, kind) if name_of(kind, each) == name), None
    )


def read(client, kind, identity):
    """The policy's config and its ETag."""
    operation, structure = KINDS[kind]
    found = getattr(client, f"get_{operation}")(Id=identity)
    return found[structure][f"{structure}Config"], found["ETag"]


def ensure_present(client, module):
    kind = module.params["kind"]
    operation, structure = KINDS[kind]
    try:
        config = policy_config(kind, module.params)
    except Unclear as error:
        module.fail_json(msg=f"{module.params['name']}: {error}")
    identity = find(client, kind, module.params["name"])
    before, etag = read(client, kind, identity) if identity else ({}, "")
    differs = comparable(before) != comparable(config)
    given = {f"{structure}Config": config}
    if differs and not module.check_mode:
        if identity:
            getattr(client, f"update_{operation}")(Id=identity, IfMatch=etag, **given)
        else:
            identity = getattr(client, f"create_{operation}")(**given)[structure]["Id"]
    return {
        "changed": differs,
        "id": identity or "",
        "diff": {"before": comparable(before), "after": comparable(config)},
    }


def ensure_absent(client, module):
    kind = module.params["kind"]
    identity = find(client, kind, module.params["name"])
    if identity is None:
        return {"changed": False, "id": ""}
    before, etag = read(client, kind, identity)
    if not module.check_mode:
        IN_USE(getattr(client, f"delete_{KINDS[kind].operation}"))(Id=identity, IfMatch=etag)
    return {"changed": True, "id": "", "diff": {"before": comparable(before), "after": {}}}


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": sorted(KINDS), "required": True},
            "comment": {"type": "str", "default": ""},
            "min_ttl": {"type": "int", "default": 0},
            "default_ttl": {"type": "int", "default": 86400},
            "max_ttl": {"type": "int", "default": 31536000},
            "gzip": {"type": "bool", "default": False},
            "brotli": {"type": "bool", "default": False},
            "headers": {"type": "raw"},
            "cookies": {"type": "raw"},
            "query_strings": {"type": "raw"},
            "response_headers": {"type": "dict"},
            "default_headers": {"type": "dict"},
            "remove_headers": {"type": "list", "elements": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    client = module.client("cloudfront")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the policy {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
