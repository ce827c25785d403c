"""Ansible filter: the settings of the app that follow from where its stores are."""

DOCUMENTATION = r"""
name: provider_settings
short_description: Settings of the app that follow from where its stores are
description:
  - Picks of each store the settings of the provider that it is at.
  - Of a setting that several stores have, the last of these stores says what it is.
  - A store that has a second place has the settings of that one too. The setting that chooses the
    place has C(_SECOND) behind its name there.
positional: providers, seconds, choices
options:
  _input:
    description: By store and provider, the settings and their values.
    type: dict
    required: true
  providers:
    description: The provider of each store that is to be told.
    type: dict
    required: true
  seconds:
    description: The provider of the second place, of each store that has one.
    type: dict
    default: {}
  choices:
    description: The setting that chooses the place, of each store that can have a second one.
    type: dict
    default: {}
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


def of_store(known, first, second, choice):
    settings = {}
    if second:
        settings = {
            f"{name}_SECOND" if name == choice else name: value
            for name, value in known[second].items()
        }
    return settings | dict(known[first].items())


def provider_settings(settings, providers, seconds=None, choices=None):
    seconds, choices = seconds or {}, choices or {}
    found = {}
    for store, known in settings.items():
        if store in providers:
            found |= of_store(known, providers[store], seconds.get(store), choices.get(store))
    return [{"name": name, "value": value} for name, value in found.items()]


class FilterModule:
    def filters(self):
        return {"provider_settings": provider_settings}
