#!/usr/bin/python
"""Ansible module: another playbook first. The work is done by action_plugins/whole_playbook.py."""

DOCUMENTATION = r"""
module: whole_playbook
short_description: Run another playbook to its end, and show what it says
description:
  - >-
    A run of C(ansible-playbook) of its own, with facts and groups of its own, whose output comes
    line by line. It gets the inventory, the extra variables, C(--diff), C(-v) and the vaults of
    this run.
  - When this run is interrupted, so is the other one.
notes:
  - >-
    Gap in the collections: C(ansible.builtin.import_playbook) decides before a run what is
    imported, which then shares facts with the rest; C(ansible.builtin.command) says nothing until
    the end, which may be a quarter of an hour away.
  - >-
    It has no terminal: a playbook that would ask has to be told in variables. It always is
    RV(ignore:changed), as nobody looks what the other one changed, and in check mode it is skipped;
    so there is no diff.
  - An action plugin, as it has to know the command line of this run.
options:
  path:
    description: The playbook.
    type: path
    required: true
  variables:
    description: Extra variables of the other one. One of this run with the same name wins.
    type: dict
    default: {}
  without:
    description: Extra variables of this run that the other one does not get.
    type: list
    elements: str
    default: []
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Bring the site to stage 4
  whole_playbook:
    path: "{{ project_root }}/playbooks/stage4.yml"
    without: [front]
    variables:
      db_instance_class: db.t4g.medium
"""

RETURN = r"""
# The defaults of every module.
"""
