"""Ansible filter: while what writes will be refused, and for how long."""

DOCUMENTATION = r"""
name: writes_refused
short_description: While what a run will have writes refused, and for how long
description:
  - Looks up what was measured of the moves that are planned. What nobody has measured is said to be
    so.
positional: pauses, now, wanted
options:
  _input:
    description: What P(planned_changes#filter) says, and whether the database is C(multi_az).
    type: dict
    required: true
  pauses:
    description:
      - "What was measured: of an C(axis), the C(seconds) in which some writes were refused while
        C(what) went on, and the C(source) of that; C(between) these places, or all there are."
      - The axis is C(resize) for the only host; for a database that gets another class it is
        C(failover) where it is C(multi_az), and else C(restart).
      - Without C(seconds) nobody has measured it.
    type: list
    elements: dict
    required: true
  now:
    description: The provider that is there on each axis.
    type: dict
    required: true
  wanted:
    description: The provider that is wanted on each axis.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say for how long
  ansible.builtin.debug:
    msg: "{{ planned | writes_refused(pauses, {'rows': 'rds'}, {'rows': 'dynamodb'}) }}"
  vars:
    planned: {moves: [rows], resize: false, reclassed: [], multi_az: true}
    pauses:
      - {axis: rows, between: [rds, dynamodb], what: the rows move, seconds: 6.2, source: a climb}
"""

RETURN = r"""
_value:
  description: A phrase for each; none where none is refused.
  type: list
  elements: str
  sample: ["for about 6.2 s while the rows move (a climb)"]
"""


def writes_refused(planned, pauses, now, wanted):
    axes = planned["moves"] + ["resize"] * planned["resize"]
    if "rows" in planned["reclassed"]:
        axes.append("failover" if planned["multi_az"] else "restart")
    said = []
    for axis in axes:
        ways = {now.get(axis), wanted.get(axis)} - {None}
        pause = next(
            (
                each
                for each in pauses
                if each["axis"] == axis and ways <= set(each.get("between", ways))
            ),
            None,
        )
        if pause is None or "seconds" not in pause:
            what = pause["what"] if pause else f"{axis} changes"
            said.append(f"for how long nobody has measured, while {what}")
        elif pause["seconds"]:
            said.append(f"for about {pause['seconds']} s while {pause['what']} ({pause['source']})")
    return said


class FilterModule:
    def filters(self):
        return {"writes_refused": writes_refused}
