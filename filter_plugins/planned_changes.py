"""Ansible filter: what a run will make, change and remove."""

DOCUMENTATION = r"""
name: planned_changes
short_description: What a run will make, change and remove
description:
  - Compares the providers that are there with the wanted ones, and the hosts too. Nothing is
    asked of anybody; what else of it differs, C(--check) finds.
positional: now, wanted, hosts, classes
options:
  _input:
    description: By axis and name, the providers that there can be, and C(lost), what cannot come
      back when one is removed.
    type: dict
    required: true
  now:
    description: The provider that is there on each axis; empty before the first run.
    type: dict
    required: true
  wanted:
    description: The provider that is wanted on each axis.
    type: dict
    required: true
  hosts:
    description: C(web), the hosts that are there, each with its C(name) and C(type), C(group),
      names of those of a group, C(names) of the wanted ones (none, if a group is wanted), and
      their C(type).
    type: dict
    required: true
  classes:
    description: By axis, the class that its provider has, and the one that it shall have.
    type: dict
    default: {}
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say what is to be made
  ansible.builtin.debug:
    msg: "{{ (providers | planned_changes({}, wanted, hosts)).make }}"
  vars:
    hosts: {web: [], group: [], names: [shop-web-1], type: t3.small}
"""

RETURN = r"""
_value:
  description:
    - What there is to C(make), C(change) and C(remove), each a list of words; what is C(lost)
      with what is removed; the axes on which something C(moves), and those where a provider
      stays and is C(reclassed); and C(resize), whether the only host gets another type.
  type: dict
  sample:
    make: [front balancer, host shop-web-2]
    change: [rows from instance to rds]
    remove: []
    lost: []
    moves: [rows]
    reclassed: []
    resize: false
"""


def standing(providers, chosen):
    """``{(axis, name): provider}`` of what is something of its own."""
    return {
        (axis, name): providers[axis][name]
        for axis, name in chosen.items()
        if providers[axis].get(name, {}).get("role")
    }


def planned_changes(providers, now, wanted, hosts, classes=()):
    before, after = standing(providers, now), standing(providers, wanted)
    moves = [axis for axis, name in wanted.items() if now and now.get(axis, name) != name]
    plan = {
        "make": [" ".join(each) for each in after if each not in before],
        "change": [f"{axis} from {now[axis]} to {wanted[axis]}" for axis in moves],
        "remove": [" ".join(each) for each in before if each not in after],
    }
    gone = [before[each] for each in before if each not in after]
    reclassed = [
        axis
        for axis, (old, new) in dict(classes).items()
        if old != new
        and axis not in moves
        and before.get((axis, now.get(axis)), {}).get("place") == "aws"  # a host's has none
    ]
    plan["change"] += [
        "{} {} from {} to {}".format(axis, wanted[axis], *classes[axis]) for axis in reclassed
    ]
    there = {host["name"]: host["type"] for host in hosts["web"]}
    leaving = [name for name in there if name not in hosts["names"]]
    if hosts["names"]:
        leaving += hosts["group"]
    plan["make"] += [f"host {name}" for name in hosts["names"] if name not in there]
    resized = [name for name in hosts["names"] if there.get(name, hosts["type"]) != hosts["type"]]
    plan["change"] += [f"host {name} from {there[name]} to {hosts['type']}" for name in resized]
    plan["remove"] += [f"host {name}" for name in leaving]
    lost = [provider["lost"] for provider in gone if provider.get("lost")]
    if leaving:
        lost.append("the disks of the hosts, with their logs")
    only = bool(resized) and len(there) == 1
    return plan | {"lost": lost, "moves": moves, "reclassed": reclassed, "resize": only}


class FilterModule:
    def filters(self):
        return {"planned_changes": planned_changes}
