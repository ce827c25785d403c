#!/usr/bin/python
"""Ansible module: one run at a time. The work is done by action_plugins/environment_lock.py."""

DOCUMENTATION = r"""
module: environment_lock
short_description: Hold an environment until this run of ansible-playbook has ended
description:
  - Makes an SSM parameter, which AWS lets one caller make. Who comes second is told whose it is.
  - >-
    It is removed when C(ansible-playbook) ends, in whichever way: a process of its own watches for
    that. The same process shows a sign of life once a minute. A lock without one for O(lease)
    seconds is a dead machine's, and the next run takes it over.
  - The age of a sign of life is told by AWS's clock alone, so the operators' clocks need not agree.
notes:
  - "Gap in the collections: C(amazon.aws.ssm_parameter) overwrites or leaves alone, never refuses."
  - >-
    RV(ignore:changed) is always false, as nothing of it is left when the run has ended; so there is
    no diff. In check mode it neither takes nor heeds a lock.
  - An action plugin, as it has to know the process of C(ansible-playbook).
options:
  name:
    description: Name of the parameter.
    type: str
    required: true
  lease:
    description: Seconds without a sign of life after which the holder is taken for dead.
    type: int
    default: 300
  take_over:
    description: Take the lock from whoever holds it.
    type: bool
    default: false
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Let no other run change this environment meanwhile
  environment_lock:
    name: /mustache/production/state/lock
"""

RETURN = r"""
holder:
  description: What the lock says of this run.
  returned: when it was taken
  type: dict
  sample:
    {who: ada, host: laptop, what: stage3.yml, since: "2026-11-25T13:00:00+00:00", run: 0c2b9f4e}
"""
