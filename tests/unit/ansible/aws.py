"""Clients whose answers a test has written, and how the modules that use them end."""

import boto3
from botocore.stub import Stubber


class Failed(Exception):
    """The module's fail_json."""


class Done(Exception):
    """The module's exit_json."""


def stubbed(service):
    client = boto3.client(
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    stubber = Stubber(client)
    stubber.activate()
    return client, stubber
