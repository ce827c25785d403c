#!/usr/bin/python
"""Ansible module: a public hosted zone, and whether the internet is led to it."""

DOCUMENTATION = r"""
module: hosted_zone_info
short_description: Look at a public hosted zone and at its delegation
description:
  - Finds the zone by its name and says whether the domain is delegated to its name servers.
    Certificates can only be had for a name that the internet finds.
notes:
  - "Gap in the collections: M(amazon.aws.route53_info) tells zones from the name on, private ones
    too, and of their name servers in another call; M(community.dns.nameserver_info) asks the
    internet's name servers itself, which many networks do not let through, and needs a package that
    nothing else does. This asks the machine's resolver."
  - What comes back is an C(_info) result, so check mode changes nothing and there is no diff.
options:
  name:
    description: Name of the zone.
    type: str
    required: true
  delegation:
    description: Whether to ask this machine's resolver where the name leads.
    type: bool
    default: false
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Look at the zone
  hosted_zone_info: {name: example.com, delegation: true}
  register: zone

- name: Stop until the name leads to it
  ansible.builtin.assert:
    that: zone.problem == ""
    fail_msg: "{{ zone.problem }}"
"""

RETURN = r"""
id:
  description: Id of the zone; empty when there is none.
  returned: always
  type: str
  sample: Z0123456789ABCDEFGHIJ
name_servers:
  description: The name servers that Route 53 gave it.
  returned: always
  type: list
  elements: str
  sample: [ns-1.awsdns-01.org, ns-2.awsdns-02.co.uk]
problem:
  description: What stands in the way, and what to do; empty when nothing does.
  returned: always
  type: str
"""

from ansible.module_utils import delegation
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so


def read(client, module):
    name = module.params["name"]
    pages = client.get_paginator("list_hosted_zones").paginate()
    zones = delegation.public_zones(pages, name)
    if not zones:
        return {"id": "", "name_servers": [], "problem": f"there is no hosted zone {name}"}
    servers = client.get_hosted_zone(Id=zones[0]["Id"])["DelegationSet"]["NameServers"]
    problem = ""
    if module.params["delegation"]:
        found = delegation.name_servers(name, delegation.resolvers())
        problem = delegation.judge(name, servers, found)
    return {
        "id": zones[0]["Id"].rpartition("/")[2],
        "name_servers": sorted(servers),
        "problem": problem,
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "delegation": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = read(module.client("route53"), module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="Cannot look at the hosted zone")
    except delegation.NoAnswer as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
