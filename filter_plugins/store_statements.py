"""Ansible filter: what the app has to be allowed at AWS, by where its stores are."""

DOCUMENTATION = r"""
name: store_statements
short_description: What the app has to be allowed, by where its stores are
description: Picks the statements of each provider that a store is at, or is to be at.
positional: rights
options:
  _input:
    description: The providers of the stores, by store; several for as many places as they have.
    type: list
    elements: dict
    required: true
  rights:
    description: By store and provider, statements of an IAM policy. What is left out needs none.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say what the app has to be allowed while its files move
  ansible.builtin.debug:
    msg: "{{ [{'files': 'database'}, {'files': 's3'}] | store_statements(rights) }}"
  vars:
    rights:
      files:
        s3: [{Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::pictures/*"}]
"""

RETURN = r"""
_value:
  description: The statements, each once.
  type: list
  elements: dict
"""


def store_statements(places, rights):
    used = {(store, provider) for each in places for store, provider in each.items()}
    return [
        statement
        for store, known in rights.items()
        for provider, statements in known.items()
        if (store, provider) in used
        for statement in statements
    ]


class FilterModule:
    def filters(self):
        return {"store_statements": store_statements}
