"""Ansible filter: how many hosts of a group are on Spot."""

DOCUMENTATION = r"""
name: spot_hosts
short_description: How many hosts of an Auto Scaling group are on Spot
description:
  - Beyond the base, which is on demand, a share is; Auto Scaling rounds it up.
positional: _input
options:
  _input:
    description: The number of hosts, how many are on demand in any case, and how many percent of
      the others are.
    type: list
    elements: int
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say how many
  ansible.builtin.debug:
    msg: "{{ [12, 2, 0] | spot_hosts }}"
"""

RETURN = r"""
_value:
  description: The number.
  type: int
  sample: 10
"""


def spot_hosts(group):
    count, base, percent = map(int, group)
    beyond = max(count - base, 0)
    return beyond - -(-beyond * percent // 100)


class FilterModule:
    def filters(self):
        return {"spot_hosts": spot_hosts}
