"""Ansible filter: what burstable instances may cost beyond their price."""

DOCUMENTATION = r"""
name: monthly_surplus
short_description: The most that the credits of burstable instances may cost a month
description:
  - AWS launches burstable instances (T3, T4g) with unlimited credits. What their processors do
    beyond their share is billed by the hour; this is the bill when they are busy all month.
positional: prices
options:
  _input:
    description: C(hosts) and C(database) as for P(monthly_cost#filter).
    type: dict
    required: true
  prices:
    description: The table of prices.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say what a busy host may cost beyond its price
  ansible.builtin.debug:
    msg: "{{ {'hosts': hosts, 'database': {}} | monthly_surplus(prices) }}"
  vars:
    hosts: {count: 1, type: t3.small}
"""

RETURN = r"""
_value:
  description: The amount, in the currency of the prices.
  type: float
  sample: 58.4
"""


def surplus(kind, prices):
    """What one burstable instance costs beyond its price, busy all month; nothing for others."""
    family, _, size = kind.rpartition(".")
    if family not in prices["credit_cpu_hour"] or size not in prices["baseline"]:
        return 0
    busy = prices["burstable_cpus"][size] * (1 - prices["baseline"][size])
    return busy * prices["credit_cpu_hour"][family] * prices["hours_per_month"]


def monthly_surplus(resources, prices):
    """The most that the credits of burstable hosts and databases may cost a month."""
    hosts, database = resources["hosts"], resources["database"]
    most = int(hosts["count"]) * surplus(hosts["type"], prices)
    if database:
        most += (2 if database["multi_az"] else 1) * surplus(database["class"], prices)
    return most


class FilterModule:
    def filters(self):
        return {"monthly_surplus": monthly_surplus}
