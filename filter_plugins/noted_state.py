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
  description:
    - The C(stage), the C(front) and the C(entry), if they were noted, the provider of each of the
      C(stores), and C(seconds), that of the second place of those that have one.
  type: dict
  sample: {stage: 3, stores: {rows: rds, files: database}, seconds: {files: s3}}
"""


def under(prefix, parameters):
    return {
        name.removeprefix(prefix): value
        for name, value in parameters.items()
        if name.startswith(prefix)
    }


def noted_state(parameters):
    noted = {kind: under(f"/{kind}/", parameters) for kind in ("stores", "seconds")}
    noted |= {
        name: parameters[f"/{name}"] for name in ("front", "entry") if f"/{name}" in parameters
    }
    if "/stage" in parameters:
        noted["stage"] = int(parameters["/stage"])
    return noted


class FilterModule:
    def filters(self):
        return {"noted_state": noted_state}
