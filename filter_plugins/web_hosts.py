"""Ansible filter: what the dynamic inventory says of hosts, as the role `web` takes it."""

DOCUMENTATION = r"""
name: web_hosts
short_description: Hosts of the dynamic inventory as the role C(web) takes them
description: Picks what the role needs of the variables that C(amazon.aws.aws_ec2) gives a host.
options:
  _input:
    description: Variables of each host.
    type: list
    elements: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say which hosts there are
  ansible.builtin.debug:
    msg: "{{ groups.role_web | map('extract', hostvars) | web_hosts }}"
"""

RETURN = r"""
_value:
  description: C(name), C(id), C(type) and root C(volume) of each instance.
  type: list
  elements: dict
  sample: [{name: shop-web-1, id: i-0123456789abcdef0, type: t3.small, volume: vol-0123456789a}]
"""


def root_volume(host):
    """By its device: others may be attached, and none is first by any promise."""
    root = host["aws_root_device_name"]
    return next(
        each["ebs"]["volume_id"]
        for each in host["aws_block_device_mappings"]
        if each["device_name"] == root
    )


def web_hosts(hosts):
    return [
        {
            "name": host["inventory_hostname"],
            "id": host["aws_instance_id"],
            "type": host["aws_instance_type"],
            "volume": root_volume(host),
        }
        for host in hosts
    ]


class FilterModule:
    def filters(self):
        return {"web_hosts": web_hosts}
