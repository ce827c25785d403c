"""Ansible filter: the providers that are to go."""

import re

DOCUMENTATION = r"""
name: unwanted
short_description: The providers that are to go
description:
  - Lists the providers that are there, not wanted on their axis, and that no store still is at.
positional: wanted, kept, place, found
options:
  _input:
    description: By axis and name, C(role), C(place), C(found) and C(retire) of each provider.
    type: dict
    required: true
  wanted:
    description: The provider that is wanted on each axis.
    type: dict
    required: true
  kept:
    description: The provider that each store is at now, whatever is wanted.
    type: dict
    required: true
  place:
    description: Where they are.
    type: str
    choices: [aws, hosts]
    required: true
  found:
    description: What there is, of which the C(found) of a provider matches something.
    type: list
    elements: str
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say what is to go
  ansible.builtin.debug:
    msg: "{{ providers | unwanted(wanted, stores_now, 'aws', ['rds:subgrp']) }}"
"""

RETURN = r"""
_value:
  description: Each of them with its C(axis) and C(name).
  type: list
  elements: dict
  sample: [{axis: front, name: balancer, role: lb, place: aws, found: "^elb", retire: destroy}]
"""


def unwanted(providers, wanted, kept, place, found):
    return [
        {"axis": axis, "name": name, **provider}
        for axis, known in providers.items()
        for name, provider in known.items()
        if provider.get("place") == place
        and name not in (wanted[axis], kept.get(axis))
        and any(re.match(provider["found"], each) for each in found)
    ]


class FilterModule:
    def filters(self):
        return {"unwanted": unwanted}
