"""Ansible filter: the settings of the app that follow from where its stores are."""

DOCUMENTATION = r"""
name: provider_settings
short_description: Settings of the app that follow from where its stores are
description: Picks of each store the settings of the provider that it is at.
positional: providers
options:
  _input:
    description: By store and provider, the settings and their values.
    type: dict
    required: true
  providers:
    description: The provider of each store.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say where the app finds its database
  ansible.builtin.debug:
    msg: "{{ {'rows': {'rds': {'DATABASE_URL': url}}} | provider_settings({'rows': 'rds'}) }}"
"""

RETURN = r"""
_value:
  description: C(name) and C(value) of each setting, as the role C(parameters) takes them.
  type: list
  elements: dict
  sample: [{name: SESSION_STORE, value: database}]
"""


def provider_settings(settings, providers):
    return [
        {"name": name, "value": value}
        for store, known in settings.items()
        for name, value in known[providers[store]].items()
    ]


class FilterModule:
    def filters(self):
        return {"provider_settings": provider_settings}
