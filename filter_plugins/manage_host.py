"""Ansible filter: the host that runs the app's one-off work."""

DOCUMENTATION = r"""
name: manage_host
short_description: The host that runs the app's one-off work
description:
  - A host that has the database itself, if one has; of those that were asked, one that serves; of
    these the first by name.
  - Hosts that were not asked when others were, because they cannot be reached, are left out.
options:
  _input:
    description:
      - Variables of each host. C(has_rows) tells whether it has the database, C(serves) whether it
        was asked and serves.
    type: list
    elements: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say who would run it
  ansible.builtin.debug:
    msg: "{{ groups.role_web | map('extract', hostvars) | manage_host }}"
"""

RETURN = r"""
_value:
  description: Name of the host; empty when there is none.
  type: str
  sample: shop-web-1
"""


def manage_host(hosts):
    asked = [host for host in hosts if "serves" in host]
    candidates = asked or hosts
    if not candidates:
        return ""
    best = min(
        candidates,
        key=lambda host: (
            not host.get("has_rows"),
            "serves" in host and not host["serves"],
            host["inventory_hostname"],
        ),
    )
    return best["inventory_hostname"]


class FilterModule:
    def filters(self):
        return {"manage_host": manage_host}
