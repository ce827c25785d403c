"""Ansible filter: how busy a site would be, by a load test of it."""

DOCUMENTATION = r"""
name: load_result
short_description: How busy a site would be, by a load test of it
description:
  - Reads what C(python -m benchmarks.load) has written. The hosts, or the functions, are taken to
    be as busy as the busiest hour of the traffic is of what the test has shown the site to carry.
positional: traffic, capacity, functions
options:
  _input:
    description: The result of the test.
    type: dict
    required: true
  traffic:
    description: What visitors do in a month, C(pages_per_month).
    type: dict
    required: true
  capacity:
    description: The figures of C(group_vars/all/traffic.yml), each with its C(value).
    type: dict
    required: true
  functions:
    description: Of a site on functions their C(concurrency), and the C(rate) of the API.
    type: dict
    default: {}
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say how busy the hosts would be
  ansible.builtin.debug:
    msg: "{{ (test | load_result(traffic_now, capacity)).hosts.cpu }}"
  vars:
    test: "{{ lookup('ansible.builtin.file', 'docs/load/stage3.json') | from_json }}"
"""

RETURN = r"""
_value:
  description:
    - As M(site_load) returns its C(load), and C(carried), the pages a second that the test has
      shown.
    - Who uses the site at the same time opens a page every C(page_every) seconds.
  type: dict
"""

SECONDS = 730 * 3600


def load_result(test, traffic, capacity, functions=None):
    figures = {name: figure["value"] for name, figure in capacity.items()}
    if not test["carried"]:
        raise ValueError(f"{test['label']}: the test has found no number of users that is carried")
    pages = int(traffic["pages_per_month"]) / SECONDS * figures["peak"]
    users = pages * figures["page_every"]
    # The first step with so many users, or the last one.
    steps = sorted(test["steps"], key=lambda step: step["users"])
    step = next((step for step in steps if step["users"] >= users), steps[-1])
    a_page = step["requests_per_second"] * figures["page_every"] / step["users"]
    share = users / test["carried"]
    served = {
        "requests": pages * a_page,
        "failed": step["failed"] / max(step["requests"], 1),
        "p95": step["p95"] / 1000,
    }
    return {
        "start": test["date"],
        "end": test["date"],
        "carried": test["carried"] / figures["page_every"],
        "hosts": {"cpu": None if functions else 100 * share},
        "group": {},
        "balancer": {} if functions else served,
        **on_functions(functions, served, share),
        "tables": {},
        "database": {},
        "cache": {},
    }


def on_functions(functions, served, share):
    if not functions:
        return {"api": {}, "functions": {}}
    concurrency = functions["concurrency"]
    return {
        "api": served | {"rate": functions["rate"]},
        "functions": {
            "concurrency": concurrency,
            "concurrent": concurrency * share if concurrency else None,
            "seconds": None,
            "throttled": 0,
        },
    }


class FilterModule:
    def filters(self):
        return {"load_result": load_result}
