#!/usr/bin/python
"""Ansible module: the type of an EC2 instance that has to be stopped for it."""

DOCUMENTATION = r"""
module: ec2_instance_type
short_description: Give an EC2 instance another type, or let it run as it was
description:
  - Stops the instance, changes its type and starts it. Where EC2 does not do that, as when it has
    no capacity for the type, the instance is started at once as it was, and RV(error) says why.
  - An instance that has the type already and is stopped is started.
notes:
  - "Gap in the collections: while the instance is stopped, M(amazon.aws.ec2_instance) asks for a
    capacity that there is not for minutes before it fails, and looks every 15 seconds only whether
    the instance has stopped or runs."
options:
  instance_id:
    description: The instance.
    type: str
    required: true
  instance_type:
    description: The type that it shall have.
    type: str
    required: true
  wait_timeout:
    description: Seconds that each step may take, and in which EC2 is asked to start it as it was.
    type: int
    default: 300
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Have a bigger host
  ec2_instance_type:
    instance_id: i-0123456789abcdef0
    instance_type: t3.large
  register: bigger
  failed_when: bigger is failed or bigger.error != ''
"""

RETURN = r"""
instance_type:
  description: What it runs as now; in check mode as what it would.
  returned: always
  type: str
  sample: t3.large
public_ip_address:
  description: Its public address, which is another one after a stop unless it is an Elastic IP.
  returned: always
  type: str
  sample: 203.0.113.7
error:
  description: Why it has not got the type; empty when it has.
  returned: always
  type: str
  sample: ""
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 1


def find(client, name):
    found = client.describe_instances(InstanceIds=[name])["Reservations"]
    return found[0]["Instances"][0]


def settle(client, module, waiter):
    tries = max(module.params["wait_timeout"] // POLL_SECONDS, 1)
    client.get_waiter(waiter).wait(
        InstanceIds=[module.params["instance_id"]],
        WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": tries},
    )


def start(client, module):
    client.start_instances(InstanceIds=[module.params["instance_id"]])
    settle(client, module, "instance_running")


def change(client, module, kind):
    name = module.params["instance_id"]
    client.modify_instance_attribute(InstanceId=name, InstanceType={"Value": kind})


def start_as_it_was(client, module, kind):
    """Until it runs: nobody may be left with an instance that is stopped."""
    deadline = time.monotonic() + module.params["wait_timeout"]
    while True:
        try:
            if find(client, module.params["instance_id"])["InstanceType"] != kind:
                change(client, module, kind)
            start(client, module)
            return
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def ensure(client, module):
    name, wanted = module.params["instance_id"], module.params["instance_type"]
    before = find(client, name)
    was, runs, error = before["InstanceType"], before["State"]["Name"] == "running", ""
    changed = was != wanted or not runs
    if changed and not module.check_mode:
        try:
            if was != wanted:
                client.stop_instances(InstanceIds=[name])
                settle(client, module, "instance_stopped")
                change(client, module, wanted)
            start(client, module)
        except (BotoCoreError, ClientError) as failure:
            error = str(failure)
            start_as_it_was(client, module, was)
    after = find(client, name)
    kind = wanted if module.check_mode else after["InstanceType"]
    return {
        "changed": changed,
        "instance_type": kind,
        "public_ip_address": after.get("PublicIpAddress", ""),
        "error": error,
        "diff": {"before": {"instance_type": was}, "after": {"instance_type": kind}},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "instance_id": {"type": "str", "required": True},
            "instance_type": {"type": "str", "required": True},
            "wait_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    client = module.client("ec2")
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        name, wanted = module.params["instance_id"], module.params["instance_type"]
        module.fail_json_aws(error, msg=f"{name} cannot become a {wanted}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
