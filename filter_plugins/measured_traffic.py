"""Ansible filter: what a month's traffic would be, by how busy a site is."""

DOCUMENTATION = r"""
name: measured_traffic
short_description: What a month's traffic would be, by how busy a site is
description:
  - Takes the busiest five minutes for the busiest hour of a month, from the requests that a
    balancer has led to the hosts or an API to the functions, or else from what the hosts'
    processors did.
positional: site, traffic, capacity, cpus
options:
  _input:
    description: C(load), as M(site_load) returns it.
    type: dict
    required: true
  site:
    description: C(front) and C(stores) of the site, and the seconds of a processor that a page
      takes its hosts, C(page_seconds).
    type: dict
    required: true
  traffic:
    description: What is taken where nothing is measured, C(stored_pictures).
    type: dict
    required: true
  capacity:
    description: The figures of C(group_vars/all/traffic.yml), each with its C(value).
    type: dict
    required: true
  cpus:
    description: Processors by size.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say how many pages a month that would be
  ansible.builtin.debug:
    msg: "{{ month.pages_per_month }}"
  vars:
    month: "{{ site.load | measured_traffic(advice_site, traffic_now, capacity, cpus) }}"
    cpus: "{{ prices.burstable_cpus }}"
"""

RETURN = r"""
_value:
  description: C(pages_per_month), C(pictures_per_month) and C(stored_pictures).
  type: dict
  sample: {pages_per_month: 876000, pictures_per_month: 17520, stored_pictures: 2400}
"""

SECONDS = 730 * 3600
GIB = 2**30
KB = 1000


def requests_of_a_page(site, figures):
    """Those that reach the hosts, or the functions."""
    requests = 1
    requests += figures["page_static_requests"] if site["front"] != "cdn" else 0
    requests += figures["page_picture_requests"] if site["stores"]["files"] == "database" else 0
    return requests


def pages_a_second(load, site, figures, cpus):
    if front := load["balancer"] or load["api"]:
        return front["requests"] / requests_of_a_page(site, figures)
    hosts = load["hosts"]
    cores = hosts["count"] * cpus[hosts["type"].split(", ")[0].rpartition(".")[2]]
    return (hosts["cpu"] or 0) / 100 * cores / site["page_seconds"]


def measured_traffic(load, site, traffic, capacity, cpus):
    figures = {name: figure["value"] for name, figure in capacity.items()}
    pages = round(pages_a_second(load, site, figures, cpus) / figures["peak"] * SECONDS)
    stored, database = int(traffic["stored_pictures"]), load["database"]
    if site["stores"]["files"] == "database" and database.get("free_gib") is not None:
        # With all else that a database's disk holds.
        stored = round((database["gib"] - database["free_gib"]) * GIB / figures["stored_kb"] / KB)
    return {
        "pages_per_month": pages,
        "pictures_per_month": pages // figures["pages_per_picture"],
        "stored_pictures": stored,
    }


class FilterModule:
    def filters(self):
        return {"measured_traffic": measured_traffic}
