"""Ansible filter: what was noted of an environment in SSM."""

DOCUMENTATION = r"""
name: noted_state
short_description: What was noted of an environment
description:
  - Reads the parameters that C(playbooks/tasks/note_state.yml) writes; others are left alone.
options:
  _input:
    description: The parameters under C(state_path), by their names from there on.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say at which stage the site is
  ansible.builtin.debug:
    msg: "{{ ({'/stage': '3', '/stores/rows': 'rds'} | noted_state).stage }}"
"""

RETURN = r"""
_value:
  description: The C(stage), if it was noted, and the provider of each of the C(stores).
  type: dict
  sample: {stage: 3, stores: {rows: rds}}
"""


def noted_state(parameters):
    stores = "/stores/"
    noted = {
        "stores": {
            name.removeprefix(stores): value
            for name, value in parameters.items()
            if name.startswith(stores)
        }
    }
    if "/stage" in parameters:
        noted["stage"] = int(parameters["/stage"])
    return noted


class FilterModule:
    def filters(self):
        return {"noted_state": noted_state}
