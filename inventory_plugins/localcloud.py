"""Inventory plugin: start the local cloud, and let this run reach nothing but it."""

DOCUMENTATION = r"""
name: localcloud
short_description: Start the local cloud and keep the run on this machine
description:
  - Adds no hosts; C(aws_ec2.yml) beside it asks the local cloud for them.
  - >-
    Ansible reads inventories before anything else, and all it runs inherits its environment. So
    this is the one place where what the caller's shell says of AWS (profile, keys, endpoints,
    configuration files, whatever is called C(AWS_*)) is replaced for modules, lookups and
    inventories alike. A play's C(environment) could not: it adds variables and takes none away.
  - This machine's addresses are taken out of the reach of proxies; for others they stay.
author: Simple Mustache Service
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [localcloud]
"""

EXAMPLES = r"""
plugin: localcloud
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))
from localcloud import client

# What boto3, its predecessors and the AWS collections read.
OF_AN_ACCOUNT = re.compile(r"(?:AWS|EC2|S3|BOTO)_")


def keep_here(environ, port):
    """Replace in ``environ`` what leads to an AWS account or by a proxy back to this machine."""
    for name in [name for name in environ if OF_AN_ACCOUNT.match(name)]:
        del environ[name]
    environ.update(
        client.without_proxy(environ),
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="localcloud",
        AWS_SECRET_ACCESS_KEY="localcloud",  # noqa: S106 - any will do
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        BOTO_CONFIG=os.devnull,
    )


class InventoryModule(BaseInventoryPlugin):
    NAME = "localcloud"

    def verify_file(self, path):
        return super().verify_file(path) and Path(path).name.endswith("localcloud.conf")

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        keep_here(os.environ, os.environ.get("LOCALCLOUD_PORT") or "5000")
        python = ROOT / ".venv/bin/python"
        try:
            up = subprocess.run(
                [python, "-m", "localcloud", "up"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL if os.geteuid() == 0 else None,  # sudo may ask
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise AnsibleParserError(f"There is no {python}: run `make env` first.") from error
        if up.returncode:
            raise AnsibleParserError(f"{up.stdout}{up.stderr}".strip())
