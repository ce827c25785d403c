"""Ansible filter: the subnets of a network, public and private, one of each in a zone."""

from ipaddress import ip_network
from itertools import islice

DOCUMENTATION = r"""
name: subnets
short_description: The subnets of a network, one of each kind in every zone
description:
  - Cuts a network of 16 bits into subnets of 24, public ones from its begin and private ones from
    its middle on. A zone has the same subnets whatever other zones come or go behind it.
positional: cidr
options:
  _input:
    description: Names of the availability zones.
    type: list
    elements: str
    required: true
  cidr:
    description: The network.
    type: str
    required: true
  private:
    description: Whether there are private subnets too.
    type: bool
    default: false
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: A public and a private subnet in each of two zones
  ansible.builtin.debug:
    msg: "{{ ['us-east-1a', 'us-east-1b'] | subnets('10.20.0.0/16', private=true) }}"
"""

RETURN = r"""
_value:
  description: C(name), C(zone), C(cidr) and whether it is C(public), zone by zone.
  type: list
  elements: dict
  sample: [{name: public-a, zone: us-east-1a, cidr: 10.20.0.0/24, public: true}]
"""

PREFIX = 24
FIRST_PRIVATE = 128


def subnets(zones, cidr, private=False):
    parts = list(islice(ip_network(cidr).subnets(new_prefix=PREFIX), 2 * FIRST_PRIVATE))
    kinds = [("public", 0)] + ([("private", FIRST_PRIVATE)] if private else [])
    return [
        {
            "name": f"{kind}-{zone[-1]}",
            "zone": zone,
            "cidr": str(parts[first + number]),
            "public": kind == "public",
        }
        for number, zone in enumerate(zones)
        for kind, first in kinds
    ]


class FilterModule:
    def filters(self):
        return {"subnets": subnets}
