"""Ansible filter: the variables that roles have."""

DOCUMENTATION = r"""
name: role_options
short_description: The variables that roles have
description: Reads what roles say in their C(meta/argument_specs.yml).
options:
  _input:
    description: Contents of these files.
    type: list
    elements: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say which variables the role web has
  ansible.builtin.debug:
    msg: "{{ [lookup('ansible.builtin.file', path) | from_yaml] | role_options }}"
  vars:
    path: roles/web/meta/argument_specs.yml
"""

RETURN = r"""
_value:
  description: Names of the variables, sorted.
  type: list
  elements: str
  sample: [web_count, web_instance_type]
"""


def role_options(specifications):
    return sorted(
        {
            name
            for specification in specifications
            for entry in specification["argument_specs"].values()
            for name in entry.get("options") or {}
        }
    )


class FilterModule:
    def filters(self):
        return {"role_options": role_options}
